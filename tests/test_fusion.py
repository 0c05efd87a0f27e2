"""Fusions: their formulas by hand, and the properties that every one must have."""

from __future__ import annotations

import gc
import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdr.core.fusion import FUSIONS, SIDES, best, fuse_runs, reciprocal_rank_fusion, with_quota
from mdr.errors import InputError
from mdr.types import Hit

IDS = st.text("abcdefghij", min_size=1, max_size=2)
SCORES = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 2.0, 5e-324])
K = st.integers(0, 50)
ALPHA = st.sampled_from([0.0, 0.3, 1.0, 1.7]) | st.floats(0, 2)


def ranking(scores: dict[str, float]) -> list[Hit]:
    return best(scores, len(scores))


RANKINGS = st.dictionaries(IDS, SCORES, max_size=15).map(ranking)
LEXICAL = ranking({"a": 12.0, "b": 9.0, "c": 4.0})
DENSE = ranking({"c": 0.9, "d": 0.7, "b": 0.5})


def test_mr_tydi_by_hand() -> None:
    """n(s) = (s − (min + max)/2) / (max − min); b and c on both sides, a and d missing on one: its minimum."""
    expected = {
        "a": (12 - 8) / 8 + 0.6 * (0.5 - 0.7) / 0.4,
        "b": (9 - 8) / 8 + 0.6 * (0.5 - 0.7) / 0.4,
        "c": (4 - 8) / 8 + 0.6 * (0.9 - 0.7) / 0.4,
        "d": (4 - 8) / 8 + 0.6 * (0.7 - 0.7) / 0.4,
    }
    fused = FUSIONS["mr-tydi"](LEXICAL, DENSE, 10, 0.6)
    assert dict(fused) == pytest.approx(expected)
    assert [hit.id for hit in fused] == sorted(expected, key=lambda id: -expected[id])


def test_weighted_and_rrf_by_hand() -> None:
    fused = dict(FUSIONS["weighted"](LEXICAL, DENSE, 10, 3.0))
    assert fused == pytest.approx({"a": 1 / 4, "b": 5 / 8 / 4, "c": 3 / 4, "d": 3 * 0.5 / 4})
    fused = dict(FUSIONS["rrf"](LEXICAL, DENSE, 10, 2.0))
    assert fused == pytest.approx({"a": 1 / 61, "b": 1 / 62 + 2 / 63, "c": 1 / 63 + 2 / 61, "d": 2 / 62})


@pytest.mark.parametrize("name", ["weighted", "mr-tydi"])
def test_lists_without_a_span(name: str) -> None:
    """One hit, or all equal: found counts as the best of its list, not found as nothing; an empty side says nothing."""
    fuse = FUSIONS[name]
    assert [hit.id for hit in fuse([Hit("x", 7.0)], DENSE, 10, 0.5)] == ["x", "c", "d", "b"]
    equal = [Hit("p", 3.0), Hit("q", 3.0)]
    assert [hit.id for hit in fuse(equal, [Hit("q", 0.1)], 10, 1.0)] == ["q", "p"]
    assert [hit.id for hit in fuse([], DENSE, 10, 1.0)] == [hit.id for hit in DENSE]
    assert [hit.id for hit in fuse(LEXICAL, [], 10, 1.0)] == [hit.id for hit in LEXICAL]
    assert fuse([], [], 10, 1.0) == []


def test_alpha_zero_leaves_the_words_and_a_high_alpha_the_meaning() -> None:
    for fuse in FUSIONS.values():
        assert [hit.id for hit in fuse(LEXICAL, DENSE, 2, 0.0)] == ["a", "b"]
        assert [hit.id for hit in fuse(LEXICAL, DENSE, 2, 1e6)] == ["c", "d"]


def test_repeated_ids_count_once_at_their_best_place() -> None:
    doubled = [Hit("a", 12.0), Hit("b", 9.0), Hit("a", 5.0), Hit("c", 4.0)]
    for name, fuse in FUSIONS.items():
        ids = [hit.id for hit in fuse(doubled, DENSE, 10, 1.0)]
        assert sorted(ids) == ["a", "b", "c", "d"], name
        assert dict(fuse(doubled, [], 10, 1.0))["a"] == dict(fuse(LEXICAL, [], 10, 1.0))["a"], name


@given(RANKINGS, RANKINGS, K, ALPHA, st.sampled_from(sorted(FUSIONS)))
@settings(max_examples=300, deadline=None)
def test_every_fusion_gives_a_ranking(lexical: list[Hit], dense: list[Hit], k: int, alpha: float, name: str) -> None:
    """At most k, each once, only what was found, sorted with ties by id, finite; longer answers start the same."""
    fused = FUSIONS[name](lexical, dense, k, alpha)
    ids = [hit.id for hit in fused]
    union = {hit.id for hit in [*lexical, *dense]}
    assert len(fused) == min(k, len(union)) and len(set(ids)) == len(ids) and set(ids) <= union
    assert all(math.isfinite(hit.score) for hit in fused)
    assert all(above.score >= below.score for above, below in pairwise(fused))
    assert fused == FUSIONS[name](lexical, dense, 10**9, alpha)[:k]


@given(RANKINGS, RANKINGS, ALPHA, st.sampled_from(["weighted", "mr-tydi"]), st.randoms())
@settings(max_examples=100, deadline=None)
def test_score_fusions_do_not_see_the_order_of_hits(
    lexical: list[Hit], dense: list[Hit], alpha: float, name: str, chance: random.Random
) -> None:
    shuffled = chance.sample(lexical, len(lexical)), chance.sample(dense, len(dense))
    assert FUSIONS[name](*shuffled, 100, alpha) == FUSIONS[name](lexical, dense, 100, alpha)


