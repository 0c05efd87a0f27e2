"""What a campaign is: a pool of items in the order of their drawing, and who is to judge which. Pure.

Drawing. Each item has a share of the draw, `weight`, that sums to 1 over the pool: the same for all in random order; by
disagreement the random share is spread evenly and the rest by how far the runs disagree. An item has a number u in 0…1
of its own, from the seed; items are drawn by u / weight, lowest first. Of any first n, an item with weight w is one
with probability min(1, w·t), where t is the place of item n+1 (priority sampling: sums weighted by 1 / probability are
unbiased for every n). In random order that is n / N, and said so exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import NamedTuple

from mdr.core.chance import chance
from mdr.errors import InputError
from mdr.types import Query, Run

ORDERS: Mapping[str, str] = {"random": "all alike", "disagreement": "first where the runs disagree most"}
MOST_ITEMS = 200_000
_GAPS = (12, 30)
"""How many other judgements come between an item and its hidden repeat, at least and at most."""

Ranks = Mapping[str, int]
"""Where each run has a passage, from 1; a run that does not have it is not named."""


class Item(NamedTuple):
    """A query and a passage to be judged by so many people; `lang` is the passage's."""

    query: str
    passage: str
    lang: str
    ranks: Ranks
    weight: float
    judges: int = 1


@dataclass(frozen=True)
class Rules:
    """How a campaign draws and hands out. `budget` counts judgements without hidden repeats; 0: the whole pool."""

    order: str = "random"
    random_share: float = 0.2
    budget: int = 0
    overlap: float = 0.1
    """The share of items that two people judge."""
    repeats: float = 0.05
    """The share of a judge's items that come again, unannounced."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise InputError(f"there is no order {self.order!r}", f"orders are {', '.join(ORDERS)}")
        for name, least in (("random_share", 0.05), ("overlap", 0.0), ("repeats", 0.0)):
            if not least <= getattr(self, name) <= 1:
                wanted = f"it is a share from {least:g} to 1"
                raise InputError(f"{name.replace('_', ' ')} is {getattr(self, name)}", wanted)
        if self.budget < 0:
            raise InputError(f"a budget of {self.budget} was asked for", "give a number of judgements; 0: no limit")


@dataclass(frozen=True)
class Campaign:
    """Never changes once it is made: its id is a name for all that it holds."""

    id: str
    name: str
    collection: str
    langs: Sequence[str]
    """Of queries and passages."""
    scale: Mapping[int, str]
    rules: Rules
    queries: Mapping[str, Query]
    items: Sequence[Item]
    """The whole pool, in the order of drawing."""
    guidelines: str = ""
    annotators: Sequence[str] = ()
    """None named: whoever may."""
    blind: bool = False
    """Judges never see what the runs said."""
    depth: int = 0
    runs: Sequence[str] = ()
    """The names of the runs that the pool is made of."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @property
    def drawn(self) -> int:
        """How many of the items, the first so many, are to be judged."""
        return within(self.items, self.rules.budget)


def pool(runs: Mapping[str, Run], depth: int) -> dict[tuple[str, str], dict[str, int]]:
    """Every query and passage that some run has down to a depth, with its ranks."""
    if depth < 1:
        raise InputError(f"a pool of depth {depth} was asked for", "pool the first 1 or more of each run")
    found: dict[tuple[str, str], dict[str, int]] = {}
    for name, run in runs.items():
        for query, ranking in run.items():
            for rank, hit in enumerate(ranking[:depth], 1):
                found.setdefault((query, hit.id), {}).setdefault(name, rank)
    return found


def disagreement(ranks: Ranks, runs: int) -> float:
    """The most that a grade here can tell two of the runs apart: the largest difference of the weights that nDCG
    gives its ranks. A run without the passage gives it none.

    >>> disagreement({"words": 1}, 2), disagreement({"words": 1, "meaning": 1}, 2)
    (1.0, 0.0)
    """
    weights = [1 / math.log2(1 + rank) for rank in ranks.values()] + [0.0] * (len(ranks) < runs)
    return max(weights, default=0.0) - min(weights, default=0.0)


def arranged(
    found: Mapping[tuple[str, str], Ranks], langs: Mapping[str, str], runs: int, rules: Rules, people: int = 0
) -> list[Item]:
    """The items of a pool in the order of drawing; `langs` by passage; `people`: how many were named, 0 for anyone."""
    if len(found) > MOST_ITEMS:
        raise InputError(
            f"the pool has {len(found):,} passages of queries, more than {MOST_ITEMS:,}",
            "pool fewer queries or languages, or less deep",
        )
    tilts = dict.fromkeys(found, 0.0)
    if rules.order == "disagreement":
        tilts = {key: disagreement(ranks, runs) for key, ranks in found.items()}
    total, even = sum(tilts.values()), 1 / max(len(found), 1)
    share = rules.random_share if total else 1.0
    items = []
    for (query, passage), ranks in found.items():
        tilt = tilts[query, passage] / total if total else 0.0
        both = people != 1 and chance(rules.seed, "overlap", query, passage) < rules.overlap
        weight = share * even + (1 - share) * tilt
        items.append(Item(query, passage, langs[passage], dict(ranks), weight, 2 if both else 1))
    return sorted(items, key=lambda item: (place(item, rules.seed), item.query, item.passage))


def place(item: Item, seed: int) -> float:
    """Where an item stands in the order of drawing."""
    return chance(seed, "draw", item.query, item.passage) / item.weight


def within(items: Sequence[Item], budget: int) -> int:
    """How many items, in their order, a budget of judgements is enough for; 0: all."""
    if not budget:
        return len(items)
    return sum(spent <= budget for spent in accumulate(item.judges for item in items))


def inclusions(campaign: Campaign, count: int | None = None) -> list[float]:
    """For each of the first `count` items (as drawn, if not told), the probability with which it is among them."""
    items, rules = campaign.items, campaign.rules
    count = campaign.drawn if count is None else count
    if count >= len(items):
        return [1.0] * len(items)
    if rules.order == "random":
        return [count / len(items)] * count
    limit = place(items[count], rules.seed)
    return [min(1.0, item.weight * limit) for item in items[:count]]


def takers(item: Item, annotators: Sequence[str], seed: int) -> list[str]:
    """Who of the named is to judge an item: the same whoever asks, and spread evenly."""
    by_lot = sorted(annotators, key=lambda name: (chance(seed, "taker", name, item.query, item.passage), name))
    return by_lot[: item.judges]


def returns_after(item: Item, annotator: str, rules: Rules) -> int | None:
    """After how many more judgements an item comes to its judge again; None: it does not."""
    if chance(rules.seed, "repeat", annotator, item.query, item.passage) >= rules.repeats:
        return None
    least, most = _GAPS
    return least + int(chance(rules.seed, "gap", annotator, item.query, item.passage) * (most - least + 1))


def named(campaign: Campaign, id: str) -> Campaign:
    """The same under an id."""
    return replace(campaign, id=id)
