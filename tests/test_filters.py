"""The rules that written questions must stand up to, on texts by hand and against plain definitions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdr.core.filters import (
    COPIED,
    EMPTY,
    LANGUAGE,
    LONG,
    OUTGROWN,
    REASONS,
    REPEATS,
    SHORT,
    Asked,
    Limits,
    again,
    best_of_same,
    copied,
    percentiles,
    read,
    repeated,
    stuttered,
    text_fault,
    words,
)
from mdr.types import Query

LIMITS = Limits(language=True, min_tokens=2, max_characters=60, max_copy=0.8, max_repetition=0.3)
NILE = words("Nile\nThe Nile flows through Cairo to the sea, past farms and temples.")
few_words = st.lists(st.sampled_from("abc"), max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who — if anyone — said 'no'?", ["who", "if", "anyone", "said", "no"]),
        ("O'Brien's e-mail", ["o'brien's", "e-mail"]),
        ("ΠΟΙΟΣ;", ["ποιοσ"]),
        ("কে লিখেছেন?", ["কে", "লিখেছেন"]),
        ("ナイル川は、どこ？", list("ナイル川はどこ")),
        ("Nile川", ["nile", "川"]),
        ("?!\u202e …\x00\ud800", []),
        ("", []),
    ],
)
def test_words_are_what_is_compared(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_question_is_measured_against_its_passage() -> None:
    seen = read(Query("q", "en", "What flows through Cairo to the sea?"), NILE, "en", "en")
    assert (seen.copied, seen.repeated, len(seen.words), seen.passage_words) == (6 / 7, 0.0, 7, 13)
    assert not read(Query("q", "fi", "Niili"), NILE, "en", "").same_language


@given(few_words, few_words)
def test_the_copied_stretch_is_the_longest_there_is(question: list[str], passage: list[str]) -> None:
    def stretches(of: list[str]) -> set[tuple[str, ...]]:
        return {tuple(of[start:end]) for start in range(len(of)) for end in range(start, len(of) + 1)}

    longest = max(map(len, stretches(question) & stretches(passage)), default=0)
    assert copied(question, passage) == longest / max(1, len(question))


def test_part_of_a_word_is_no_copy() -> None:
    assert copied(["nil", "e"], ["nile", "es"]) == 0


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("Je, elektroni ni nini?", 0),
        ("Oranko orang-orang ja bora bora?", 0),
        ("who wrote knock knock knockin' on heaven's door", 0.375),
        ("sema sema semaulterulterulter", 1),
        ("딱딱딱 므밸", 0.6),
        ("तर तर तर क्या", 0.5),
        ("what is nini ni nini ni?", 0.6),
        ("", 0),
    ],
)
def test_pieces_said_again_and_again_are_a_stutter(text: str, share: float) -> None:
    assert stuttered(text) == pytest.approx(share, abs=0.1)
    seen = read(Query("q", "en", text), [], "en", "en")
    assert seen.repeated >= stuttered(text)


@given(st.lists(st.sampled_from("ab"), max_size=9))
def test_repetition_counts_pairs_of_words_that_came_before(question: list[str]) -> None:
    pairs = list(pairwise(question))
    before = sum(pair in pairs[:at] for at, pair in enumerate(pairs))
    assert repeated(question) == pytest.approx(before / max(1, len(pairs)))


@pytest.mark.parametrize(
    ("text", "guess", "reason"),
    [
        ("Which river flows past temples?", "en", ""),
        ("Which river flows past temples?", "", ""),
        ("Which river flows past temples?", "fi", LANGUAGE),
        ("  ", "en", EMPTY),
        ("?\u202e…", "fi", EMPTY),
        ("Where?", "en", SHORT),
        ("Which " + "long " * 12 + "river?", "en", LONG),
        ("a b c d e f g h i j k l m n", "en", OUTGROWN),
        ("The Nile flows through Cairo?", "en", COPIED),
        ("Nile nile nile nile nile", "en", REPEATS),
    ],
)
def test_the_first_rule_that_is_broken_is_the_reason(text: str, guess: str, reason: str) -> None:
    question = Query("q", "en", text)
    assert text_fault(question, read(question, NILE, "en", guess), LIMITS) == reason


def test_rules_can_be_left_out() -> None:
    none = Limits(language=False, min_tokens=1, max_characters=4_000, max_copy=1, max_repetition=1)
    for text in ("The Nile flows through Cairo", "nile nile nile", "Where?"):
        question = Query("q", "en", text)
        assert text_fault(question, read(question, NILE, "en", "fi"), none) == ""


def test_a_question_in_another_language_may_be_longer_than_its_passage() -> None:
    question = Query("q", "en", "Which river flows through Cairo?")
    assert text_fault(question, read(question, words("ナイル川"), "ja", "en"), LIMITS) == ""


def test_every_reason_has_a_remedy() -> None:
    assert all(len(remedy) > 10 for remedy in REASONS.values())


@given(st.lists(st.tuples(st.sampled_from(["en", "fi"]), few_words, st.integers(-3, 0)), max_size=20))
def test_of_equal_questions_the_likeliest_stays(rows: list[tuple[str, list[str], int]]) -> None:
    asked = [Asked(lang, its, float(likelihood)) for lang, its, likelihood in rows]
    kept = best_of_same(asked)
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, (lang, its, _) in enumerate(rows):
        groups.setdefault((lang, *its), []).append(place)
    for places in groups.values():
        best = max(places, key=lambda place: (rows[place][2], -place))
        assert [place for place in places if kept[place]] == [best]
        assert [again(asked)[place] for place in places] == [False] + [True] * (len(places) - 1)


def test_percentiles_are_midranks() -> None:
    assert percentiles(np.array([-1.0, -3.0, -1.0, -2.0])).tolist() == [75.0, 12.5, 75.0, 37.5]
    assert percentiles(np.array([-9.0])).tolist() == [50.0]
    assert percentiles(np.array([])).tolist() == []
    assert (percentiles(np.arange(200.0)) < 10).sum() == 20


@given(st.text(max_size=80))
def test_any_text_can_be_judged(text: str) -> None:
    question = Query("q", "en", text)
    seen = read(question, words(text[::-1]), "en", "")
    assert 0 <= seen.copied <= 1 and 0 <= seen.repeated <= 1
    text_fault(question, seen, LIMITS)


def test_long_texts_take_no_time() -> None:
    question = Query("q", "en", "word " * 20_000 + "\ud800" + "x" * 100_000)
    seen = read(question, words("word " * 30_000), "en", "en")
    assert seen.copied == 1 and seen.characters > 200_000
    assert text_fault(question, seen, LIMITS) == LONG
