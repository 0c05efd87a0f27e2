"""Language bias: by hand, and at its extremes."""

from __future__ import annotations

import math

import pytest

from mdr.core.bias import Cell, language_bias
from mdr.core.summary import bias_summary
from mdr.types import Hit

LANGS = {"q1": "fi", "q2": "en"}
QRELS = {"q1": {"a.fi": 2, "a.en": 2, "a.th": 2, "b.en": 1}, "q2": {"c.en": 1, "d.en": 1}}


def _lang(id: str) -> str:
    return id[-2:]


def _ranking(*ids: str) -> list[Hit]:
    return [Hit(id, -float(place)) for place, id in enumerate(ids)]


def test_by_hand() -> None:
    run = {"q1": _ranking("x.fi", "a.fi", "b.en", "a.en", "y.fi"), "q2": _ranking("d.en", "z.th", "c.en")}
    bias = language_bias(QRELS, run, LANGS, _lang, k=5)
    # q1 has parallel answers at 2 (fi), 4 (en) and not found (th): 6 by convention. b.en has a lower grade.
    # q2 has answers in one language only, so it has no spread.
    assert (bias.queries, bias.rank_spread, bias.missing) == (1, 4, pytest.approx(1 / 4))
    assert bias.same_language == pytest.approx((3 / 5 + 2 / 3) / 2)
    assert bias.matrix == {
        "en": {"en": Cell(1, 0, 1.0, 1.0)},
        "fi": {"en": Cell(1, 0, 4.0, 1 / 4), "fi": Cell(1, 0, 2.0, 1 / 2), "th": Cell(1, 1, 6.0, 0.0)},
    }


def test_a_system_blind_to_language_has_a_small_spread_and_one_that_sees_only_it_a_large() -> None:
    topics, langs = [f"t{number:02}" for number in range(20)], ("en", "fi", "th", "sw")
    qrels = {f"{topic}-{lang}": {f"{topic}.{each}": 1 for each in langs} for topic in topics for lang in langs}
    query_lang = {query: query[-2:] for query in qrels}

    def ranked(query: str, by_topic: bool) -> list[Hit]:
        """All passages of the topic first, or all of the query's language and then of each other one."""
        topic, lang = query.split("-")
        pool = [(each, other) for each in topics for other in langs]
        pool.sort(key=lambda p: (p[0] != topic, p[1] != lang) if by_topic else (p[1] != lang, p[1], p[0] != topic))
        return _ranking(*(".".join(passage) for passage in pool))

    blind = language_bias(qrels, {query: ranked(query, True) for query in qrels}, query_lang, _lang, k=100)
    seeing = language_bias(qrels, {query: ranked(query, False) for query in qrels}, query_lang, _lang, k=100)
    assert blind.rank_spread == len(langs) - 1 and blind.missing == 0
    assert seeing.rank_spread == 3 * len(topics) and seeing.same_language == 1 > blind.same_language
    assert all(row[lang].mrr == 1 for bias in (blind, seeing) for lang, row in bias.matrix.items())


def test_only_the_top_k_counts_and_only_the_top_ten_for_the_share() -> None:
    run = {
        "q1": _ranking(*(f"x{number}.fi" for number in range(10)), *(f"y{number}.en" for number in range(90)), "a.fi")
    }
    bias = language_bias({"q1": QRELS["q1"]}, run, LANGS, _lang, k=100)
    assert bias.same_language == 1.0 and bias.missing == 1.0 and bias.rank_spread == 0


def test_nothing_to_see_is_not_a_number_and_none_in_json() -> None:
    bias = language_bias({"q1": {}, "q2": {"a.en": 0}}, {}, LANGS, _lang, k=10)
    assert bias.queries == 0 and bias.matrix == {}
    assert all(map(math.isnan, (bias.rank_spread, bias.same_language, bias.missing)))
    assert bias_summary(bias) == {
        "k": 10,
        "queries": 0,
        "missing": None,
        "rank_spread": None,
        "same_language": None,
        "matrix": {},
    }


def test_a_query_that_found_nothing_has_no_share_but_its_answers_are_missing() -> None:
    bias = language_bias(QRELS, {"q2": _ranking("c.en")}, LANGS, _lang, k=10)
    assert bias.same_language == 1.0
    assert bias.matrix["fi"] == {lang: Cell(1, 1, 11.0, 0.0) for lang in ("en", "fi", "th")}
