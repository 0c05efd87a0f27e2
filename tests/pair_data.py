"""Mined, written, scored and dropped pairs over the toy collection, a model that learned from them, and their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import toy_indexes
from toy_generator import ToyWriters
from toy_indexes import LANGS, carry_out, passages, publish, text_of

from mdr.ports import Guess
from mdr.services.search.service import SearchService
from mdr.services.training_data.browsing import TrainingData
from mdr.services.training_data.threads import Threads
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES, Collection
from mdr.types import Passage, Term

MINING = {"split": "train", "depth": 20, "first": 4, "last": 20, "negatives": 4, "round": 1}
HOLDOUT = {"sources": {"holdout": 0.5}, "training": {"steps": 3}}


def queries() -> list[tuple[str, ...]]:
    """Three words of every second passage, and one that no passage has."""
    rows = [
        (f"q{n:02}.{lang}", lang, " ".join(text_of(n, lang).split()[:3]), "train")
        for lang in LANGS
        for n in range(0, 40, 2)
    ]
    return [*rows, ("lost", "fi", "xyz", "train")]


class Made:
    """A store with all of it."""

    def __init__(self, root: Path) -> None:
        self.store = ArtefactStore(root / "store")
        self.engines = ToyWriters()
        files = {PASSAGES: passages(), QUERIES: queries(), QRELS: [("q00.en", "p00.en", 2, "train")]}
        self.given = toy_indexes.given_in(self.store, files)
        self.mined = carry_out("mine", self.store, self.given, self.engines, MINING)[0]
        writing = {"n": 2, "budget": 4, "langs": ["fi", "sw"], "k": 40, "seed": 1}
        self.written = carry_out("generate", self.store, self.given, self.engines, writing)[0]
        self.scored = carry_out("score", self.store, self.given, self.engines, {"split": "train", "candidates": 6})[0]
        self.model = self.learned("model", mined=self.mined, scored=self.scored)
        self.after = publish(
            self.store, "index", "after", {}, _rows(), collection=self.given["collection"], model=self.model
        )
        named = {"mined": self.mined, "written": self.written, "scored": self.scored, "model": self.model}
        self.store.name_run("toy", {name: its.key for name, its in self.given.items()}, {})
        self.store.name_run("round-1", {name: its.key for name, its in {**self.given, **named}.items()}, {})
        self.data = TrainingData(self.store)
        self.threads = Threads(self.data, self.engines, self.searcher)  # type: ignore[arg-type]

    def learned(self, name: str, **inputs: Artefact) -> Artefact:
        """Something that says it was trained."""
        with self.store.draft("model", name) as draft:
            (draft.folder / "weights").write_text(name)
            references = {slot: its.reference() for slot, its in inputs.items()}
            return self.store.publish(
                draft, stage="train", version=1, settings=HOLDOUT, inputs=references, fingerprints={}
            )

    def searcher(self, name: str) -> SearchService:
        """Search over the toy collection."""
        assert name == "toy"
        lexical: Any = self.engines.open_lexical(self.given["lexical"].folder)
        lexical.terms = _no_terms
        dense: Any = self.engines.open_dense(self.given["dense"].folder, self.given["collection"].folder, encoder="toy")
        return SearchService(Collection(self.given["collection"].folder), lexical, dense, _Anything())


class _Anything:
    def identify(self, text: str) -> Guess:
        return Guess("en", 1.0)


def _no_terms(query: str, passage: Passage) -> list[Term]:
    return []


def _rows() -> list[tuple[str, str, str]]:
    return [(id, lang, text) for id, lang, _, text, _ in passages()]
