"""The passages that a teacher is to judge for each query: what the indexes find, or what a pair names, or both.

Where a query comes with a pair, the pair's best answer is the first of its candidates; passages with its text, and its
other answers, are none. The rest is what the indexes rank highest or, without an index, the pair's negatives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from mdr.core.mining import Candidates, gather, once
from mdr.ports import Retriever
from mdr.storage.pairs import Pair
from mdr.types import Query


class Task(NamedTuple):
    """A query, and the pair that it comes with, if any."""

    query: Query
    pair: Pair | None = None


@dataclass(frozen=True)
class Proposal:
    """Passages for a query, best first, and what proposed them."""

    query: Query
    ids: tuple[str, ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Proposer:
    """Finds the candidates of queries. `count`: at most so many of each list, drawn at random (0: all)."""

    def __init__(
        self,
        retrievers: Mapping[str, Retriever],
        same_text: Mapping[str, int],
        *,
        depth: int,
        count: int,
        seed: int,
    ) -> None:
        self._retrievers, self._same_text = retrievers, same_text
        self._depth, self._count, self._seed = depth, count, seed

    def propose(self, tasks: Sequence[Task], langs: Sequence[str] | None) -> Iterator[Proposal]:
        """The candidates of queries that search the same passages."""
        queries = [task.query for task in tasks]
        lists = {side: its.search(queries, self._depth, langs=langs) for side, its in self._retrievers.items()}
        for number, task in enumerate(tasks):
            if lists:
                rankings = {side: its[number] for side, its in lists.items()}
                found = gather(task.query, rankings, self._depth, "score")
                ids = self._chosen(task, self._best(found))
                yield Proposal(task.query, ids, _ranked(found, ids) | _origin(task))
            else:
                ids = self._chosen(task, task.pair.negatives if task.pair else ())
                yield Proposal(task.query, ids, _origin(task))

    def _best(self, found: Candidates) -> list[str]:
        """What any list holds, each text once: the highest in any of them first, then by the sum of ranks."""
        ranks = np.stack(list(found.ranks.values()))
        places = np.lexsort((ranks.sum(axis=0), ranks.min(axis=0)))
        return [found.ids[at] for at in once(found, places, self._same_text).tolist()]

    def _chosen(self, task: Task, ids: Sequence[str]) -> tuple[str, ...]:
        """The answer, if one is known, and as many others as are wanted, in their order."""
        answers = task.pair.positives if task.pair else ()
        texts = {self._same_text[id] for id in answers if id in self._same_text}
        others = [id for id in ids if id not in answers and self._same_text.get(id) not in texts]
        wanted = self._count - len(answers[:1])
        if self._count and len(others) > wanted:  # which, depends on seed and query alone
            random = np.random.default_rng([self._seed, crc32(task.query.id.encode(errors="surrogatepass"))])
            others = [others[at] for at in np.sort(random.permutation(len(others))[:wanted]).tolist()]
        return (*answers[:1], *others)


def _origin(task: Task) -> dict[str, Any]:
    pair = task.pair
    return {"pair": {"origin": pair.origin, "round": pair.round, "rule": pair.rule}} if pair else {}


def _ranked(found: Candidates, ids: Sequence[str]) -> dict[str, Any]:
    """What each list says of each candidate, in their order; None where it does not hold it."""
    places = {id: at for at, id in enumerate(found.ids)}
    evidence = {}
    for side, ranks in found.ranks.items():
        at = [places[id] if id in places and ranks[places[id]] <= found.depth else None for id in ids]
        evidence[side] = {
            "ranks": [None if place is None else int(ranks[place]) for place in at],
            "scores": [None if place is None else float(found.scores[side][place]) for place in at],
        }
    return evidence
