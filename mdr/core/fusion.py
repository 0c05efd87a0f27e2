"""Several rankings of one query made into one. Pure functions of ids, ranks and scores.

Every fusion gives each side's hits a share, and adds: lexical share + alpha × dense share, nothing where not found.
Ties go to the lower id: equal inputs give equal answers, in any order, on any machine.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeAlias

from mdr.errors import InputError
from mdr.types import Hit, Ranking, Run

Side: TypeAlias = Callable[[Ranking], dict[str, float]]
"""What each hit of one ranking is worth."""

Fusion: TypeAlias = Callable[[Ranking, Ranking, int, float], list[Hit]]
"""lexical, dense, k, alpha → the k best."""

RRF_CONSTANT = 60
"""How far down reciprocal rank still tells ranks apart; the value of the method's authors."""


def reciprocal_ranks(ranking: Ranking) -> dict[str, float]:
    """1 / (60 + rank). An id that a ranking repeats counts once, at its best place."""
    backwards = [hit.id for hit in reversed(ranking)]  # so that the best place is what stays in the dictionary
    return dict(zip(backwards, reversed(_reciprocals(len(backwards))), strict=True))


@lru_cache(maxsize=256)
def _reciprocals(length: int) -> tuple[float, ...]:
    return tuple(1.0 / (RRF_CONSTANT + rank) for rank in range(1, length + 1))


def unit_scores(ranking: Ranking) -> dict[str, float]:
    """Scores moved to 0…1: the ranking's lowest to 0, its highest to 1.

    Where all are equal (one hit, say) there is no span to divide by: they count as the highest, since being
    found at all says more than not being found, which counts as 0.
    """
    scores = dict(reversed(ranking))  # reversed: of a repeated id the best place stays
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    span = high - low
    if not math.isfinite(span + sum(scores.values())):
        raise InputError("a ranking holds a score that is not finite", "rank again; `mdr verify` checks indexes")
    return {id: (score - low) / span for id, score in scores.items()} if span else dict.fromkeys(scores, 1.0)


def best(scores: Mapping[str, float], k: int) -> list[Hit]:
    """The k highest scores as a ranking; ties go to the lower id."""
    if k < 0:
        raise InputError(f"{k} hits were asked for", "ask for 0 or more")
    return [Hit(id, -negative) for negative, id in sorted([(-score, id) for id, score in scores.items()])[:k]]


def reciprocal_rank_fusion(rankings: Sequence[Ranking], k: int, weights: Sequence[float] | None = None) -> list[Hit]:
    """Any number of rankings by reciprocal rank.

    >>> reciprocal_rank_fusion([[Hit("a", 9.0), Hit("b", 1.0)], [Hit("b", 0.5)]], k=1)[0].id
    'b'
    """
    weighted = zip([1.0] * len(rankings) if weights is None else weights, map(list, rankings), strict=True)
    scores: dict[str, float] = {}
    # Sorted: a sum of floats depends on the order of adding, and the order of the rankings must not matter.
    for weight, ranking in sorted(weighted):
        _check_weight(weight)
        for id, share in reciprocal_ranks(ranking).items():
            scores[id] = scores.get(id, 0.0) + weight * share
    return best(scores, k)


def _sum(side: Side, lexical: Ranking, dense: Ranking, k: int, alpha: float) -> list[Hit]:
    _check_weight(alpha)
    scores = side(lexical)
    for id, share in side(dense).items():
        scores[id] = scores.get(id, 0.0) + alpha * share
    return best(scores, k)


def _check_weight(weight: float) -> None:
    if not 0 <= weight < math.inf:
        raise InputError(f"a ranking cannot weigh {weight}", "weights are finite and not negative")


def _rrf(lexical: Ranking, dense: Ranking, k: int, alpha: float) -> list[Hit]:
    return _sum(reciprocal_ranks, lexical, dense, k, alpha)


def _weighted(lexical: Ranking, dense: Ranking, k: int, alpha: float) -> list[Hit]:
    """The weighted mean of both sides' min–max scores, itself in 0…1."""
    return [Hit(id, score / (1 + alpha)) for id, score in _sum(unit_scores, lexical, dense, k, alpha)]


def _mr_tydi(lexical: Ranking, dense: Ranking, k: int, alpha: float) -> list[Hit]:
    """As Mr. TyDi's hybrid: n(s) = (s − (min + max)/2) / (max − min), missing = the minimum; sum with α.

    That n is the unit score less a half, for found and missing alike: the order is that of `weighted`, the scores
    are on the published scale. An empty side says nothing.
    """
    middle = (0.5 if lexical else 0.0) + (0.5 * alpha if dense else 0.0)
    return [Hit(id, score - middle) for id, score in _sum(unit_scores, lexical, dense, k, alpha)]


FUSIONS: Mapping[str, Fusion] = {"rrf": _rrf, "weighted": _weighted, "mr-tydi": _mr_tydi}
SIDES: Mapping[str, Side] = {"rrf": reciprocal_ranks, "weighted": unit_scores, "mr-tydi": unit_scores}
"""To add a fusion, add an entry to both: alpha is tuned on the shares alone."""


def fuse_runs(
    fusion: str, lexical: Run, dense: Run, k: int, alpha: Callable[[str], float] = lambda query: 1.0
) -> dict[str, list[Hit]]:
    """Two runs into one, over the queries of either; alpha may differ by query."""
    fuse = FUSIONS[fusion]
    with no_collecting():
        return {
            query: fuse(lexical.get(query, ()), dense.get(query, ()), k, alpha(query)) for query in {**lexical, **dense}
        }


@contextmanager
def no_collecting() -> Iterator[None]:
    """Hits form no cycles, and looking for some among so many new ones takes as long as making them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def with_quota(ranking: Iterable[Hit], lang_of: Callable[[str], str], quota: int) -> list[Hit]:
    """At most `quota` hits of each language, order kept: a mixed pool then shows more than one language."""
    if quota < 1:
        raise InputError(f"a quota of {quota} per language was asked for", "ask for 1 or more")
    kept: list[Hit] = []
    counts: dict[str, int] = {}
    for hit in ranking:
        lang = lang_of(hit.id)
        counts[lang] = counts.get(lang, 0) + 1
        if counts[lang] <= quota:
            kept.append(hit)
    return kept
