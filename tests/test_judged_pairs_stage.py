"""The stage that makes training pairs of judgements: by policy, with their weight and where they are from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_indexes import carry_out, publish

from mdr.errors import InputError, MissingError, StorageError
from mdr.services.exports import export_judgements
from mdr.services.judging.service import JudgingService
from mdr.stages.judged_pairs import GONE, NO_ANSWER, OPEN
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES
from mdr.storage.judgement_files import write_snapshot
from mdr.storage.judgements import JudgementStore
from mdr.storage.pairs import Pairs
from mdr.types import Event, Passage, Query

NILE, COFFEE = Query("nile", "en", "which river flows through Cairo"), Query("", "fi", "mistä kahvi tulee")
TEXTS = {id: Passage(id, "en", "", f"text of {id}") for id in ("a", "b", "c", "d")}


@pytest.fixture
def collection(store: ArtefactStore) -> Artefact:
    files = {PASSAGES: list(TEXTS.values()), QUERIES: [], QRELS: []}
    return publish(store, "collection", "c", files)


@pytest.fixture
def judging(tmp_path: Path) -> Iterator[JudgingService]:
    judgements = JudgementStore(tmp_path / "judgements.duckdb")
    yield JudgingService(judgements)
    judgements.close()


def judge(judging: JudgingService, query: Query = NILE, **grades: dict[str, int]) -> None:
    """Grades by judge and passage."""
    for annotator, its in grades.items():
        for id, grade in its.items():
            judging.grade(annotator, "rivers", query, TEXTS.get(id, Passage(id, "en", "", "gone")), grade)


def exported(judging: JudgingService, folder: Path, name: str = "j.parquet") -> Path:
    export_judgements(judging, "rivers", folder / name, every=True)
    return folder / name


def make(store: ArtefactStore, collection: Artefact, path: Path, **settings: Any) -> tuple[Artefact, list[Event]]:
    values = {"path": str(path), "name": "rivers"} | settings
    return carry_out("judged-pairs", store, {"collection": collection}, None, values)


def test_grades_become_pairs(
    store: ArtefactStore, collection: Artefact, judging: JudgingService, tmp_path: Path
) -> None:
    judge(judging, ann={"a": 3, "b": 2, "c": 0, "d": 1}, bob={"a": 2, "c": 0})
    judge(judging, COFFEE, ann={"d": 3})
    judging.grade("ann", "another", NILE, TEXTS["d"], 3)
    made, _ = make(store, collection, exported(judging, tmp_path), weight=2.5)
    read = Pairs(made.folder)
    coffee, nile = sorted(read, key=lambda pair: pair.query.lang, reverse=True)
    assert nile.query == NILE and nile.positives == ("a", "b") and nile.negatives == ("c",), "a 1 is neither"
    assert (nile.origin, nile.weight, nile.rule) == ("judged", 2.5, "majority of judges")
    assert nile.evidence["grades"] == {"a": [2, 3], "b": [2], "c": [0, 0]} and nile.evidence["judges"] == 2
    events = {event.event: event for event in judging.store.history("rivers")}
    assert [events[id].passage for id in nile.evidence["events"]] == ["a", "a", "b", "c", "c"]
    assert "ann" not in str(nile.evidence), "who judged stays in the judgement file"
    assert coffee.query.text == COFFEE.text and coffee.query.id.startswith("typed-") and coffee.positives == ("d",)
    assert read.passages == TEXTS
    assert made.manifest.counts == {"pairs": 2, "dropped": 0, "lists": 0, "passages": 4}
    assert not list(made.folder.glob(".*"))


def test_what_was_taken_back_does_not_count(
    store: ArtefactStore, collection: Artefact, judging: JudgingService, tmp_path: Path
) -> None:
    judge(judging, ann={"a": 0, "b": 3})
    judge(judging, ann={"a": 3})
    judging.grade("ann", "rivers", NILE, TEXTS["b"], None)
    made, _ = make(store, collection, exported(judging, tmp_path))
    [pair] = Pairs(made.folder)
    assert pair.positives == ("a",) and pair.negatives == ()


def test_reasons_are_kept(
    store: ArtefactStore, collection: Artefact, judging: JudgingService, tmp_path: Path
) -> None:
    judge(judging, ann={"a": 3, "b": 3, "lost": 3}, bob={"a": 3, "b": 0, "lost": 3})
    judge(judging, COFFEE, ann={"d": 1}, bob={"d": 1})
    made, events = make(store, collection, exported(judging, tmp_path), policy="adjudicated")
    read = Pairs(made.folder)
    [pair] = read
    assert pair.positives == ("a",)
    dropped = {each.rule: each.positives for each in read.dropped()}
    assert dropped == {OPEN: ("b",), GONE: ("lost",), NO_ANSWER: ("d",)}
    assert {event.message for event in events if event.kind == "note"} == {
        f"1 left out: {reason}" for reason in (OPEN, GONE, NO_ANSWER)
    }
    loose, _ = make(store, collection, tmp_path / "j.parquet", policy="strictest", answer=1, wrong=0)
    assert {pair.positives for pair in Pairs(loose.folder)} == {("a",), ("d",)}
    assert [pair.negatives for pair in Pairs(loose.folder) if pair.query == NILE] == [("b",)]


def test_equal_exports_give_equal_pairs(
    store: ArtefactStore, collection: Artefact, judging: JudgingService, tmp_path: Path
) -> None:
    judge(judging, ann={"a": 3})
    first, _ = make(store, collection, exported(judging, tmp_path))
    same, events = make(store, collection, exported(judging, tmp_path, "again.parquet"))
    assert same.key == first.key and [event.kind for event in events] == ["reused"]
    snapshot, _ = make(store, collection, write_snapshot(judging.store, tmp_path / "snapshots"))
    assert snapshot.manifest.content == first.manifest.content
    judge(judging, ann={"b": 0})
    more, _ = make(store, collection, exported(judging, tmp_path, "more.parquet"))
    assert more.key != first.key and more.manifest.content != first.manifest.content


def test_a_killed_try_leaves_nothing_behind(
    store: ArtefactStore, collection: Artefact, judging: JudgingService, tmp_path: Path
) -> None:
    judge(judging, ann={"a": 3})
    path = exported(judging, tmp_path)
    made, _ = make(ArtefactStore(tmp_path / "other"), collection, path)
    draft = store.root / "pairs" / f".{made.manifest.recipe}.building"
    draft.mkdir(parents=True)
    (draft / ".judgements.duckdb").write_bytes(b"half a file")
    again, _ = make(store, collection, path)
    assert again.manifest.content == made.manifest.content


def test_what_makes_no_sense_is_said(
    store: ArtefactStore, collection: Artefact, judging: JudgingService, tmp_path: Path
) -> None:
    judge(judging, ann={"a": 1, "lost": 3})
    path = exported(judging, tmp_path)
    with pytest.raises(MissingError, match="there is no file"):
        make(store, collection, tmp_path / "none.parquet")
    with pytest.raises(MissingError, match=r"nobody judged a collection named 'lakes'.*there are: rivers"):
        make(store, collection, path, name="lakes")
    with pytest.raises(InputError, match=f"none of 1 judged queries gives a pair: 1 {GONE}, 1 {NO_ANSWER}"):
        make(store, collection, path)
    with pytest.raises(InputError, match="grade 2 would be wrong, and an answer from 2 on"):
        make(store, collection, path, wrong=2)
    with pytest.raises(InputError, match="policies are majority"):
        make(store, collection, path, policy="loudest")
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(InputError, match="cannot be read"):
        make(store, collection, tmp_path / "text.parquet")
    snapshot = write_snapshot(judging.store, tmp_path / "snapshots")
    snapshot.write_bytes(snapshot.read_bytes() + b" ")
    with pytest.raises(StorageError, match=r"snapshot|checksum"):
        make(store, collection, snapshot)
