"""Importing: everything is counted, nothing disappears silently, and equal files make equal collections."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from streams import ended

from mdr import pipeline
from mdr.errors import FormatError, InputError
from mdr.formats import FORMATS, export_collection
from mdr.recipes import baselines
from mdr.stages.prepare import Prepare, PrepareSettings
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import Collection
from mdr.types import Event

SHARED = Path(os.environ.get("MDR_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


def lines(path: Path, *rows: Mapping[str, Any] | str) -> None:
    """A file of lines; rows that are no text are written as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")


def passage(id: str, text: str, lang: str = "fi", **more: str) -> dict[str, str]:
    return {"id": id, "lang": lang, "text": text, **more}


def prepared(store: ArtefactStore, format: str, path: Path, **options: Any) -> tuple[Artefact, list[Event]]:
    """Import through the pipeline, as every caller does."""
    recipe = pipeline.Recipe("c", (baselines.prepare(format, str(path), **options),))
    made, events = ended(pipeline.run(recipe, store, None, "c"))  # type: ignore[arg-type]
    return made[baselines.COLLECTION], events


def test_counts_say_what_came_in_and_what_did_not(tmp_path: Path, store: ArtefactStore) -> None:
    data = tmp_path / "data"
    lines(
        data / "corpus.jsonl",
        passage("1", "a"),
        passage("1", "a"),
        passage("2", "a", lang="Finnish"),
        passage("3", " \u3000", title=""),
        passage("4", "", title="only a title", lang="th"),
    )
    lines(data / "queries.jsonl", passage("q", "who", answers="x"), passage("r", " "))
    lines(data / "qrels.test.tsv", "q 0 1 2", "q 0 1 2", "q 0 3 1", "q 0 77 1", "r 0 1 1", "s 0 1 1", "s 0 2 1")
    lines(data / "notes.txt", "mine")
    made, events = prepared(store, "folder", data)
    assert made.manifest.counts == {
        "passages": 3,
        "queries": 1,
        "qrels": 3,
        "languages": ["fi", "th"],
        "passages_by_language": {"fi": 2, "th": 1},
        "queries_by_language": {"fi": 1},
        "queries_by_split": {"": 1},
        "qrels_by_split": {"test": 3},
        "empty_passages": 1,
        "empty_queries": 1,
        "duplicates": 2,
        "duplicate_texts": 1,
        "dangling_passages": 2,
        "dangling_queries": 2,
        "dangling_qrels": 5,
    }
    report = json.loads((made.folder / "report.json").read_text())
    assert report["dangling_passages, first 10"] == ["3", "77"]
    assert report["dangling_queries, first 10"] == ["r", "s"]
    assert report["unread files"] == ["data/notes.txt"]
    warnings = [event.message for event in events if event.kind == "warning"]
    assert any("2 graded passages are not in the collection" in warning and "77" in warning for warning in warnings)
    collection = Collection(made.folder)
    assert collection.ids == ["1", "2", "4"]
    assert collection.qrels("test") == {"q": {"1": 2, "3": 1, "77": 1}}


CONTRADICTIONS = [
    ("corpus.jsonl", passage("1", "other"), "passage '1' came before with another text"),
    ("corpus.jsonl", passage("1", "a", lang="th"), "passage '1' came before with another text"),
    ("queries.jsonl", passage("q", "other"), "query 'q' came before with another text"),
    ("qrels.tsv", "q 0 1 2", "query 'q', passage '1' has grade 2, and 1 before"),
]


@pytest.mark.parametrize(("name", "row", "problem"), CONTRADICTIONS)
def test_contradictions_stop_the_import_at_their_line(
    tmp_path: Path, store: ArtefactStore, name: str, row: Mapping[str, str] | str, problem: str
) -> None:
    files: dict[str, list[Mapping[str, str] | str]] = {
        "corpus.jsonl": [passage("1", "a")],
        "queries.jsonl": [passage("q", "who")],
        "qrels.tsv": ["q 0 1 1"],
    }
    files[name].append(row)
    for file, rows in files.items():
        lines(tmp_path / "data" / file, *rows)
    with pytest.raises(FormatError) as caught:
        prepared(store, "folder", tmp_path / "data")
    assert caught.value.problem == f"{tmp_path / 'data' / name}:2: {problem}" or problem in caught.value.problem
    assert caught.value.line == 2 and caught.value.remedy
    assert not list(store.all())


def test_texts_are_kept_as_they_are(tmp_path: Path, store: ArtefactStore) -> None:
    text = "e\u0301 \u200f\x00\t \ufeff\u2028  two spaces"  # decomposed, directed, controlled
    lines(tmp_path / "data" / "corpus.jsonl", passage("1", text, title="\n", twin="t"))
    made, _ = prepared(store, "folder", tmp_path / "data")
    assert next(Collection(made.folder).passages()) == ("1", "fi", "\n", text, "t")


