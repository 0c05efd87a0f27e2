"""Unlabelled texts to learn from: parallel texts as meanings told in several languages, and plain passages.

Reads a folder with `parallel/<source>/{multi,pairs}*.jsonl.gz` and `passages/<lang>.jsonl.gz`:

    multi      {"id", "texts": {lang: text}}            one meaning per line
    pairs      {"a_lang", "a", "b_lang", "b"}           meanings follow from texts that pairs share
    passages   {"lang", "source", "title", "text"}
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mdr.errors import FormatError, MissingError

RUNNING = ("hf-course", "ntrex128", "opensource-guide", "security101", "tico19")
"""Parallel sources whose lines follow each other as in a document: neighbours make a passage."""

WITHHELD = ("multi.test",)
"""Parallel files kept for measuring, whole …"""

MEASURED = {"ntrex128": 200, "mkqa-questions": 200}
"""… and how many meanings are, at a source's end."""

UNLICENSED = ("qed-nq", "korquad-dev")
"""Passage sources without a licence that lets trained weights be passed on."""


@dataclass
class Texts:
    """Every distinct text once, and how texts belong together, by position."""

    texts: list[str] = field(default_factory=list)
    langs: list[str] = field(default_factory=list)
    meanings: list[list[int]] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    """Where each meaning is from; those of a running source are in document order."""
    passages: list[tuple[int, int]] = field(default_factory=list)
    """Title (-1 where there is none) and body."""
    _positions: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, lang: str, text: str) -> int:
        """The position of a text, new or known."""
        position = self._positions.setdefault((lang, text), len(self.texts))
        if position == len(self.texts):
            self.texts.append(text)
            self.langs.append(lang)
        return position


def read_texts(folder: Path, langs: frozenset[str]) -> Texts:
    """All texts of a folder in these languages."""
    found = Texts()
    for source in sorted(path for path in folder.glob("parallel/*") if path.is_dir()):
        meanings = _meanings(source, langs, found)
        found.meanings.extend(meanings[: max(0, len(meanings) - MEASURED.get(source.name, 0))])
        found.sources.extend([source.name] * (len(found.meanings) - len(found.sources)))
    for path in sorted(folder.glob("passages/*.jsonl.gz")):
        for row in _rows(path, ("lang", "title", "text")):
            if row["lang"] in langs and row.get("source") not in UNLICENSED:
                title = found.add(row["lang"], row["title"]) if row["title"] else -1
                found.passages.append((title, found.add(row["lang"], row["text"])))
    if not found.meanings or not found.passages:
        raise MissingError(
            f"{folder}: {len(found.meanings):,} parallel texts, {len(found.passages):,} passages; both are needed",
            "name a folder with parallel/<source>/pairs.jsonl.gz and passages/<lang>.jsonl.gz",
        )
    return found


def _meanings(source: Path, langs: frozenset[str], found: Texts) -> list[list[int]]:
    """The meanings of one source, first seen first. Multi-way files say more than the pairs made of them."""
    files = [path for path in sorted(source.glob("*.jsonl.gz")) if not path.name.startswith(WITHHELD)]
    multi = [path for path in files if path.name.startswith("multi")]
    told: list[list[int]] = []
    for path in multi:
        for row in _rows(path, ("texts",)):
            told.append([found.add(lang, text) for lang, text in row["texts"].items() if lang in langs])
    parents: dict[int, int] = {}

    def root(position: int) -> int:
        while parents.setdefault(position, position) != position:
            parents[position] = position = parents[parents[position]]
        return position

    for path in files if not multi else []:
        for row in _rows(path, ("a_lang", "a", "b_lang", "b")):
            if row["a_lang"] in langs and row["b_lang"] in langs:
                first = root(found.add(row["a_lang"], row["a"]))
                parents[root(found.add(row["b_lang"], row["b"]))] = first
    groups: dict[int, list[int]] = {}
    for position in parents:
        groups.setdefault(root(position), []).append(position)
    return [meaning for meaning in [*told, *groups.values()] if len(meaning) > 1]


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise FormatError(path, number, f"not JSON: {error}") from error
            if missing := [name for name in needed if name not in row]:
                raise FormatError(path, number, f"without {', '.join(missing)}")
            yield row
