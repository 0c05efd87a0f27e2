"""How the grades of several judges become one: policies by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mdr.errors import InputError
from mdr.types import Qrels

Grades = Mapping[tuple[str, str], Sequence[int]]
"""What each judge gave, by query and passage."""


class Policy(NamedTuple):
    """One grade for the grades of judges, or None where they do not settle it; `settled` lets adjudication decide."""

    rule: Callable[[Sequence[int]], int | None]
    settled: bool = False


class Decided(NamedTuple):
    """One grade each, and the queries and passages that the policy leaves open."""

    qrels: Qrels
    open: Sequence[tuple[str, str]]


def majority(grades: Sequence[int]) -> int:
    """What most judges say; among grades given equally often, the middle one, the higher of two.

    >>> majority([1, 1, 3]), majority([0, 3]), majority([0, 1, 3])
    (1, 3, 1)
    """
    counts = Counter(grades)
    most = max(counts.values())
    tied = sorted(grade for grade, count in counts.items() if count == most)
    return tied[len(tied) // 2]


def mean(grades: Sequence[int]) -> int:
    """The mean, rounded; halves go up.

    >>> mean([1, 2]), mean([0, 0, 1])
    (2, 0)
    """
    return (2 * sum(grades) + len(grades)) // (2 * len(grades))


def unanimous(grades: Sequence[int]) -> int | None:
    """What all judges say."""
    return grades[0] if len(set(grades)) == 1 else None


POLICIES: Mapping[str, Policy] = {
    "majority": Policy(majority),
    "mean": Policy(mean),
    "strictest": Policy(min),
    "adjudicated": Policy(unanimous, settled=True),
}


def decide(grades: Grades, adjudicated: Mapping[tuple[str, str], int], policy: str) -> Decided:
    """One grade for each query and passage, by a policy's name."""
    if policy not in POLICIES:
        raise InputError(f"there is no policy {policy!r}", f"policies are {', '.join(POLICIES)}")
    rule, settled = POLICIES[policy]
    found: dict[tuple[str, str], int | None] = {key: rule(given) for key, given in grades.items()}
    if settled:
        found |= adjudicated
    qrels: dict[str, dict[str, int]] = {}
    for (query, passage), grade in found.items():
        if grade is not None:
            qrels.setdefault(query, {})[passage] = grade
    return Decided(qrels, [key for key, grade in found.items() if grade is None])
