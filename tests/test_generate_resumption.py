"""The generate stage killed, cut into blocks, given other weights: nothing is written twice, and nothing differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_generator import ToyGenerator, ToyWriters
from toy_indexes import PER_LANGUAGE, passages, publish
from toy_writing import given, given_in, make

from mdr.stages import generate, sifter
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.scratch import Scratch

__all__ = ["given"]  # fixtures


def test_a_killed_run_writes_only_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight, killed = ArtefactStore(tmp_path / "straight"), ArtefactStore(tmp_path / "killed")
    expected, _ = make(straight, given_in(straight))
    given = given_in(killed)
    monkeypatch.setattr(generate, "BLOCK", 10)
    engines = ToyWriters()
    engines.writer.dies_after = 5
    with pytest.raises(KeyboardInterrupt):
        make(killed, given, engines)
    (scratch,) = killed.root.glob("pairs/.*/.written.jsonl")
    with scratch.open("a", encoding="utf-8") as stream:
        stream.write('[50, "en", ["torn')
    assert not list(killed.root.glob("pairs/[!.]*"))
    again = ToyWriters()
    made, events = make(killed, given, again)
    assert sum(again.writer.written) == 3 * PER_LANGUAGE - 50
    assert "50 of 120 passages were written for before" in [event.message for event in events]
    assert made.manifest.content == expected.manifest.content
    assert not list(made.folder.glob(".*"))


def test_what_is_written_behind_a_torn_line_is_found_again(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, "written")
    assert scratch.read() == []
    scratch.append([[1, "en", ["\ud800 what\n"]], [2, "fi", []]])
    for torn in ('[3, "en", ["to', '[3, "en", []]', '{"', "\x00\x00"):
        before = scratch.read()
        with (tmp_path / ".written.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(torn)
        assert scratch.read() == before
        scratch.append([[4, torn]])
        assert scratch.read() == [*before, [4, torn]]


def test_a_run_killed_in_its_filters_writes_nothing_again(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = ToyWriters()
    engines.opened["dense"] = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        make(store, given, engines)
    engines.opened.clear()
    engines.writer.written.clear()
    make(store, given, engines)
    assert engines.writer.written == []


def test_blocks_of_any_size_give_the_same_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = set()
    for size in (1, 7, 4096):
        monkeypatch.setattr(generate, "BLOCK", size)
        for name in ("_READ", "_SCORED", "_SEARCHED"):
            monkeypatch.setattr(sifter, name, size)
        store = ArtefactStore(tmp_path / f"store {size}")
        contents.add(make(store, given_in(store), min_percentile=20)[0].manifest.content)
    assert len(contents) == 1


def test_other_weights_under_the_same_name_write_anew(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    first, _ = make(store, given, generator="here")
    engines = ToyWriters()
    again, events = make(store, given, engines, generator="there")
    assert again.key == first.key and events[0].kind == "reused" and set(engines.asked_for) == {"there"}
    assert make(store, given, ToyWriters(ToyGenerator(weights=1)))[0].key != first.key
    assert make(store, given, ToyWriters(weights=1))[0].key != first.key
    assert make(store, given, seed=1)[0].key != first.key


def test_generator_and_encoder_may_come_from_an_earlier_step(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    trained = publish(store, "model", "trained", {})
    engines = ToyWriters()
    make(store, {**given, "generator": trained}, engines, generator="unused")
    assert set(engines.asked_for) == {str(trained.folder)} and set(engines.named) == {"toy"}
    rows = [(id, lang, text) for id, lang, _, text, _ in passages()]
    dense = publish(store, "index", "taught", {}, rows, model=trained)
    engines = ToyWriters()
    make(store, {**given, "dense": dense}, engines)
    assert set(engines.named) == {str(trained.folder)}
