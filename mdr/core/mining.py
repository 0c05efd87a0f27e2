"""Which passages a query may be trained with: positives where lists agree, negatives by rank, margin and text.

A lexical and a dense list (or one of them) propose passages for a query. The rules read ranks, scores and equal texts,
never a label. Ranks count from 1; what a list does not hold has rank depth + 1 there, and a score that is not known.
Equal inputs give equal answers, whatever the order of queries; ties go to the lower passage id.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from mdr.core.text import QUERY_LIMIT, clean
from mdr.errors import InputError
from mdr.types import Passage, Query, Ranking

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Rule: TypeAlias = Literal["intersection", "union", "lexical", "dense"]
Sampling: TypeAlias = Literal["random", "hardest"]

LEXICAL, DENSE = "lexical", "dense"


class Agreement(NamedTuple):
    """The lists that a rule asks, and whether all or any of them must rank a positive high."""

    sides: tuple[str, ...]
    must: Callable[..., Any]


RULES: Mapping[str, Agreement] = {
    "intersection": Agreement((LEXICAL, DENSE), np.all),
    "union": Agreement((LEXICAL, DENSE), np.any),
    "lexical": Agreement((LEXICAL,), np.all),
    "dense": Agreement((DENSE,), np.all),
}

EMPTY, LONG, NO_PASSAGES = "empty query", "query too long", "no passages in its language"
NOT_FOUND, NO_AGREEMENT, NOT_RECIPROCAL = "nothing found", "no agreement", "not reciprocal"
"""Why a query gives no pair."""

POSITIVE, SAME_TEXT, HIGH = "admitted as a positive", "same text as a positive", "high in the other list"
NEAR, UNKNOWN, REPEATED = "too near to the positive", "dense score not known", "same text as another candidate"
"""Why a passage in the window of ranks is not a negative."""

_QUERIES = 4096
"""Queries that passages are compared with at a time."""
_NOISE = 1e-6
"""Scores closer than this, relative to their size, count as equal: encoders round."""


@dataclass(frozen=True)
class Candidates:
    """What the lists propose for a query, by passage id. `scores` may become known later."""

    query: Query
    ids: Sequence[str]
    ranks: Mapping[str, Ints]
    scores: Mapping[str, Floats]
    depth: int

    def unknown(self, places: Ints) -> Ints:
        """Those of the places whose dense score is not known."""
        return places[np.isnan(self.scores[DENSE][places])]


def unfit(query: Query) -> str:
    """Why a query cannot be searched with; "" where it can."""
    if len(query.text) > QUERY_LIMIT:
        return LONG
    return "" if any(char.isalnum() for char in clean(query.text)) else EMPTY


def gather(query: Query, rankings: Mapping[str, Ranking], depth: int, stage: str = "mine") -> Candidates:
    """Both lists (or one) as ranks and scores of the same passages."""
    ids = sorted({hit.id for ranking in rankings.values() for hit in ranking})
    place = {id: number for number, id in enumerate(ids)}
    ranks, scores = {}, {}
    for side, ranking in rankings.items():
        at = [place[hit.id] for hit in ranking]
        ranks[side] = np.full(len(ids), depth + 1)
        ranks[side][at] = np.arange(1, len(at) + 1)
        scores[side] = np.full(len(ids), np.nan)
        scores[side][at] = found = np.array([hit.score for hit in ranking], dtype=np.float64)
        if not (finite := np.isfinite(found)).all():
            wrong = ranking[int(np.argmin(finite))]
            raise InputError(
                f"{stage}: the {side} index scores passage {wrong.id!r} {wrong.score} for query {query.id!r}",
                "`mdr verify` checks the index; where it is whole, the encoder's weights are damaged",
            )
    return Candidates(query, ids, ranks, scores, depth)


# -- positives ------------------------------------------------------------------------------------------------


def agreed(candidates: Candidates, rule: str, k: int) -> Ints:
    """Places of the passages that a rule admits as positives: the lowest sum of ranks first."""
    sides, must = RULES[rule]
    admitted = np.flatnonzero(must([candidates.ranks[side] <= k for side in sides], axis=0))
    return admitted[np.argsort(_sum(candidates, sides)[admitted], kind="stable")]


def nearest_to_agreement(candidates: Candidates, rule: str) -> Ints:
    """The place of the passage that came nearest to being admitted, if there is any."""
    return np.argsort(_sum(candidates, RULES[rule].sides), kind="stable")[:1]


def _sum(candidates: Candidates, sides: Iterable[str]) -> Ints:
    total: Ints = np.sum([candidates.ranks[side] for side in sides], axis=0)
    return total


def reciprocal_ranks(passages: NDArray[Any], queries: NDArray[Any], own: Ints) -> Ints:
    """The rank of each passage's own query among all queries, by inner product. Equals share the better rank."""
    rows = passages.astype(np.float64)
    scores = np.einsum("pd,pd->p", rows, queries[own].astype(np.float64))
    bar = scores + _NOISE * np.maximum(1, np.abs(scores))
    ranks = np.ones(len(rows), dtype=np.int64)
    for start in range(0, len(queries), _QUERIES):
        products = rows @ queries[start : start + _QUERIES].astype(np.float64).T
        ranks += (products > bar[:, None]).sum(axis=1)
    return ranks


