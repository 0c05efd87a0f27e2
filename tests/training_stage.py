"""Pairs, lists and runs that tests of the stages that train share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
from streams import ended

from mdr import pipeline
from mdr.engines.encoder import load_encoder
from mdr.pipeline import Recipe, Step
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.pairs import Pair, Pairs, PairWriter
from mdr.types import Event, Passage, Query

WORDS = ("apple", "river", "winter", "music", "bread", "train", "garden", "doctor", "island", "window")
LANGS = ("en", "fi")
Run = Generator[Event, None, dict[str, Artefact]]


class Folders:
    """Models by the folders that they lie in."""

    def encoder(self, name: str) -> Any:
        return load_encoder(name, device="cpu", precision="float32")

    def model_folder(self, name: str) -> Path:
        return Path(name)

    def generator_folder(self, name: str) -> Path:
        return Path(name)


def pairs(folder: Path, *, origin: Any = "labelled", languages: tuple[str, ...] = LANGS, count: int = 8) -> Path:
    """A query names two words, its passage has them among others; each word pair is in one passage only."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    with PairWriter(folder) as writer:
        for lang in languages:
            for number in range(count):
                one, two = WORDS[number], WORDS[(number + 3) % len(WORDS)]
                id = f"{lang}{number}"
                text = " ".join([one, two, *random.choice(WORDS, 3)])
                writer.passages([Passage(id, lang, "", text)])
                negatives = (f"{lang}{(number + 1) % count}",)
                writer.add(Pair(Query(f"q{id}", lang, f"{one} {two}"), (id,), negatives, origin))
    return folder


def texts_of(source: Artefact) -> tuple[list[Query], list[Passage]]:
    """The queries of pairs, and the passage that answers each."""
    read = Pairs(source.folder)
    found = list(read)
    return [pair.query for pair in found], [read.passages[pair.positives[0]] for pair in found]


def given(store: ArtefactStore, folder: Path, kind: str = "pairs") -> Artefact:
    """A folder as an artefact."""
    with store.draft(kind, folder.name) as draft:
        for path in folder.iterdir():
            (draft.folder / path.name).write_bytes(path.read_bytes())
        return store.publish(draft, stage="test", version=1, settings={}, inputs={}, fingerprints={})


def steps_of(stage: str, store: ArtefactStore, values: dict[str, Any], engines: Any, **inputs: Artefact) -> Run:
    """One step that takes these in."""
    recipe = Recipe("r", (Step("made", stage, values, {slot: slot for slot in inputs}),))
    return pipeline.run(recipe, store, engines, given=inputs)


def made_by(run: Run) -> tuple[Artefact, list[Event]]:
    """What a step makes, and what it says."""
    made, events = ended(run)
    return made["made"], events
