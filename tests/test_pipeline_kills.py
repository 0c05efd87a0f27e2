"""Recipes that were stopped, at any moment and by anything: it costs nothing but time."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_recipes import TOTAL, carry_out, kinds, toys
from toy_stages import PARTS, Count, ToyEngines, recipe

from mdr import pipeline
from mdr.errors import ArtefactError, InputError, StorageError
from mdr.settings import ROOT
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.types import Event

__all__ = ["toys"]  # fixtures


def test_closing_a_run_stops_it_and_lets_go(store: ArtefactStore) -> None:
    running = pipeline.run(recipe(), store, ToyEngines())
    for event in running:
        if event.kind == "progress" and event.done == 5:
            break
    running.close()
    assert store.folders() == []
    _, events = carry_out(store, recipe())
    assert "kept 5" in [event.message for event in events]


def test_two_runs_of_one_recipe_do_not_mix(store: ArtefactStore) -> None:
    first = pipeline.run(recipe(), store, ToyEngines())
    next(first)
    with pytest.raises(ArtefactError, match="another process is making numbers/"):
        carry_out(store, recipe())
    for _ in first:
        pass
    _, events = carry_out(store, recipe())
    assert kinds(events, "count") == ["reused"]


def test_an_error_names_its_step(store: ArtefactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Count, work: Any) -> Iterator[Event]:
        yield self.event("progress")
        raise InputError("bad input", "mend it")

    monkeypatch.setattr(Count, "build", refuse)
    with pytest.raises(InputError) as caught:
        carry_out(store, recipe())
    assert caught.value.__notes__ == ["in step 'count' (stage toy-count)"]
    assert store.folders() == []


def test_a_full_disk_stops_cleanly_and_a_rerun_continues(store: ArtefactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def full(self: Path, text: str) -> int:
        written.append(self)
        if len(written) == 10:
            raise OSError(28, "No space left on device")
        with self.open("w") as stream:
            return stream.write(text)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(StorageError, match="No space left") as caught:
            carry_out(store, recipe(), name="mine")
    assert "mdr gc" in caught.value.remedy
    assert store.folders() == []
    assert store.names() == []
    made, events = carry_out(store, recipe(), name="mine")
    assert "kept 9" in [event.message for event in events]
    assert made["sum"].manifest.counts == {"total": TOTAL}


def program(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """The toy recipe in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("toy_stages.py")), str(root), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def finish_and_check(store: ArtefactStore, clean: dict[str, Artefact]) -> list[Event]:
    """Run again in this process: complete, verified, and the same as a run that nothing disturbed."""
    made, events = carry_out(store, recipe(), name="toy")
    for step, artefact in made.items():
        assert artefact.manifest.content == clean[step].manifest.content
        assert artefact.manifest.files == clean[step].manifest.files
        assert artefact.key == clean[step].key
    assert [event.kind for event in pipeline.verify(store)] == ["progress", "progress", "finished"]
    assert store.garbage() == []
    assert list(store.root.glob("*/.*.building")) == []
    return events


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artefact]:
    """What an undisturbed run makes."""
    process = program(root := tmp_path_factory.mktemp("clean"))
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "sum finished" in output
    store = ArtefactStore(root)
    return {step: store.get(key) for step, key in store.run("toy").items()}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("function", ["_sweep", "describe", "fsync_file", "fsync_folder", "rename"])
def test_killed_while_publishing(store: ArtefactStore, clean: dict[str, Artefact], function: str, moment: str) -> None:
    """At each step that publishing takes. Only after the rename is the artefact there, and then it is whole."""
    process = program(store.root, f"{moment}:{function}")
    process.communicate(timeout=60)
    assert process.returncode == -9
    published = [folder.parent.name for folder in store.folders()]
    assert published == (["numbers"] if (function, moment) == ("rename", "after") else [])
    events = finish_and_check(store, clean)
    assert (f"kept {PARTS}" in [event.message for event in events]) != bool(published)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_a_random_moment(store: ArtefactStore, clean: dict[str, Artefact], seed: int) -> None:
    """Killed twice in a row, then run to its end."""
    chance = random.Random(seed)
    for _ in range(2):
        process = program(store.root)
        assert process.stdout is not None
        for _ in range(chance.randrange(1, PARTS + 6)):
            process.stdout.readline()
        time.sleep(chance.random() / 500)
        process.kill()
        process.communicate(timeout=60)
        assert all(store.verify(folder) == [] for folder in store.folders())
    finish_and_check(store, clean)
