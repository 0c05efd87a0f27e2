"""The evaluate stage on a small collection with toy retrievers, for tests of it."""

from __future__ import annotations

import json
from collections.abc import Collection as Some
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import toy_indexes
from streams import ended

from mdr import pipeline
from mdr.pipeline import Recipe, Step
from mdr.services.evaluation.tables import load
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import ANSWERS, PASSAGES, QRELS, QUERIES
from mdr.storage.evaluation import Evaluation
from mdr.types import Event, Hit, Query, Ranking

LANGS = ("en", "fi", "sw")
TOPICS = ("river", "coffee", "bridge", "moon", "bread", "tiger")
WORDS = {
    "river": "water flows long delta sea",
    "coffee": "beans roasted cup morning drink",
    "bridge": "steel span water crossing road",
    "moon": "night orbit tide light sky",
    "bread": "flour oven morning wheat drink",
    "tiger": "stripes forest night cat hunts",
}


def _text(topic: str, lang: str) -> str:
    """Words that only one language has, beginning as they do in all."""
    return " ".join(f"{word}{lang}" for word in WORDS[topic].split())


class Toy:
    """Counts shared pieces; ties everywhere. Stops after so many batches, as a kill would."""

    fingerprint = "toy"

    def __init__(self, folder: Path, size: int, stop_after: int | None = None) -> None:
        self.rows = json.loads((folder / "rows.json").read_text())
        self.size, self.stop_after, self.batches = size, stop_after, 0

    def search(
        self, queries: Sequence[Query], k: int, *, langs: Some[str] | None = None, subset: Some[str] | None = None
    ) -> list[Ranking]:
        self.batches += 1
        if self.stop_after is not None and self.batches > self.stop_after:
            raise KeyboardInterrupt
        return [self._rank(query, k, langs) for query in queries]

    def _rank(self, query: Query, k: int, langs: Some[str] | None) -> list[Hit]:
        asked = self._pieces(query.text)
        scored = [
            Hit(id, float(len(asked & self._pieces(text))))
            for id, lang, text in self.rows
            if langs is None or lang in langs
        ]
        return sorted((hit for hit in scored if hit.score), key=lambda hit: (-hit.score, hit.id))[:k]

    def _pieces(self, text: str) -> set[str]:
        if not self.size:
            return set(text.split())
        return {text[at : at + self.size] for at in range(len(text) - self.size + 1)}


class ToyEngines:
    """Words for the lexical side, three letters at a time for the dense."""

    def __init__(self, **stops: int) -> None:
        self.stops, self.opened = stops, dict[str, Toy]()

    def open_lexical(self, folder: Path) -> Toy:
        return self.opened.setdefault("lexical", Toy(folder, 0, self.stops.get("lexical")))

    def open_dense(self, folder: Path, passages: Path, *, encoder: str) -> Toy:
        assert encoder == "toy" and (passages / PASSAGES).exists()
        return self.opened.setdefault("dense", Toy(folder, 3, self.stops.get("dense")))


@pytest.fixture
def given(store: ArtefactStore) -> dict[str, Artefact]:
    """Six topics in three languages; a test question per topic and language, a dev question in en and fi."""
    passages = [(f"{t}.{lang}", lang, "", _text(t, lang), t) for t in TOPICS for lang in LANGS]
    queries, qrels, answers = [], [], []
    for topic in TOPICS:
        for lang in LANGS:
            words = _text(topic, lang).split()
            queries.append((f"{topic}-q.{lang}", lang, f"{words[0]} {words[-1]}", "test"))
            answers.append((f"{topic}-q.{lang}", words[1]))
            qrels += [(f"{topic}-q.{lang}", f"{topic}.{other}", 2, "test") for other in LANGS]
            if lang != "sw":
                queries.append((f"{topic}-d.{lang}", lang, f"{words[2]} {words[3]}", "dev"))
                qrels += [(f"{topic}-d.{lang}", f"{topic}.{other}", 2, "dev") for other in LANGS]
    queries += [
        ("nothing.en", "en", "zzzz", "test"),
        ("bad.en", "en", "waterEN", "test"),
        ("new.en", "en", "sky", "test"),
    ]
    qrels += [
        ("nothing.en", "river.en", 1, "test"),
        ("bad.en", "river.en", 0, "test"),
        ("ghost", "river.en", 1, "test"),
        ("river-q.en", "not-in-the-collection", 1, "test"),
    ]
    return toy_indexes.given_in(store, {PASSAGES: passages, QUERIES: queries, QRELS: qrels, ANSWERS: answers})


def evaluate(
    store: ArtefactStore, given: dict[str, Artefact], engines: Any = None, slots: str = "lexical dense", **settings: Any
) -> tuple[Evaluation, list[Event]]:
    """What is measured of what is given."""
    inputs = {slot: slot for slot in ("collection", *slots.split())}
    recipe = Recipe("toy", (Step("evaluation", "evaluate", settings, inputs),))
    made, events = ended(pipeline.run(recipe, store, engines or ToyEngines(), None, given))
    return load(made["evaluation"]), events
