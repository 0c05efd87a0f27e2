"""The rules of mining, each against a plain reading of what it says."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

import numpy as np
import pytest
from scipy.stats import binomtest

from mdr.core.mining import (
    DENSE,
    EMPTY,
    HIGH,
    LEXICAL,
    LONG,
    NEAR,
    POSITIVE,
    REPEATED,
    SAME_TEXT,
    UNKNOWN,
    Candidates,
    Screened,
    agreed,
    choose,
    gather,
    guard,
    guard_limit,
    margins,
    nearest_to_agreement,
    reciprocal_ranks,
    same_texts,
    screen,
    undecided,
    unfit,
)
from mdr.core.significance import wilson
from mdr.core.text import QUERY_LIMIT
from mdr.errors import InputError
from mdr.types import Hit, Passage, Query

QUERY = Query("q", "fi", "mikä")


def lists(depth: int = 5, **sides: Mapping[str, float] | str) -> Candidates:
    """Lists from scores by id, or from ids in order ("a b c") with scores 1, 0.9, 0.8 …"""
    rankings = {}
    for side, its in sides.items():
        scores = {id: 1 - at / 10 for at, id in enumerate(its.split())} if isinstance(its, str) else its
        hits = [Hit(id, score) for id, score in scores.items()]
        rankings[side] = sorted(hits, key=lambda hit: (-hit.score, hit.id))
    return gather(QUERY, rankings, depth)


def ids(candidates: Candidates, places: np.ndarray) -> str:
    return " ".join(candidates.ids[at] for at in places)


def at(candidates: Candidates, names: str) -> np.ndarray:
    return np.array([candidates.ids.index(name) for name in names.split()], dtype=np.int64)


def screened(candidates: Candidates, positives: str, first: int, last: int, **options: object) -> Screened:
    chosen = at(candidates, positives)
    settings = {"admitted": chosen, "cross_list": True, "same_text": {}, **options}
    return screen(candidates, chosen, window=(first, last), **settings)


# -- lists and positives --------------------------------------------------------------------------------------


def test_what_a_list_does_not_hold_is_below_its_end_and_has_no_score() -> None:
    found = lists(depth=5, lexical="a b", dense="b c d")
    assert found.ids == ["a", "b", "c", "d"]
    assert found.ranks[LEXICAL].tolist() == [1, 2, 6, 6]
    assert found.ranks[DENSE].tolist() == [6, 1, 2, 3]
    np.testing.assert_array_equal(found.scores[DENSE], [math.nan, 1.0, 0.9, 0.8])


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused_with_query_and_passage(score: float) -> None:
    with pytest.raises(InputError, match=r"mine: the dense index scores passage 'b' .* for query 'q'") as error:
        lists(dense={"a": 1.0, "b": score})
    assert "verify" in error.value.remedy


@pytest.mark.parametrize(
    ("rule", "k", "expected"),
    [
        ("intersection", 3, "b d"),  # b: 2 + 1, d: 3 + 2
        ("intersection", 2, "b"),
        ("intersection", 1, ""),
        ("union", 3, "b d a e"),  # a: 1 + 6, e: 6 + 3
        ("lexical", 3, "a b d"),
        ("dense", 3, "b d e"),
    ],
)
def test_positives_by_rule_lowest_sum_of_ranks_first(rule: str, k: int, expected: str) -> None:
    found = lists(depth=5, lexical="a b d", dense="b d e c")
    assert ids(found, agreed(found, rule, k)) == expected


def test_ties_go_to_the_lower_id_in_any_order_of_the_lists() -> None:
    for lexical, dense in (("z a", "a z"), ("a z", "z a")):
        found = lists(lexical=lexical, dense=dense)
        assert ids(found, agreed(found, "intersection", 2)) == "a z"


def test_the_nearest_to_agreement_is_shown_where_there_is_none() -> None:
    found = lists(depth=9, lexical="a b c d", dense="e f g d")
    assert not len(agreed(found, "intersection", 3))
    assert ids(found, nearest_to_agreement(found, "intersection")) == "d"
    assert not len(nearest_to_agreement(lists(lexical="", dense=""), "intersection"))


def test_margins_are_to_the_best_of_the_others() -> None:
    found = lists(lexical={"a": 5.0, "b": 3.0}, dense={"a": 0.5, "b": 0.9, "c": 0.7})
    assert margins(found, LEXICAL, at(found, "a")).tolist() == [2.0]
    assert margins(found, DENSE, at(found, "a b")) == pytest.approx([-0.2, 0.2])
    assert np.isnan(margins(found, LEXICAL, at(found, "a b"))).all()  # there are no others
    assert np.isnan(margins(found, LEXICAL, at(found, "c"))).all()


def test_reciprocal_ranks_equal_a_plain_count_and_equals_share_the_better() -> None:
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((5000, 8)).astype(np.float32)  # more than one block
    queries[4500] = queries[7]
    own = np.array([7, 4500, 0, 4999])
    passages = queries[own] + rng.standard_normal((4, 8)).astype(np.float32)
    scores = passages.astype(float) @ queries.T.astype(float)
    expected = [1 + sum(scores[row] > scores[row, query] + 1e-5) for row, query in enumerate(own)]
    assert reciprocal_ranks(passages, queries, own).tolist() == expected
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    assert reciprocal_ranks(queries[[7, 7]], queries, np.array([7, 4500])).tolist() == [1, 1]


# -- negatives ------------------------------------------------------------------------------------------------


def test_negatives_are_absent_from_the_other_list_or_low_in_both() -> None:
    found = lists(depth=6, lexical="p a b c d", dense="p c e d f g")
    result = screened(found, "p", 3, 5)
    # b: rank 3, absent; d: 5 and 4; e: absent, 3; f: absent, 5; c: 4, but 2 in the other; a and g: not in the window
    assert ids(found, result.places) == "b e d f"
    assert (result.seen, result.refused) == (5, {HIGH: 1})
    assert ids(found, screened(found, "p", 3, 5, cross_list=False).places) == "c b e d f"


def test_what_the_rule_admitted_and_equal_texts_are_no_negatives() -> None:
    found = lists(depth=6, lexical="p x t u v w", dense="p x t u v w")
    same_text = {"p": 1, "t": 1, "v": 2, "w": 2}
    result = screened(found, "p", 1, 6, admitted=at(found, "p x"), same_text=same_text)
    assert ids(found, result.places) == "u v w"
    assert result.refused == {POSITIVE: 1, SAME_TEXT: 1}
    chosen = choose(found, result, 9, sampling="hardest", seed=0, same_text=same_text)
    assert ids(found, chosen.places) == "u v" and chosen.refused[REPEATED] == 1


def test_the_limit_is_below_the_lowest_positive_whatever_its_sign() -> None:
    assert guard_limit(np.array([0.8, 0.6]), relative=0.05, absolute=None) == pytest.approx(0.57)
    assert guard_limit(np.array([0.8, 0.6]), relative=0.05, absolute=0.1) == pytest.approx(0.5)
    assert guard_limit(np.array([-0.5]), relative=0.05, absolute=None) == pytest.approx(-0.525)
    assert guard_limit(np.array([0.8, math.nan]), relative=None, absolute=None) == math.inf
    assert math.isnan(guard_limit(np.array([0.8, math.nan]), relative=0.05, absolute=None))


def test_the_guard_asks_only_where_the_end_of_the_dense_list_leaves_it_open() -> None:
    found = lists(depth=3, lexical="p x y", dense={"p": 1.0, "a": 0.96, "b": 0.9})
    result = screened(found, "p", 2, 3)
    assert not len(undecided(found, result, 0.9))  # whatever x and y score, it is 0.9 at most
    assert not len(undecided(found, result, math.inf))
    assert ids(found, undecided(found, result, 0.8)) == "x y"
    found.scores[DENSE][at(found, "x")] = 0.7  # looked up; y could not be
    kept = guard(found, result, 0.8)
    assert ids(found, kept.places) == "x" and kept.refused == {NEAR: 2, UNKNOWN: 1}
    assert ids(found, guard(found, result, 0.95).places) == "x b y"
    assert guard(found, result, math.nan).refused[UNKNOWN] + guard(found, result, math.nan).refused[NEAR] == 4
    none = lists(depth=3, lexical="p x y", dense="")
    assert ids(none, undecided(none, screened(none, "p", 2, 3), 0.8)) == "x y"


def test_drawing_depends_on_seed_and_query_alone() -> None:
    names = " ".join(f"n{number:02}" for number in range(40))
    found = lists(depth=50, dense=f"p {names}")
    result = screened(found, "p", 2, 50)

    def drawn(query: Query, seed: int) -> str:
        case = Candidates(query, found.ids, found.ranks, found.scores, found.depth)
        return ids(found, choose(case, result, 7, sampling="random", seed=seed, same_text={}).places)

    assert drawn(QUERY, 0) == drawn(QUERY._replace(text="muu", lang="th"), 0)
    assert len({drawn(QUERY, 0), drawn(QUERY, 1), drawn(QUERY._replace(id="r"), 0)}) == 3
    assert drawn(QUERY, 0).split() == sorted(drawn(QUERY, 0).split()) and len(set(drawn(QUERY, 0).split())) == 7
    assert ids(found, choose(found, result, 3, sampling="hardest", seed=0, same_text={}).places) == "n00 n01 n02"
    few = choose(found, result._replace(places=result.places[:4]), 7, sampling="random", seed=0, same_text={})
    assert ids(found, few.places) == "n00 n01 n02 n03"


@pytest.mark.parametrize("seed", range(30))
def test_all_rules_together_equal_a_plain_reading(seed: int) -> None:
    """Random lists and texts; every passage is judged on its own, by the words of the rules."""
    chance = random.Random(seed)
    depth, first, last, k = 20, chance.choice([1, 4, 8]), chance.choice([12, 20]), chance.choice([1, 3, 5])
    pool = [f"d{number:02}" for number in range(30)]
    scores = {side: {id: chance.uniform(-1, 1) for id in pool} for side in (LEXICAL, DENSE)}
    order = {side: sorted(pool, key=lambda id, side=side: -scores[side][id])[:depth] for side in scores}
    found = lists(depth, **{side: {id: scores[side][id] for id in order[side]} for side in order})
    rank = {side: {id: at for at, id in enumerate(order[side], 1)} for side in order}
    text = {id: chance.randrange(20) for id in pool}
    same_text = {id: its for id, its in text.items() if list(text.values()).count(its) > 1}

    def below(side: str, id: str) -> int:
        return rank[side].get(id, depth + 1)

    admitted = sorted(
        (id for id in pool if below(LEXICAL, id) <= k or below(DENSE, id) <= k),
        key=lambda id: (below(LEXICAL, id) + below(DENSE, id), id),
    )
    places = agreed(found, "union", k)
    assert ids(found, places).split() == admitted
    positives = admitted[:2]
    limit = min(scores[DENSE][id] for id in positives)
    limit -= 0.05 * abs(limit)
    expected = [
        id
        for id in pool
        if any(first <= below(side, id) <= last for side in order)
        and id not in admitted
        and text[id] not in {text[positive] for positive in positives}
        and all(below(side, id) >= first for side in order)
        and scores[DENSE][id] <= limit
    ]
    expected.sort(key=lambda id: (min(below(s, id) for s in order), sum(below(s, id) for s in order), id))
    once = [id for number, id in enumerate(expected) if text[id] not in {text[other] for other in expected[:number]}]

    result = screen(found, places[:2], places, window=(first, last), cross_list=True, same_text=same_text)
    found.scores[DENSE][:] = [scores[DENSE][id] for id in found.ids]  # all looked up
    result = guard(found, result, guard_limit(found.scores[DENSE][places[:2]], relative=0.05, absolute=None))
    result = choose(found, result, 99, sampling="random", seed=0, same_text=same_text)
    assert ids(found, result.places).split() == once
    assert result.seen == len(once) + sum(result.refused.values())


# -- texts ----------------------------------------------------------------------------------------------------


def test_equal_texts_whatever_their_titles_and_spaces() -> None:
    texts = {"a": ("T", "one two"), "b": ("", "one  two\n"), "c": ("one two", ""), "d": ("one", "two"), "e": ("", "")}
    groups = same_texts(Passage(id, "en", title, text) for id, (title, text) in texts.items())
    assert groups.keys() == {"a", "b", "c"} and len(set(groups.values())) == 1
    assert same_texts([]) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", EMPTY), ("\u202e\x00 ?!", EMPTY), ("x" * (QUERY_LIMIT + 1), LONG), ("漢\x00", ""), ("x" * QUERY_LIMIT, "")],
)
def test_queries_that_cannot_be_searched_with(text: str, reason: str) -> None:
    assert unfit(Query("q", "en", text)) == reason


@pytest.mark.parametrize(("right", "size"), [(0, 5), (5, 5), (3, 17), (900, 1000), (1, 1)])
def test_wilson_equals_scipys(right: int, size: int) -> None:
    expected = binomtest(right, size).proportion_ci(method="wilson")
    assert wilson(right / size, size) == pytest.approx((right / size, expected.low, expected.high), abs=1e-4)
    assert all(map(math.isnan, wilson(0.0, 0)))
