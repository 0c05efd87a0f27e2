"""The judged hits of a run as arrays: all that measures need, a small part of what a run holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdr.errors import InputError
from mdr.types import Qrels, Run

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

_NOT_JUDGED = -(2**31)


@dataclass(frozen=True)
class Judged:
    """Query number, rank and grade of each judged hit, ordered by query and rank; and the grades known per query.

    A negative grade says: in the pool, but not judged. `lengths` are those of the rankings.
    """

    lengths: Ints
    query: Ints
    rank: Ints
    grade: Ints
    known_query: Ints
    known_grade: Ints

    def at(self, cutoff: int) -> Judged:
        """The hits down to a rank; 0: all."""
        if not cutoff:
            return self
        seen = self.rank <= cutoff
        hits = (self.query[seen], self.rank[seen], self.grade[seen])
        return Judged(np.minimum(self.lengths, cutoff), *hits, self.known_query, self.known_grade)

    def total(self, weights: Floats | Ints | Mask) -> Floats:
        """The weights of the hits, added per query."""
        return self._add(self.query, weights)

    def known(self, wanted: Floats | Mask) -> Floats:
        """The weights of the known grades, added per query, whether found or not."""
        return self._add(self.known_query, wanted)

    def above(self, wanted: Mask) -> Ints:
        """For each hit, how many wanted ones stand above it in its ranking."""
        before: Ints = np.cumsum(wanted) - wanted
        return before - before[np.searchsorted(self.query, self.query)]

    def _add(self, query: Ints, weights: Floats | Ints | Mask) -> Floats:
        return np.bincount(query, weights, minlength=len(self.lengths)).astype(np.float64)


def judged_hits(queries: Sequence[str], qrels: Qrels, run: Run) -> Judged:
    """Look each hit's grade up. The queries must be in the qrels; one that the run lacks has no hits."""
    found: list[int] = []
    lengths: list[int] = []
    known: list[int] = []
    counts: list[int] = []
    for query in queries:
        grades, ids = qrels[query], [hit.id for hit in run.get(query, ())]
        if len(set(ids)) != len(ids):
            raise InputError(f"the ranking of query {query!r} holds a passage twice", "keep each at its best rank")
        found += [grades.get(id, _NOT_JUDGED) for id in ids]
        lengths.append(len(ids))
        known += grades.values()
        counts.append(len(grades))
    grade = np.array(found, dtype=np.int64)
    numbers, length = np.arange(len(queries)), np.array(lengths, dtype=np.int64)
    rank = np.arange(1, len(grade) + 1) - np.repeat(np.cumsum(length) - length, length)
    judged = grade != _NOT_JUDGED
    return Judged(
        length,
        np.repeat(numbers, length)[judged],
        rank[judged],
        grade[judged],
        np.repeat(numbers, np.array(counts, dtype=np.int64)),
        np.array(known, dtype=np.int64),
    )
