"""Two systems side by side: what moved between two rankings of a query, and which of them is better on how many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from mdr.core.summary import Asked, Values
from mdr.types import Ranking

Change: TypeAlias = Literal["same", "up", "down", "in", "out"]
Outcome: TypeAlias = Literal["wins", "ties", "losses"]

_EQUAL = 1e-9
"""Values nearer than this differ by the order of adding, not by the ranking."""


class Move(NamedTuple):
    """A passage's rank in the first ranking and in the second; None: not found there at all."""

    id: str
    first: int | None
    second: int | None

    def change(self, depth: int) -> Change:
        """What happened to it among the first `depth`."""
        before, after = _within(self.first, depth), _within(self.second, depth)
        if before is None:
            return "in"
        if after is None:
            return "out"
        return "same" if before == after else "up" if after < before else "down"


def _within(rank: int | None, depth: int) -> int | None:
    return rank if rank is not None and rank <= depth else None


def moves(first: Ranking, second: Ranking, depth: int) -> list[Move]:
    """Every passage among the first `depth` of either ranking, in the order of the first, then of the second. Ranks
    are those of the whole rankings: what came in may be known to have stood further down before.

    >>> from mdr.types import Hit
    >>> moves([Hit("a", 2), Hit("b", 1)], [Hit("b", 9)], 1)
    [Move(id='a', first=1, second=None), Move(id='b', first=2, second=1)]
    """
    before = {hit.id: rank for rank, hit in enumerate(first, 1)}
    after = {hit.id: rank for rank, hit in enumerate(second, 1)}
    shown = dict.fromkeys(hit.id for hit in [*first[:depth], *second[:depth]])
    return [Move(id, before.get(id), after.get(id)) for id in shown]


class Tally(NamedTuple):
    """How many queries a system wins, ties and loses against another."""

    wins: int
    ties: int
    losses: int


def outcome(difference: float) -> Outcome:
    """What a difference between two values means for the one it is counted for."""
    return "wins" if difference > _EQUAL else "losses" if difference < -_EQUAL else "ties"


def differences(values: Values, baseline: Values) -> dict[str, float]:
    """How much better a system is, for each query that both have."""
    return {query: values[query] - baseline[query] for query in sorted(values.keys() & baseline.keys())}


def tallies(found: Mapping[str, float], asked: Mapping[str, Asked]) -> dict[str, Tally]:
    """Wins, ties and losses by the language of the query."""
    counts: dict[str, dict[Outcome, int]] = {}
    for query, difference in found.items():
        its = counts.setdefault(asked[query].lang, {"wins": 0, "ties": 0, "losses": 0})
        its[outcome(difference)] += 1
    return {lang: Tally(**counts[lang]) for lang in sorted(counts)}


def total(found: Mapping[str, Tally]) -> Tally:
    """All of them together."""
    return Tally(*(sum(column) for column in zip(*found.values(), strict=True))) if found else Tally(0, 0, 0)
