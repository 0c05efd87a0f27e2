"""Queries that get no list, and what the score stage cannot work with."""

from __future__ import annotations

from typing import Any

import pytest
from toy_generator import ToyWriters
from toy_indexes import LANGS, passages, publish, text_of, without
from toy_scoring import TEXTS, given, judge, pair, paired, queries

from mdr.core.mining import EMPTY, LONG, NO_PASSAGES, NOT_FOUND
from mdr.errors import InputError, MismatchError
from mdr.stages.score import FEW
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES
from mdr.storage.pairs import Pairs
from mdr.types import Query

__all__ = ["given"]  # fixtures


def test_queries_without_a_list_keep_their_reason(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    made, events = judge(store, without(given, "dense"), split="train")
    reasons = {each.query.id: each.rule for each in Pairs(made.folder).dropped()}
    odd = {id: reasons.pop(id) for id in ("empty", "long", "th", "other")}
    assert odd == {"empty": EMPTY, "long": LONG, "th": NO_PASSAGES, "other": NOT_FOUND}
    said = [event.message for event in events if event.kind == "warning"]
    assert said == [f"no lists in th: 1 {NO_PASSAGES}"]
    counts = made.manifest.counts
    assert counts["queries"] == len(queries()) - 1 == counts["lists"] + counts["dropped"]


def test_short_lists_are_told_and_can_be_dropped(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    words = without(given, "dense")
    made, events = judge(store, words, split="train", depth=50)
    sizes = {each.query.id: len(each.candidates) for each in Pairs(made.folder).lists()}
    (note,) = [event.message for event in events if event.kind == "note"]
    short = sum(size < 50 for size in sizes.values())
    assert note.startswith(
        f"{short} of {len(sizes)} lists have fewer than 50 candidates, the shortest {min(sizes.values())}"
    )
    middle = sorted(sizes.values())[len(sizes) // 2]
    longer, _ = judge(store, words, split="train", depth=50, at_least=middle)
    kept = {each.query.id for each in Pairs(longer.folder).lists()}
    assert kept == {id for id, size in sizes.items() if size >= middle} and len(kept) < len(sizes)
    assert {each.rule for each in Pairs(longer.folder).dropped() if each.query.id in sizes} == {FEW}
    with pytest.raises(InputError, match=r"score: none of 34 queries has candidates to judge: .*30 too few") as error:
        judge(store, words, split="train", depth=50, at_least=51)
    assert "at_least" in error.value.remedy


def test_a_score_that_is_no_number_stops_the_stage(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    before, _ = judge(store, given)
    engines = ToyWriters()
    engines.writer.likelihood = lambda query, passage: float("nan") if passage.id == "p05.fi" else 0.0  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"score: the generator scores passage 'p05.fi' nan for query") as error:
        judge(store, given, engines, depth=45)
    assert "MDR_PRECISION=float32" in error.value.remedy and "another generator" in error.value.remedy
    engines = ToyWriters()
    engines.open_dense(given["dense"].folder, given["collection"].folder, encoder="toy").score = lambda *_: float("nan")
    with pytest.raises(InputError, match=r"score: the dense index scores passage .* nan"):
        judge(store, given, engines, seed=1)
    assert [path.name for path in store.root.glob("pairs/[!.]*")] == [before.folder.name]


@pytest.mark.parametrize(
    ("lacks", "settings", "problem"),
    [
        (["lexical", "dense"], {}, "score: there are no candidates to score"),
        ([], {"split": "dev"}, "score: the queries have no split 'dev'; they have test, train"),
        ([], {"langs": ["ja"]}, "score: there are no queries in split 'all' and languages ja"),
        ([], {"langs": ["th"], "split": "train"}, "none of 1 queries has candidates to judge: 1 no passages"),
        ([], {"candidates": 2, "at_least": 3}, "candidates is 2, but lists need 3"),
        ([], {"depth": 1}, "'depth'"),
        ([], {"at_least": 1}, "'at_least'"),
        ([], {"langs": ["xx"]}, "'xx'"),
    ],
)
def test_settings_that_cannot_work_say_so(
    store: ArtefactStore, given: dict[str, Artefact], lacks: list[str], settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(Exception) as error:
        judge(store, without(given, *lacks), **settings)
    assert problem in str(error.value)
    assert not list(store.root.glob("pairs/[!.]*"))


def test_inputs_that_do_not_belong_together_are_refused(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    pairs = paired(store, [pair(1, "en", ("p01.en",), ("p02.en",))])
    for settings, slots in (({"split": "train"}, given), ({}, {**given, "queries": given["collection"]})):
        with pytest.raises(InputError, match="pairs bring their own queries"):
            judge(store, {**slots, "pairs": pairs}, **settings)
    fewer = publish(store, "collection", "fewer", {PASSAGES: passages()[:3], QUERIES: queries(), QRELS: []})
    with pytest.raises(MismatchError, match="is named, but the collection lacks it"):
        judge(store, {**given, "collection": fewer}, langs=["en"])
    empty = publish(store, "collection", "empty", {PASSAGES: [], QUERIES: queries(), QRELS: []})
    with pytest.raises(InputError, match="no passages"):
        judge(store, {**given, "collection": empty})


def test_queries_may_come_from_another_collection(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    asked = [("new.fi", "fi", " ".join(text_of(9, "fi").split()[:4]), "")]
    other = publish(store, "collection", "asked", {PASSAGES: [], QUERIES: asked, QRELS: []})
    made, events = judge(store, {**given, "queries": other}, langs=["fi", "ja"])
    (scored,) = Pairs(made.folder).lists()
    assert scored.query == Query(*asked[0][:3]) and scored.candidates[0] == "p09.fi"
    assert "there are no queries in ja" in [event.message for event in events if event.kind == "warning"]
    everywhere, _ = judge(store, {**without(given, "lexical"), "queries": other}, pool="all", depth=100)
    (scored,) = Pairs(everywhere.folder).lists()
    assert {TEXTS[id].lang for id in scored.candidates} == set(LANGS)