@given(st.lists(RANKINGS, max_size=5), st.randoms())
@settings(max_examples=100, deadline=None)
def test_rrf_does_not_see_the_order_of_rankings(rankings: list[list[Hit]], chance: random.Random) -> None:
    assert reciprocal_rank_fusion(chance.sample(rankings, len(rankings)), 100) == reciprocal_rank_fusion(rankings, 100)


@given(RANKINGS, ALPHA, st.sampled_from(sorted(FUSIONS)))
@settings(max_examples=100, deadline=None)
def test_a_ranking_fused_with_itself_keeps_its_order(hits: list[Hit], alpha: float, name: str) -> None:
    fused = FUSIONS[name](hits, hits, 100, alpha)
    place = {hit.id: number for number, hit in enumerate(hits)}
    score = dict(hits)
    for above, below in pairwise(fused):
        # Scores a hair apart may round to the same share; then the ids decide.
        assert place[above.id] < place[below.id] or above.score == below.score
        assert score[above.id] >= score[below.id] or above.score == below.score


@given(RANKINGS, RANKINGS, ALPHA, st.data(), st.sampled_from(sorted(FUSIONS)))
@settings(max_examples=200, deadline=None)
def test_rising_on_one_side_never_lowers_a_hit(
    lexical: list[Hit], dense: list[Hit], alpha: float, data: st.DataObject, name: str
) -> None:
    """A hit that takes the place and score of the one above it, which takes its own, is fused no lower than before."""
    if len(lexical) < 2:
        return
    place = data.draw(st.integers(1, len(lexical) - 1))
    upper, lower = lexical[place - 1], lexical[place]
    risen = list(lexical)
    risen[place - 1 : place + 1] = [Hit(lower.id, upper.score), Hit(upper.id, lower.score)]

    def rank(hits: list[Hit]) -> int:
        return [hit.id for hit in FUSIONS[name](hits, dense, 100, alpha)].index(lower.id)

    assert rank(risen) <= rank(lexical)


@given(RANKINGS, RANKINGS, ALPHA, st.sampled_from(sorted(FUSIONS)))
@settings(max_examples=100, deadline=None)
def test_the_shares_say_the_order(lexical: list[Hit], dense: list[Hit], alpha: float, name: str) -> None:
    """What alpha is tuned on is what the fusion does."""
    words, meaning = SIDES[name](lexical), SIDES[name](dense)
    summed = {id: words.get(id, 0.0) + alpha * meaning.get(id, 0.0) for id in words | meaning}
    assert [hit.id for hit in best(summed, 100)] == [hit.id for hit in FUSIONS[name](lexical, dense, 100, alpha)]


def test_runs_are_fused_query_by_query() -> None:
    lexical, dense = {"both": LEXICAL, "words": LEXICAL}, {"both": DENSE, "meaning": DENSE}
    weights = {"both": 0.6, "words": 1.0, "meaning": 1.0}
    for name, fuse in FUSIONS.items():
        assert fuse_runs(name, lexical, dense, 3, weights.__getitem__) == {
            "both": fuse(LEXICAL, DENSE, 3, 0.6),
            "words": fuse(LEXICAL, [], 3, 1.0),
            "meaning": fuse([], DENSE, 3, 1.0),
        }
    assert gc.isenabled()
    with pytest.raises(InputError):
        fuse_runs("rrf", lexical, dense, -1)
    assert gc.isenabled(), "also after a failure"


def test_any_number_of_rankings_and_weights() -> None:
    third = ranking({"d": 1.0, "a": 0.5})
    fused = dict(reciprocal_rank_fusion([LEXICAL, DENSE, third], 10, [1.0, 0.5, 2.0]))
    assert fused["a"] == pytest.approx(1 / 61 + 2 / 62)
    assert fused["d"] == pytest.approx(0.5 / 62 + 2 / 61)
    assert reciprocal_rank_fusion([], 10) == []
    with pytest.raises(ValueError, match="zip"):
        reciprocal_rank_fusion([LEXICAL, DENSE], 10, [1.0])


@pytest.mark.parametrize("alpha", [-0.1, math.nan, math.inf])
def test_weights_that_are_none(alpha: float) -> None:
    for fuse in FUSIONS.values():
        with pytest.raises(InputError, match="cannot weigh"):
            fuse(LEXICAL, DENSE, 10, alpha)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_scores_that_are_none(score: float) -> None:
    for name in ("weighted", "mr-tydi"):
        with pytest.raises(InputError, match="not finite"):
            FUSIONS[name]([Hit("a", 1.0), Hit("b", score), Hit("c", 0.0)], DENSE, 10, 1.0)


def test_a_negative_k_is_refused() -> None:
    for fuse in FUSIONS.values():
        with pytest.raises(InputError, match="-1 hits"):
            fuse(LEXICAL, DENSE, -1, 1.0)


def test_quota_keeps_the_order_and_no_more_than_so_many_of_a_language() -> None:
    hits = [Hit(id, -float(place)) for place, id in enumerate(["a.fi", "b.fi", "c.th", "d.fi", "e.th", "f.sw"])]
    kept = with_quota(hits, lambda id: id[-2:], 1)
    assert [hit.id for hit in kept] == ["a.fi", "c.th", "f.sw"]
    assert with_quota(kept, lambda id: id[-2:], 1) == kept
    assert with_quota(hits, lambda id: id[-2:], 10**9) == hits
    assert with_quota([], lambda id: id, 3) == []
    with pytest.raises(InputError, match="quota of 0"):
        with_quota(hits, lambda id: id, 0)
