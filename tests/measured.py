"""A workbench whose collection is evaluated in moments: part of the sample, hostile texts, toy engines, all else real.

English, Arabic and Japanese passages and questions of two domains of the sample; one question and its passages are
markup, templates and direction overrides.
"""

from __future__ import annotations

import json
from collections.abc import Collection as Some
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mdr.ports import LexicalRetriever
from mdr.recipes.baselines import COLLECTION
from mdr.services.search.service import SearchService
from mdr.settings import Settings
from mdr.storage.collection import Collection
from mdr.types import Event, Passage
from mdr.workbench import SAMPLE, Workbench
from tests.browser.stub import Letters, Scripts, Words

LANGS = ("en", "ar", "ja")
DOMAINS = ("cats", "rivers")
ATTACK = "<img src=x onerror=alert(1)> {{7*7}} ${alert(2)} \u202ezebra </svg><script>alert(3)</script>"
HOSTILE = [
    {"id": "evil.en", "lang": "en", "title": f"<b>{ATTACK}</b>", "text": f"zebra {ATTACK} zebra", "twin": "evil"},
    {"id": "evil.ar", "lang": "ar", "title": f"حمار {ATTACK}", "text": f"حمار وحشي {ATTACK}", "twin": "evil"},
]
HOSTILE_QUERY = {"id": "evil-q.en", "lang": "en", "text": f"zebra {ATTACK}"}


class MeasuredWorkbench(Workbench):
    """Toy engines under the real pipeline and services."""

    def __init__(self, home: Path) -> None:
        super().__init__(Settings(home=home / "home", port=0))
        folder = _part_of(self.settings.sample, home / "part")
        for event in self.import_collection(SAMPLE, "folder", str(folder)):
            assert isinstance(event, Event)
        for _ in self.index(SAMPLE):
            pass
        self._toys: dict[str, SearchService] = {}

    def measure(self, **settings: Any) -> None:
        """Evaluate, as the command does."""
        for _ in self.evaluate(SAMPLE, **{"pool": "all", **settings}):
            pass

    def encoder(self, name: str = "") -> Any:
        return Letters()

    def analyzer_fingerprint(self, langs: Some[str]) -> str:
        return "toy"

    def build_lexical(self, passages: Iterable[Passage], folder: Path, *, k1: float, b: float) -> Iterator[int]:
        return _counted(passages, folder)

    def build_vectors(self, passages: Iterable[Passage], count: int, folder: Path, **settings: Any) -> Iterator[int]:
        return _counted(passages, folder)

    def open_lexical(self, folder: Path) -> LexicalRetriever:
        return Words(self._collection())

    def open_dense(self, folder: Path, passages: Path, *, encoder: str) -> Any:
        return Words(Collection(passages), 3)

    def searcher(self, name: str = SAMPLE, model: str = "") -> SearchService:
        if model not in self._toys:
            collection = self._collection()
            self._toys[model] = SearchService(collection, Words(collection), Words(collection, 3), Scripts())
        return self._toys[model]

    def _collection(self) -> Collection:
        return Collection(self.artefact(SAMPLE, COLLECTION).folder)

    def language_identifier(self, langs: Some[str]) -> Any:
        return Scripts()


def _counted(passages: Iterable[Passage], folder: Path) -> Iterator[int]:
    (folder / "toy").write_text("toy")
    for number, _ in enumerate(passages, 1):
        yield number


def _part_of(sample: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, extra in (("corpus.jsonl", HOSTILE), ("queries.jsonl", [HOSTILE_QUERY])):
        rows = [json.loads(line) for line in (sample / name).read_text(encoding="utf-8").splitlines()]
        chosen = [row for row in rows if _wanted(row["id"])] + list(extra)
        _write(folder / name, [json.dumps(row) for row in chosen])
    lines = (sample / "qrels.tsv").read_text(encoding="utf-8").splitlines()
    grades = [line for line in lines if all(map(_wanted, line.split()[0:3:2]))]
    _write(folder / "qrels.tsv", [*grades, "evil-q.en 0 evil.en 2", "evil-q.en 0 evil.ar 1"])
    return folder


def _wanted(id: str) -> bool:
    return id.startswith(DOMAINS) and id.endswith(LANGS)


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
