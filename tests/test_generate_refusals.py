"""What the generate stage cannot make anything of, and what it says then."""

from __future__ import annotations

from typing import Any

import pytest
from toy_generator import ToyWriters, three_words
from toy_indexes import publish, without
from toy_writing import given, make, written

from mdr.core import filters
from mdr.core.filters import (
    COPIED,
    EMPTY,
    LANGUAGE,
    REPEATS,
    SHARED,
)
from mdr.errors import InputError
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES

__all__ = ["given"]  # fixtures


@pytest.mark.parametrize(
    ("writes", "reason", "remedy"),
    [
        (
            lambda passage, *_: three_words(passage, "zz", 0, 0).replace("zz", "en" if passage.lang != "en" else "fi"),
            LANGUAGE,
            "language",
        ),
        (lambda passage, *_: passage.text, COPIED, "max_copy"),
        (lambda passage, *_: "", EMPTY, "train the generator"),
        (lambda passage, *_: "is is is is", REPEATS, "max_repetition"),
        (lambda passage, lang, number, seed: f"is it so {number}", SHARED, "generator"),
    ],
)
def test_when_nothing_is_kept_the_error_says_why(
    store: ArtefactStore, given: dict[str, Artefact], writes: Any, reason: str, remedy: str
) -> None:
    before, _ = make(store, given)
    with pytest.raises(InputError, match=r"^generate: none of 360 questions stood up to the filters: ") as error:
        make(store, given, written(writes), seed=9, round_trip="lexical")
    assert reason in error.value.problem and remedy in error.value.remedy
    assert error.value.remedy == filters.REASONS[reason]
    assert [path.name for path in store.root.glob("pairs/[!.]*")] == [before.folder.name]
    assert store.verify(before.folder) == []


def test_a_language_without_pairs_is_a_warning(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = written(lambda passage, *rest: "" if passage.lang == "sw" else three_words(passage, *rest))
    _, events = make(store, given, engines)
    assert [event.message for event in events if event.kind == "warning"] == ["no pairs in sw: 120 nothing written"]


def test_scores_that_are_no_numbers_stop_the_stage(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = ToyWriters()
    engines.writer.likelihood = lambda query, passage: float("nan")  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"generate: the generator scores passage 'p00.en' nan") as error:
        make(store, given, engines)
    assert "MDR_PRECISION" in error.value.remedy
    engines = ToyWriters()
    engines.open_dense(given["dense"].folder, given["collection"].folder, encoder="toy").score = lambda *_: float("nan")
    with pytest.raises(InputError, match=r"generate: the dense index scores passage .* nan"):
        make(store, given, engines)
    assert not list(store.root.glob("pairs/[!.]*"))


@pytest.mark.parametrize(
    ("lacks", "settings", "problem"),
    [
        (["dense"], {}, "round_trip 'union' needs a dense index, which is not given"),
        (["lexical", "dense"], {}, "needs a lexical and a dense index"),
        (["dense"], {"round_trip": "dense"}, "needs a dense index"),
        ([], {"selection": "coverage"}, "selection 'coverage' goes by pairs, and none are given"),
        ([], {"langs": ["ja"]}, "no passages to write for; languages with passages: en, fi, sw"),
        ([], {"langs": ["xx"]}, "'xx'"),
        ([], {"target": ["xx"]}, "'xx'"),
        ([], {"target": []}, "'target': Value error, it names no language"),
        ([], {"target": "fi"}, "it is 'fi'; it should be own, other, or a list"),
        ([], {"n": 0}, "'n'"),
        ([], {"k": 101}, "'k'"),
        ([], {"max_characters": 10**6}, "'max_characters'"),
        ([], {"round_trip": "both"}, "'round_trip'"),
        ([], {"weight": float("nan")}, "'weight'"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_written(
    store: ArtefactStore, given: dict[str, Artefact], lacks: list[str], settings: dict[str, Any], problem: str
) -> None:
    engines = ToyWriters()
    with pytest.raises(Exception) as error:
        make(store, without(given, *lacks), engines, **settings)
    assert problem in str(error.value)
    assert engines.writer.written == [] and not list(store.root.glob("pairs/[!.]*"))


def test_an_empty_collection_is_refused(store: ArtefactStore) -> None:
    empty = publish(store, "collection", "empty", {PASSAGES: [], QUERIES: [], QRELS: []})
    with pytest.raises(InputError, match="languages with passages: none"):
        make(store, {"collection": empty}, round_trip="none")
