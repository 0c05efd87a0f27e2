"""A workbench for tests of the app: the real services over toy engines, with passages that try to break the page.

The sample collection in twelve languages, and beside it passages whose titles, texts and ids are markup, templates,
direction overrides, or a megabyte long. Toy engines count shared letters: they need no JVM and no model.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection as Some
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from mdr.ports import Guess, Matrix, Tokens
from mdr.services.search.service import SearchService
from mdr.settings import Settings
from mdr.storage.artefacts import Artefact
from mdr.storage.collection import PASSAGES, QRELS, QUERIES, Collection, table_writer
from mdr.types import Hit, Passage, Query, Ranking, Role, Term
from mdr.workbench import Workbench

HOSTILE = (
    Passage("<b id=hurt>", "en", "<script>alert(1)</script>", "<img src=x onerror=alert(2)> zebra", "hostile"),
    Passage("h2\"' onclick=alert(3) x=", "en", "zebra {{this}} ${alert(4)}", "{{#each value}} ${value}", "hostile"),
    Passage("h3", "ar", "حمار \u202ezebra\u202c وحشي", "zebra \u2067abc\u2066 \u200b\u200f \u202e \x07", "hostile"),
    Passage("h4", "th", "zebra </p></article><iframe src=//example.org>", "<a href=javascript:alert(5)>zebra</a>"),
    Passage("long", "en", "zebra, a megabyte", "x<y> & " * 150_000 + "zebra"),
)
_WORDS = re.compile(r"\w+")
_SCRIPTS = (("th", "\u0e01-\u0e5b"), ("te", "\u0c00-\u0c7f"), ("bn", "\u0980-\u09ff"), ("ja", "\u3040-\u30ff"))
_SCRIPTS += (("ko", "\uac00-\ud7a3"), ("zh", "\u4e00-\u9fff"), ("ar", "\u0600-\u06ff"), ("ru", "\u0400-\u04ff"))


class Letters:
    """A toy encoder: a token is a word, its vector counts its letters, modulo its length."""

    fingerprint, dimension = "toy", 32

    def encode(self, texts: Sequence[str], role: Role) -> Matrix:
        return np.stack([self.tokens(text, role).vectors.sum(axis=0) for text in texts])

    def tokens(self, text: str, role: Role) -> Tokens:
        found = list(_WORDS.finditer(text[:4_000]))
        vectors = np.zeros((len(found), self.dimension), dtype=np.float32)
        for row, match in zip(vectors, found, strict=True):
            for letter in match.group().lower():
                row[ord(letter) % self.dimension] += 1
        return Tokens(vectors, tuple(match.span() for match in found))


class Words:
    """Passages by shared words, or by shared parts of words."""

    encoder = Letters()

    def __init__(self, collection: Collection, size: int = 0) -> None:
        self._size = size
        self._passages = list(collection.passages())
        self._bags = [self._bag(passage.full_text) for passage in self._passages]

    @property
    def fingerprint(self) -> str:
        return f"toy-{self._size}"

    def search(
        self, queries: Sequence[Query], k: int, *, langs: Some[str] | None = None, subset: Some[str] | None = None
    ) -> list[Ranking]:
        return [self._one(query.text, k, langs) for query in queries]

    def like(self, passage: Passage, k: int, *, langs: Some[str] | None = None) -> Ranking:
        return self._one(passage.full_text[:400], k, langs)

    def terms(self, query: str, passage: Passage) -> list[Term]:
        text = passage.full_text
        spans: dict[str, list[tuple[int, int]]] = {}
        for match in _WORDS.finditer(text):
            spans.setdefault(match.group().lower(), []).append(match.span())
        wanted = dict.fromkeys(word.lower() for word in _WORDS.findall(query))
        return [Term(word, 1.0 + len(word) / 10, tuple(spans[word])) for word in wanted if word in spans]

    def _one(self, text: str, k: int, langs: Some[str] | None) -> list[Hit]:
        wanted = self._bag(text)
        scores = [
            (sum(min(count, bag[part]) for part, count in wanted.items()), passage)
            for bag, passage in zip(self._bags, self._passages, strict=True)
            if langs is None or passage.lang in langs
        ]
        found = sorted((-score, passage.id) for score, passage in scores if score)
        return [Hit(id, -score / (1 + sum(wanted.values()))) for score, id in found[:k]]

    def _bag(self, text: str) -> Counter[str]:
        words = [word.lower() for word in _WORDS.findall(text[:4_000] + " " + text[-100:])]
        if not self._size:
            return Counter(words)
        return Counter(word[at : at + self._size] for word in words for at in range(max(1, len(word) - self._size + 1)))


class Scripts:
    """A language by its letters; Latin ones are not sure."""

    def identify(self, text: str) -> Guess:
        for lang, letters in _SCRIPTS:
            if re.search(f"[{letters}]", text):
                return Guess(lang, 1.0)
        return Guess("en", 0.9) if re.search(r"\b(the|which|what|how|zebra)\b", text, re.IGNORECASE) else Guess("", 0.0)


class StubWorkbench(Workbench):
    """The sample and the hostile passages, searched by toy engines."""

    def __init__(self, home: Path) -> None:
        super().__init__(Settings(home=home, port=0))
        self._folder = home / "collection"

    @cached_property
    def _searcher(self) -> SearchService:
        collection = _collection(self._folder, self.settings.sample)
        return SearchService(collection, Words(collection), Words(collection, 3), Scripts())

    def models(self, name: str = "sample") -> dict[str, Artefact]:
        return dict.fromkeys(("", "toy run"), cast(Artefact, None))

    def searcher(self, name: str = "sample", model: str = "") -> SearchService:
        return self._other if model else self._searcher

    @cached_property
    def _other(self) -> SearchService:
        """Another model: it sees letters two by two."""
        usual = self._searcher
        return SearchService(usual.collection, usual.lexical, Words(usual.collection, 2), usual.identifier)


def _collection(folder: Path, sample: Path) -> Collection:
    folder.mkdir(parents=True, exist_ok=True)
    rows = {
        PASSAGES: [*_read(sample / "corpus.jsonl", Passage._fields), *HOSTILE],
        QUERIES: [(*row, "") for row in _read(sample / "queries.jsonl", Query._fields)],
        QRELS: [],
    }
    for name, values in rows.items():
        writer = table_writer(folder / name)
        for row in values:
            writer.add(row)
        writer.close()
    return Collection(folder)


def _read(path: Path, fields: Sequence[str]) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8") as lines:
        return [tuple(row.get(field, "") for field in fields) for row in map(json.loads, lines)]


if __name__ == "__main__":  # to look at the page while working on it
    from tempfile import TemporaryDirectory

    from mdr.ui.app import serve

    with TemporaryDirectory() as folder:
        serve(StubWorkbench(Path(folder))).block_thread()
