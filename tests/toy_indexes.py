"""Indexes and an encoder for tests of stages: passages of five words, ranked by shared words and by word vectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Some
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from streams import ended

from mdr import pipeline
from mdr.pipeline import Recipe, Step
from mdr.ports import Matrix
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, table_writer
from mdr.types import Event, Hit, Query, Ranking, Role

LANGS = ("en", "fi", "sw")
PER_LANGUAGE = 40
DIMENSIONS = 12


def text_of(number: int, lang: str) -> str:
    """Five words of a vocabulary that a language has for itself."""
    words = np.random.default_rng([crc32(lang.encode()), number]).integers(0, 30, 5)
    return " ".join(f"{lang}{word}" for word in words)


class ToyEncoder:
    """Sums of random word vectors; other weights give others."""

    dimension = DIMENSIONS

    def __init__(self, weights: int = 0) -> None:
        self.weights = weights

    @property
    def fingerprint(self) -> str:
        return f"toy {self.weights}"

    def encode(self, texts: Sequence[str], role: Role) -> Matrix:
        return np.array([_vector(text, self.weights) for text in texts], dtype=np.float32)


@cache
def _vector(text: str, weights: int) -> Any:
    words = [np.random.default_rng([weights, crc32(word.encode())]).standard_normal(12) for word in text.split()]
    total = np.sum([np.full(DIMENSIONS, 0.1), *words], axis=0)
    return total / np.linalg.norm(total)


class Toy:
    """All passages ranked by a score of texts; only scores above 0 where it goes by words."""

    def __init__(self, folder: Path, score: Callable[[str, str], float], name: str, floor: float) -> None:
        self.rows = json.loads((folder / "rows.json").read_text())
        self.score, self.fingerprint, self.floor = score, name, floor
        self.asked: list[int] = []

    def search(
        self, queries: Sequence[Query], k: int, *, langs: Some[str] | None = None, subset: Some[str] | None = None
    ) -> list[Ranking]:
        self.asked.append(len(queries))
        return [self._rank(query, langs, subset)[:k] for query in queries]

    def _rank(self, query: Query, langs: Some[str] | None, subset: Some[str] | None) -> list[Hit]:
        hits = [
            Hit(id, self.score(query.text, text))
            for id, lang, text in self.rows
            if (langs is None or lang in langs) and (subset is None or id in subset)
        ]
        return sorted((hit for hit in hits if not hit.score <= self.floor), key=lambda hit: (-hit.score, hit.id))


class ToyEngines:
    """Shared words for the lexical side, word vectors for the dense."""

    def __init__(self, weights: int = 0, analyzers: str = "a") -> None:
        self.toy, self.analyzers = ToyEncoder(weights), analyzers
        self.named: list[str] = []
        self.opened: dict[str, Toy] = {}

    def encoder(self, name: str) -> ToyEncoder:
        self.named.append(name)
        return self.toy

    def analyzer_fingerprint(self, langs: Some[str]) -> str:
        return self.analyzers

    def open_lexical(self, folder: Path) -> Toy:
        toy = Toy(folder, lambda query, text: float(len({*query.split()} & {*text.split()})), "words", 0.0)
        return self.opened.setdefault("lexical", toy)

    def open_dense(self, folder: Path, passages: Path, *, encoder: str) -> Toy:
        assert (passages / PASSAGES).exists()
        self.named.append(encoder)
        return self.opened.setdefault("dense", Toy(folder, self._inner, f"vectors of {self.toy.fingerprint}", -9.0))

    def _inner(self, query: str, text: str) -> float:
        return float(np.float32(_vector(query, self.toy.weights) @ _vector(text, self.toy.weights)))


def publish(
    store: ArtefactStore, kind: str, name: str, files: Mapping[str, Any], rows: Any = (), **inputs: Artefact
) -> Artefact:
    with store.draft(kind, name) as draft:
        for file, records in files.items():
            writer = table_writer(draft.folder / file)
            for record in records:
                writer.add(record)
            writer.close()
        (draft.folder / "rows.json").write_text(json.dumps(rows))
        draft.counts["languages"] = list(LANGS)
        return store.publish(
            draft,
            stage="toy",
            version=1,
            settings={"encoder": "toy"},
            inputs={slot: its.reference() for slot, its in inputs.items()},
            fingerprints={},
            content=name,
        )


def passages() -> list[tuple[str, ...]]:
    """Some texts of a language twice, under two ids."""
    rows = [(f"p{n:02}.{lang}", lang, "", text_of(n, lang), f"p{n}") for lang in LANGS for n in range(PER_LANGUAGE)]
    return rows + [(f"twin-{id}", lang, "Again", text, "") for id, lang, _, text, _ in rows if id < "p05"]


def queries(every: int = 1) -> list[tuple[str, ...]]:
    """Three words of one in so many passages; beside them what nothing can be found for, and one of another split."""
    rows = [
        (f"q{n:02}.{lang}", lang, " ".join(text_of(n, lang).split()[:3]), "train")
        for lang in LANGS
        for n in range(0, PER_LANGUAGE, every)
    ]
    odd = [("empty", "en", "?\u202e!"), ("long", "en", "x" * 5_000), ("th", "th", "อะไร"), ("other", "fi", "xyz")]
    return rows + [(*row, "train") for row in odd] + [("late", "en", "en1 en2", "test")]


def qrels(every: int) -> list[tuple[str, str, int, str]]:
    """The passage that the words are of answers."""
    return [(f"q{n:02}.{lang}", f"p{n:02}.{lang}", 2, "train") for lang in LANGS for n in range(0, PER_LANGUAGE, every)]


def carry_out(
    stage: str, store: ArtefactStore, given: Mapping[str, Artefact], engines: Any, settings: Mapping[str, Any]
) -> tuple[Artefact, list[Event]]:
    """What one stage makes of artefacts by slot, and what it said."""
    recipe = Recipe("toy", (Step("made", stage, settings, {slot: slot for slot in given}),))
    made, events = ended(pipeline.run(recipe, store, engines, None, given))
    return made["made"], events


def given_in(store: ArtefactStore, its: dict[str, list[Any]]) -> dict[str, Artefact]:
    """A collection of these files and both indexes of its passages."""
    rows = [(id, lang, text) for id, lang, _, text, _ in its[PASSAGES]]
    return {
        "collection": publish(store, "collection", "tiny", its),
        "lexical": publish(store, "index", "words", {}, rows),
        "dense": publish(store, "index", "meaning", {}, rows),
    }


def without(given: Mapping[str, Artefact], *slots: str) -> dict[str, Artefact]:
    """What is left of what is given."""
    return {slot: its for slot, its in given.items() if slot not in slots}