def test_the_same_files_are_reused_wherever_they_lie(tmp_path: Path, store: ArtefactStore) -> None:
    for place in ("here", "there"):
        lines(tmp_path / place / "data" / "corpus.jsonl", passage("1", "a"))
    first, _ = prepared(store, "folder", tmp_path / "here" / "data")
    again, events = prepared(store, "folder", tmp_path / "there" / "data")
    assert (again.key, events[0].kind) == (first.key, "reused")
    lines(tmp_path / "there" / "data" / "corpus.jsonl", passage("1", "b"))
    other, _ = prepared(store, "folder", tmp_path / "there" / "data")
    assert other.key != first.key
    named, _ = prepared(store, "folder", tmp_path / "here" / "data", splits=["dev"])
    assert named.key != first.key
    assert list(pipeline.verify(store))[-1].data["problems"] == 0


def test_files_that_change_while_they_are_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    lines(data / "corpus.jsonl", passage("1", "a"))
    read = FORMATS["folder"].read

    def meddled(*arguments: Any) -> Iterator[Any]:
        yield from read(*arguments)
        lines(data / "corpus.jsonl", passage("1", "b"), passage("2", "c"))

    monkeypatch.setitem(FORMATS, "folder", _with_read(FORMATS["folder"], meddled))
    with pytest.raises(FormatError, match="changed while it was read"):
        prepared(ArtefactStore(tmp_path / "store"), "folder", data)


def _with_read(format: Any, read: Any) -> Any:
    from dataclasses import replace

    return replace(format, read=read)


def test_a_build_that_was_stopped_starts_over(tmp_path: Path, store: ArtefactStore) -> None:
    data = tmp_path / "data"
    lines(data / "corpus.jsonl", *(passage(str(number), f"text {number}") for number in range(12_000)))
    recipe = pipeline.Recipe("c", (baselines.prepare("folder", str(data)),))
    running = pipeline.run(recipe, store, None)  # type: ignore[arg-type]
    kinds = [next(running).kind, next(running).kind]
    running.close()
    assert kinds == ["started", "progress"]
    assert not list(store.all())
    made, _ = prepared(store, "folder", data)
    assert made.manifest.counts["passages"] == len(Collection(made.folder)) == 12_000


def test_answers_come_along(tmp_path: Path, store: ArtefactStore) -> None:
    row = {"id": "5", "question": "kuka", "lang": "fi", "answers": ["Aino", "Ainon"], "split": "dev"}
    lines(tmp_path / "x.jsonl", row, {**row, "id": "6", "answers": []})
    made, _ = prepared(store, "xor", tmp_path / "x.jsonl")
    assert Collection(made.folder).answers == {"5": ("Aino", "Ainon")}


def test_a_query_in_two_splits_is_one_query_of_both(tmp_path: Path, store: ArtefactStore) -> None:
    for split in ("dev", "test"):
        lines(tmp_path / "data" / f"queries.{split}.jsonl", passage("q", "who"))
    made, _ = prepared(store, "folder", tmp_path / "data")
    collection = Collection(made.folder)
    assert made.manifest.counts["queries"] == len(collection.queries()) == 1
    assert [len(collection.queries(split)) for split in ("dev", "test", "train")] == [1, 1, 0]


def test_a_split_that_nothing_is_of_is_said(tmp_path: Path, store: ArtefactStore) -> None:
    lines(tmp_path / "data" / "corpus.jsonl", passage("1", "a"))
    _, events = prepared(store, "folder", tmp_path / "data", splits=["tset"])
    assert "there are no queries or grades of split 'tset'" in [event.message for event in events]


def test_an_exported_collection_imports_as_it_was(tmp_path: Path, store: ArtefactStore, tiny: Path) -> None:
    first, _ = prepared(store, "folder", tiny)
    assert export_collection(Collection(first.folder), "folder", tmp_path / "out") == []
    again, _ = prepared(store, "folder", tmp_path / "out")
    assert again.manifest.content == first.manifest.content
    assert export_collection(Collection(first.folder), "beir", tmp_path / "beir") == ["splits of queries"]
    assert export_collection(Collection(first.folder), "dpr", tmp_path / "dpr") == ["twins"]


def test_unknown_formats_and_missing_folders(tmp_path: Path, store: ArtefactStore) -> None:
    with pytest.raises(InputError, match="there is no format 'words'"):
        prepared(store, "words", tmp_path)
    with pytest.raises(FormatError, match="does not exist"):
        prepared(store, "folder", tmp_path / "nowhere")


def test_settings_leave_out_where_files_lie() -> None:
    stage = Prepare(PrepareSettings(format="folder", path="/somewhere"))
    assert "path" not in stage.hashed_settings()


IMPORTED = [
    ("tydi11", {"splits": ["dev", "test"]}, (41699, 16942, 16965), 11),
    ("tydi11/ja", {}, (23709, 40105, 40116), 1),
    ("xquad-dev", {}, (1440, 7344, 95472), 12),
    ("xquad-r-dev", {}, (6589, 6732, 80784), 11),
]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no shared data at {SHARED}; set MDR_SHARED_DATA")
@pytest.mark.parametrize(("path", "options", "counts", "languages"), IMPORTED)
def test_real_collections(
    store: ArtefactStore, path: str, options: dict[str, Any], counts: tuple[int, int, int], languages: int
) -> None:
    made, _ = prepared(store, "folder", SHARED / path, **options)
    found = made.manifest.counts
    assert (found["passages"], found["queries"], found["qrels"]) == counts
    assert len(found["languages"]) == languages
    assert found["dangling_qrels"] == 0
