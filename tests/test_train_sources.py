"""What the train stage learns from: pairs, lists and texts of every kind, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from encoder_training import bert, settings, static, texts_artefact, train
from streams import ended
from training_stage import WORDS, Folders, given, pairs

from mdr import pipeline
from mdr.errors import FormatError, InputError, MissingError
from mdr.pipeline import Recipe, Step
from mdr.storage.artefacts import ArtefactStore
from mdr.storage.pairs import Pair, Pairs, PairWriter, Scored
from mdr.training.texts import load_texts
from mdr.types import Passage, Query

__all__ = ["bert", "static"]  # fixtures


def test_every_kind_of_source_is_drawn_from(store: ArtefactStore, tmp_path: Path, bert: Path) -> None:
    scored = tmp_path / "s"
    scored.mkdir()
    with PairWriter(scored) as writer:
        for number in range(4):
            writer.passages(Passage(f"c{number}{place}", "en", "", f"{WORDS[number]} {place}") for place in range(3))
            ids = tuple(f"c{number}{place}" for place in range(3))
            writer.score(Scored(Query(f"q{number}", "en", WORDS[number]), ids, (-1.0, -2.0, -3.0)))
    objectives = [
        {"loss": "contrast", "batch": 4, "sources": {"labelled": 1.0, "mined": 2.0}},
        {"loss": "listwise", "batch": 2, "sources": {"scored": 1.0}, "teacher_scale": 10, "whole_batch": True},
        {"loss": "semantic", "batch": 6, "sources": {"translation": 1.0}, "weight": 0.1},
        {"loss": "language", "batch": 6, "sources": {"language": 1.0}, "weight": 0.1},
    ]
    values = settings(bert, objectives=objectives, sources={"candidates": 2, "holdout": 0.4, "negatives": 1})
    _, events = train(
        store,
        values,
        labelled=given(store, pairs(tmp_path / "p")),
        mined=given(store, pairs(tmp_path / "m", origin="mined")),
        scored=given(store, scored),
        texts=texts_artefact(store, tmp_path),
    )
    losses: set[str] = set()
    for event in events:
        losses |= set(event.data.get("losses", ()))
    assert losses >= {"loss", "listwise scored", "semantic translation", "language language", "contrast labelled+mined"}
    assert any("dev" in event.data for event in events), "held-out pairs choose the weights"


def test_texts_are_kept_and_limited(store: ArtefactStore, tmp_path: Path) -> None:
    whole = load_texts(texts_artefact(store, tmp_path).folder)
    assert len(whole.meanings) == 10 and len(whole.passages) == 10
    few = load_texts(texts_artefact(store, tmp_path, parallel=4).folder)
    assert len(few.meanings) == len(few.sources) == 4 and len(few.passages) == 10
    two = load_texts(texts_artefact(store, tmp_path, parallel_langs=("en", "fi")).folder)
    told = {two.langs[member] for meaning in two.meanings for member in meaning}
    assert told == {"en", "fi"} and "sw" in two.langs


def test_the_twins_of_a_collection_are_parallel_texts(store: ArtefactStore, tmp_path: Path, static: Path) -> None:
    """Every passage is a plain text as well; languages that are not asked for are nothing."""
    root = tmp_path / "folder"
    root.mkdir()
    rows = [
        {"id": f"{word}.{lang}", "lang": lang, "title": word, "text": f"{lang} {word} {' '.join(WORDS)}", "twin": word}
        for word in WORDS
        for lang in ("en", "fi", "th")
    ]
    rows.append({"id": "alone", "lang": "en", "title": "", "text": " ".join(WORDS)})
    (root / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    steps = (
        Step("collection", "prepare", {"format": "folder", "path": str(root)}),
        Step("texts", "read-texts", {"langs": ("en", "fi")}, {"collection": "collection"}),
    )
    made = ended(pipeline.run(Recipe("t", steps), store, Folders()))[0]["texts"]  # type: ignore[arg-type]
    read = load_texts(made.folder)
    told = [{read.langs[member] for member in meaning} for meaning in read.meanings]
    assert told == [{"en", "fi"}] * len(WORDS) and set(read.sources) == {"twins"}
    assert len(read.passages) == 2 * len(WORDS) + 1 and "th" not in read.langs
    semantic = {"loss": "semantic", "batch": 6, "sources": {"translation": 1.0}}
    train(store, settings(static, objectives=[semantic]), texts=made)
    with pytest.raises(InputError, match="there are no texts to read"):
        pipeline.check(Recipe("t", (Step("texts", "read-texts"),)))


def test_tables_of_aligned_texts_are_read(store: ArtefactStore, tmp_path: Path, static: Path) -> None:
    """Languages by their heads; a line is a meaning; unknown languages and empty cells are nothing. Enough to train."""
    folder = tmp_path / "texts" / "parallel" / "own"
    folder.mkdir(parents=True)
    lines = ["en\tfi\ttlh\tsw", *(f"en {word}\tfi {word}\tklingon\t" for word in WORDS), "alone\t\t\t", "a\tb\tc\td"]
    (folder / "table.tsv").write_text("\r\n".join(lines) + "\r\n", encoding="utf-8")
    made = texts_artefact(store, tmp_path)
    read = load_texts(made.folder)
    told = [{read.langs[member]: read.texts[member] for member in meaning} for meaning in read.meanings]
    assert told == [*({"en": f"en {word}", "fi": f"fi {word}"} for word in WORDS), {"en": "a", "fi": "b", "sw": "d"}]
    assert read.passages == [] and set(read.sources) == {"own"}
    semantic = {"loss": "semantic", "batch": 6, "sources": {"translation": 1.0}}
    model, _ = train(store, settings(static, objectives=[semantic]), texts=made)
    assert model.manifest.counts["texts"] == 24, "what stands alone is a text, too"
    (folder / "table.tsv").write_text("en\tfi\na\tb\nonly one\n")
    with pytest.raises(FormatError, match=r"table.tsv:3: has 1 cells, the heading 2"):
        texts_artefact(store, tmp_path)
    (folder / "table.tsv").write_text("hello\tworld\n")
    with pytest.raises(FormatError, match=r"table.tsv:1: names fewer than two languages"):
        texts_artefact(store, tmp_path)
    (folder / "table.tsv").unlink()
    with pytest.raises(MissingError, match="neither parallel texts nor passages"):
        texts_artefact(store, tmp_path)


def test_counterparts_stand_beside_the_lists_of_posed_questions(
    store: ArtefactStore, tmp_path: Path, static: Path
) -> None:
    """Or beside scored ones, where there are no others."""
    made = {}
    for slot in ("scored", "posed"):
        folder = tmp_path / slot
        folder.mkdir()
        with PairWriter(folder) as writer:
            for number, word in enumerate(WORDS):
                names = [f"{slot}{number}{place}" for place in range(3)]
                writer.passages(Passage(name, "en", "", f"{word} {name}") for name in names)
                writer.score(Scored(Query(f"{slot}{number}", "en", word), tuple(names), (-1.0, -2.0, -3.0)))
        made[slot] = given(store, folder)
    other = tmp_path / "other"
    other.mkdir()
    with PairWriter(other) as writer:
        for number in range(4):
            evidence = {"of": f"posed{number}", "percentile": 50.0}
            writer.add(Pair(Query(f"o{number}", "fi", WORDS[number]), (), (), "mined", evidence=evidence))
    beside = given(store, other)
    aligned = {"loss": "alignment", "batch": 2, "sources": {"aligned": 1.0}}
    listwise = {"loss": "listwise", "batch": 2, "sources": {"scored": 1.0}}
    values = settings(static, objectives=[listwise, aligned], sources={"candidates": 3})
    model, events = train(store, values, **made, counterparts=beside)
    assert {"listwise scored", "alignment aligned"} <= {name for its in events for name in its.data.get("losses", ())}
    assert model.manifest.counts["counterparts"] == 4 and model.manifest.counts["posed"] == len(WORDS)
    with pytest.raises(InputError, match="none of 10 lists has a counterpart"):
        train(store, values, scored=made["scored"], counterparts=beside)
    with pytest.raises(InputError, match="give `scored` or `posed` as well"):
        train(store, settings(static), labelled=given(store, pairs(tmp_path / "p")), counterparts=beside)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": [{"sources": {"mined": 1.0}}]}, "draws from 'mined'; the sources are labelled"),
        ({"objectives": [{"loss": "likelihood", "sources": {"labelled": 1.0}}]}, "cannot learn 'likelihood'"),
        ({"objectives": [{"loss": "listwise", "sources": {"labelled": 1.0}}]}, "listwise needs candidates"),
        ({"objectives": [{"loss": "alignment", "sources": {"labelled": 1.0}}]}, "alignment needs candidates"),
        ({"objectives": [{"loss": "margin", "sources": {"labelled": 1.0}}]}, "first candidate for the answer"),
        ({"sources": {"holdout": 0.999}}, "'labelled' has no pairs"),
        ({"lora": {"rank": 2}}, "static model"),
        ({"tied": False}, "static model"),
    ],
)
def test_what_makes_no_sense_is_said(
    changes: dict[str, Any], message: str, store: ArtefactStore, tmp_path: Path, static: Path
) -> None:
    with pytest.raises(InputError, match=message):
        train(store, settings(static, **changes), labelled=given(store, pairs(tmp_path / "p")))
    assert store.names() == []


def test_poor_sources_are_said(store: ArtefactStore, tmp_path: Path, static: Path) -> None:
    with pytest.raises(InputError, match="nothing to learn from"):
        train(store, settings(static))
    empty = tmp_path / "empty"
    empty.mkdir()
    with PairWriter(empty) as writer:
        writer.drop(Pair(Query("q", "en", "x"), ()))
    with pytest.raises(InputError, match="'labelled' has no pairs"):
        train(store, settings(static), labelled=given(store, empty))

    lonely = tmp_path / "lonely"
    pairs(lonely)
    more = tmp_path / "more"
    more.mkdir()
    with PairWriter(more) as writer:
        known = Pairs(lonely)
        writer.passages(known.passages.values())
        writer.passages([Passage("sw0", "sw", "", "mto")])
        for pair in [*known, Pair(Query("qsw", "sw", "mto"), ("sw0",))]:
            writer.add(pair)
    _, events = train(store, settings(static), labelled=given(store, more))
    assert any(event.kind == "warning" and "sw has 1 pair" in event.message for event in events)
