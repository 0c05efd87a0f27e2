"""What the mine stage takes in: queries without a pair, other collections, single indexes, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy_indexes import ToyEngines, passages, publish, queries, text_of, without
from toy_mining import given, given_in, mine

from mdr.core.mining import EMPTY, LONG, NO_AGREEMENT, NO_PASSAGES, NOT_FOUND
from mdr.errors import InputError, MismatchError, MissingError
from mdr.services.training_data.reports import load
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES
from mdr.storage.pairs import PAIRS, Pairs

__all__ = ["given"]  # fixtures


def test_queries_without_a_pair_are_kept_with_their_reason(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    made, _ = mine(store, given)
    dropped = {pair.query.id: pair for pair in Pairs(made.folder).dropped()}
    reasons = {id: dropped[id].rule for id in ("empty", "long", "th", "other")}
    assert reasons == {"empty": EMPTY, "long": LONG, "th": NO_PASSAGES, "other": NO_AGREEMENT}
    assert dropped["other"].positives and dropped["other"].evidence["positives"][0]["dense"]["rank"] == 1
    assert dropped["empty"].evidence["fingerprints"]["encoder"] == "toy 0"
    counts = made.manifest.counts
    assert counts["queries"] == len(queries()) - 1 == counts["pairs"] + counts["dropped"]
    words, _ = mine(store, without(given, "dense"), rule="lexical", langs=["fi"])
    assert {pair.rule for pair in Pairs(words.folder).dropped()} == {NOT_FOUND}


def test_queries_may_come_from_another_collection(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    asked = [("new.fi", "fi", " ".join(text_of(9, "fi").split()[:4]), "")]
    grades = [("new.fi", "p09.fi", 1, "")]
    other = publish(store, "collection", "asked", {PASSAGES: [], QUERIES: asked, QRELS: grades})
    made, _ = mine(store, {**given, "queries": other}, split="")
    (pair,) = Pairs(made.folder)
    assert (pair.query.id, pair.positives) == ("new.fi", ("p09.fi",))
    assert load(made)["all"]["precision"]["mean"] == 1


def test_one_index_is_enough_for_its_own_rule(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    words, events = mine(store, without(given, "dense"), rule="lexical")
    assert any(event.kind == "warning" and "not guarded" in event.message for event in events)
    pair = next(iter(Pairs(words.folder)))
    assert pair.evidence["fingerprints"] == {"lexical": "words", "analyzers": "a"}
    assert set(pair.evidence["positives"][0]) == {"lexical", "lists"}
    meaning, events = mine(store, without(given, "lexical"), rule="dense")
    assert not any("guarded" in event.message for event in events)
    assert set(next(iter(Pairs(meaning.folder))).evidence["negatives"][0]) == {"dense"}


@pytest.mark.parametrize(
    ("lacks", "settings", "index"),
    [
        ("dense", {}, "a dense index"),
        ("lexical", {}, "a lexical index"),
        ("dense", {"rule": "lexical", "reciprocal": 1}, "a dense index"),
        ("lexical", {"rule": "union"}, "a lexical index"),
    ],
)
def test_a_rule_without_its_index_is_refused(
    store: ArtefactStore, given: dict[str, Artefact], lacks: str, settings: dict[str, Any], index: str
) -> None:
    with pytest.raises(InputError, match=f"^mine: .*needs {index}, which is not given"):
        mine(store, without(given, lacks), **settings)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"split": "dev"}, "no split 'dev'; they have test, train"),
        ({"langs": ["ja"]}, "no queries in split 'train' and languages ja; languages with queries: en, fi, sw, th"),
        ({"langs": ["th"]}, "none of 1 queries gave a pair: 1 no passages in its language"),
        ({"last": 30}, "last is 30, but lists end at rank 20"),
        ({"k_positive": 21}, "k_positive is 21, but lists end at rank 20"),
        ({"first": 20, "last": 10}, "from rank 20"),
        ({"rule": "vote"}, "'rule'"),
        ({"relative_margin": float("nan")}, "'relative_margin'"),
    ],
)
def test_settings_that_cannot_work_say_so(
    store: ArtefactStore, given: dict[str, Artefact], settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises((InputError, MissingError)) as error:
        mine(store, given, **settings)
    assert problem in error.value.problem and error.value.remedy
    assert not list(store.root.glob("pairs/[!.]*"))


def test_a_language_without_queries_or_pairs_is_a_warning(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    _, events = mine(store, given, langs=["fi", "th", "ja"])
    said = [event.message for event in events if event.kind == "warning"]
    assert said == ["there are no queries in ja", "no pairs in th: 1 no passages in its language"]


def test_a_score_that_is_no_number_stops_the_stage(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = ToyEngines()
    engines.open_dense(given["dense"].folder, given["collection"].folder, encoder="toy").score = lambda *_: float("nan")
    with pytest.raises(InputError, match=r"mine: the dense index scores passage .* nan"):
        mine(store, given, engines)
    assert not list(store.root.glob("pairs/[!.]*"))


def test_indexes_of_another_collection_are_refused(store: ArtefactStore) -> None:
    given = given_in(store)
    fewer = publish(store, "collection", "fewer", {PASSAGES: passages()[:3], QUERIES: queries(), QRELS: []})
    with pytest.raises(MismatchError, match="passages that the collection lacks"):
        mine(store, {**given, "collection": fewer}, langs=["en"])
    empty = publish(store, "collection", "empty", {PASSAGES: [], QUERIES: queries(), QRELS: []})
    with pytest.raises(InputError, match="no passages"):
        mine(store, {**given, "collection": empty})


def test_a_killed_build_begins_again_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight, killed = ArtefactStore(tmp_path / "straight"), ArtefactStore(tmp_path / "killed")
    expected, _ = mine(straight, given_in(straight))
    given = given_in(killed)
    monkeypatch.setattr("mdr.stages.mine.mining_report", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        mine(killed, given)
    assert list(killed.root.glob(f"pairs/.*/{PAIRS}"))
    monkeypatch.undo()
    assert mine(killed, given)[0].manifest.content == expected.manifest.content