def margins(candidates: Candidates, side: str, positives: Ints) -> Floats:
    """By how much each positive outscores the best of the other passages; NaN where that is not known."""
    scores = candidates.scores[side]
    others = np.delete(scores, positives)
    best = np.nanmax(others) if np.isfinite(others).any() else np.nan
    return np.asarray(scores[positives] - best)


# -- negatives ------------------------------------------------------------------------------------------------


class Screened(NamedTuple):
    """Places of passages that may be negatives as far as ranks and texts can say, hardest first; how many were looked
    at, and how many were refused, by reason."""

    places: Ints
    seen: int
    refused: Counter[str]

    @classmethod
    def nothing(cls) -> Screened:
        """Of a query that is given up before."""
        return cls(np.empty(0, dtype=np.int64), 0, Counter())


def screen(
    candidates: Candidates,
    positives: Ints,
    admitted: Ints,
    *,
    window: tuple[int, int],
    cross_list: bool,
    same_text: Mapping[str, int],
) -> Screened:
    """Passages that a list ranks in the window. With `cross_list`, none that any list ranks above it: each is absent
    from the other list or low in both. `admitted` are all that the rule would have taken as positives."""
    first, last = window
    ranks = np.stack(list(candidates.ranks.values()))
    inside: Flags = np.any((ranks >= first) & (ranks <= last), axis=0)
    high: Flags = np.any(ranks < first, axis=0)
    inside[positives] = False
    texts = {same_text[id] for at in positives.tolist() if (id := candidates.ids[at]) in same_text}
    rules: dict[str, Flags] = {
        POSITIVE: _flags(len(inside), admitted),
        SAME_TEXT: np.array([same_text.get(id) in texts for id in candidates.ids] if texts else False),
        HIGH: high & cross_list,
    }
    left, refused = inside, Counter[str]()
    for reason, flags in rules.items():
        refused[reason] += int((left & flags).sum())
        left = left & ~flags
    places = np.flatnonzero(left)
    hardest = np.lexsort((ranks.sum(axis=0)[places], ranks.min(axis=0)[places]))
    return Screened(places[hardest], int(inside.sum()), +refused)


def _flags(size: int, places: Ints) -> Flags:
    flags = np.zeros(size, dtype=bool)
    flags[places] = True
    return flags


def guard_limit(scores: Floats, *, relative: float | None, absolute: float | None) -> float:
    """The highest dense score of a negative: below the lowest of the positives' by the margins. NaN where that is not
    known, infinite where no margin is asked for."""
    if relative is None and absolute is None:
        return math.inf
    # Relative to the size: 95 % of a negative score would lie above it.
    return float(min(lowest := scores.min(), lowest - (relative or 0) * abs(lowest), lowest - (absolute or 0)))


def undecided(candidates: Candidates, screened: Screened, limit: float) -> Ints:
    """Places whose dense score must be known: below the end of the dense list, and that end is above the limit."""
    scores = candidates.scores[DENSE]
    known = scores[candidates.ranks[DENSE] <= candidates.depth]
    if not limit < math.inf or (len(known) and known.min() <= limit):
        return screened.places[:0]
    return candidates.unknown(screened.places)


def guard(candidates: Candidates, screened: Screened, limit: float) -> Screened:
    """Without likely false negatives: passages that the encoder finds about as good as the positive."""
    near = candidates.scores[DENSE][screened.places] > limit
    unknown = np.isin(screened.places, undecided(candidates, screened, limit)) | math.isnan(limit)
    refused = screened.refused + Counter({NEAR: int(near.sum()), UNKNOWN: int((unknown & ~near).sum())})
    return screened._replace(places=screened.places[~near & ~unknown], refused=+refused)


def choose(
    candidates: Candidates,
    screened: Screened,
    count: int,
    *,
    sampling: Sampling,
    seed: int,
    same_text: Mapping[str, int],
) -> Screened:
    """At most `count`, each text once, hardest first. Random draws depend on the seed and the query's id alone."""
    places = once(candidates, screened.places, same_text)
    refused = screened.refused + Counter({REPEATED: len(screened.places) - len(places)})
    if sampling == "random" and len(places) > count:
        random = np.random.default_rng([seed, crc32(candidates.query.id.encode())])
        places = places[np.sort(random.permutation(len(places))[:count])]
    return screened._replace(places=places[:count], refused=+refused)


def once(candidates: Candidates, places: Ints, same_text: Mapping[str, int]) -> Ints:
    """The first place of each text."""
    ids = [candidates.ids[at] for at in places.tolist()]
    if same_text.keys().isdisjoint(ids):
        return places
    first: dict[int, int] = {}
    for at, id in zip(places.tolist(), ids, strict=True):
        first.setdefault(same_text.get(id, -1 - at), at)  # below 0: a text of its own
    return np.array(list(first.values()), dtype=np.int64)


def same_texts(passages: Iterable[Passage]) -> dict[str, int]:
    """For passages whose text occurs more than once: a number for the text, by id. Titles and spaces do not count."""
    ids, names = [], []
    for passage in passages:
        text = " ".join((passage.text.strip() or passage.title).split())
        ids.append(passage.id)
        names.append(int.from_bytes(blake2b(text.encode(), digest_size=8).digest()))
    _, number, counts = np.unique(np.array(names, dtype=np.uint64), return_inverse=True, return_counts=True)
    return {ids[at]: int(number[at]) for at in np.flatnonzero(counts[number] > 1).tolist()}
