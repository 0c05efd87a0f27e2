"""Unlabelled texts to learn from: parallel texts as meanings told in several languages, and plain passages.

Reads a folder with `parallel/<source>/{multi,pairs}*.jsonl.gz`, tables of aligned texts beside them
(`parallel/<source>/*.tsv` or `*.tsv.gz`), and `passages/<lang>.jsonl.gz`:

    multi      {"id", "texts": {lang: text}}            one meaning per line
    pairs      {"a_lang", "a", "b_lang", "b"}           meanings follow from texts that pairs share
    tables     a column per language, headed by its code; one meaning per line, a cell may be empty
    passages   {"lang", "source", "title", "text"}
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from mdr.core.languages import code_of
from mdr.errors import FormatError, MissingError
from mdr.storage.tables import TableWriter, open_table, rows_of
from mdr.types import Passage

LANGS = frozenset("ar bn de el en es fa fi fr hi id it ja ko pt ru sw te th tr vi zh".split())
"""What the shipped models know."""

RUNNING = ("hf-course", "ntrex128", "opensource-guide", "security101", "tico19")
"""Parallel sources whose lines follow each other as in a document: neighbours make a passage."""

WITHHELD = ("multi.test",)
"""Parallel files kept for measuring, whole …"""

MEASURED = {"ntrex128": 200, "mkqa-questions": 200}
"""… and how many meanings are, at a source's end."""

TWINS = "twins"
"""The source of meanings that a collection's passages share."""

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

    def add_passages(self, passages: Iterable[Passage], langs: frozenset[str]) -> None:
        """Those in these languages, each as a text that stands alone; twins say the same."""
        twins: dict[str, list[int]] = {}
        for passage in passages:
            if passage.lang in langs:
                title = self.add(passage.lang, passage.title) if passage.title else -1
                body = self.add(passage.lang, passage.text)
                self.passages.append((title, body))
                if passage.twin:
                    twins.setdefault(passage.twin, []).append(body)
        told = [members for members in twins.values() if len(members) > 1]
        self.meanings += told
        self.sources += [TWINS] * len(told)

    def keep_parallel(self, langs: frozenset[str]) -> None:
        """Forget what meanings are in other languages; their texts stay, as texts without translation."""
        kept = [
            ([member for member in meaning if self.langs[member] in langs], source)
            for meaning, source in zip(self.meanings, self.sources, strict=True)
        ]
        self.meanings = [meaning for meaning, _ in kept if len(meaning) > 1]
        self.sources = [source for meaning, source in kept if len(meaning) > 1]


_TABLES = ("*.tsv", "*.tsv.gz")


def files_of(folder: Path) -> list[Path]:
    """Every file that `read_texts` looks into."""
    patterns = ("parallel/*/*.jsonl.gz", *(f"parallel/*/{table}" for table in _TABLES), "passages/*.jsonl.gz")
    return sorted(path for pattern in patterns for path in folder.glob(pattern))


def read_texts(folder: Path, langs: frozenset[str]) -> Texts:
    """All texts of a folder in these languages."""
    found = Texts()
    for source in sorted(path for path in folder.glob("parallel/*") if path.is_dir()):
        meanings = _meanings(source, langs, found)
        found.meanings.extend(meanings[: max(0, len(meanings) - MEASURED.get(source.name, 0))])
        found.sources.extend([source.name] * (len(found.meanings) - len(found.sources)))
    for path in sorted(folder.glob("passages/*.jsonl.gz")):
        for row in rows_of_file(path, ("lang", "title", "text")):
            if row["lang"] in langs and row.get("source") not in UNLICENSED:
                title = found.add(row["lang"], row["title"]) if row["title"] else -1
                found.passages.append((title, found.add(row["lang"], row["text"])))
    if not found.meanings and not found.passages:
        raise MissingError(
            f"{folder} has neither parallel texts nor passages in {', '.join(sorted(langs))}",
            "name a folder with parallel/<source>/pairs.jsonl.gz or *.tsv, or passages/<lang>.jsonl.gz",
        )
    return found


TEXTS, MEANINGS, PLAIN = "texts.arrow", "meanings.arrow", "plain.arrow"
_SCHEMAS = {
    TEXTS: pa.schema([("lang", pa.large_string()), ("text", pa.large_string())]),
    MEANINGS: pa.schema([("source", pa.large_string()), ("members", pa.list_(pa.int64()))]),
    PLAIN: pa.schema([("title", pa.int64()), ("body", pa.int64())]),
}


def save_texts(texts: Texts, folder: Path) -> None:
    """As tables, for `load_texts`."""
    rows: dict[str, Iterable[Sequence[Any]]] = {
        TEXTS: zip(texts.langs, texts.texts, strict=True),
        MEANINGS: zip(texts.sources, texts.meanings, strict=True),
        PLAIN: texts.passages,
    }
    for name, schema in _SCHEMAS.items():
        writer = TableWriter(folder / name, schema)
        for row in rows[name]:
            writer.add(row)
        writer.close()


def load_texts(folder: Path) -> Texts:
    """What `save_texts` wrote."""
    found = Texts()
    for lang, text in rows_of(open_table(folder / TEXTS)):
        found.langs.append(lang)
        found.texts.append(text)
    for source, members in rows_of(open_table(folder / MEANINGS)):
        found.sources.append(source)
        found.meanings.append(members)
    found.passages.extend((title, body) for title, body in rows_of(open_table(folder / PLAIN)))
    return found


def _meanings(source: Path, langs: frozenset[str], found: Texts) -> list[list[int]]:
    """The meanings of one source, first seen first. Multi-way files say more than the pairs made of them."""
    files = [path for path in sorted(source.glob("*.jsonl.gz")) if not path.name.startswith(WITHHELD)]
    multi = [path for path in files if path.name.startswith("multi")]
    told: list[list[int]] = []
    for path in multi:
        for row in rows_of_file(path, ("texts",)):
            told.append([found.add(lang, text) for lang, text in row["texts"].items() if lang in langs])
    for path in sorted(path for pattern in _TABLES for path in source.glob(pattern)):
        told += ([found.add(lang, text) for lang, text in row if lang in langs] for row in _rows_of_table(path))
    parents: dict[int, int] = {}

    def root(position: int) -> int:
        while parents.setdefault(position, position) != position:
            parents[position] = position = parents[parents[position]]
        return position

    for path in files if not multi else []:
        for row in rows_of_file(path, ("a_lang", "a", "b_lang", "b")):
            if row["a_lang"] in langs and row["b_lang"] in langs:
                first = root(found.add(row["a_lang"], row["a"]))
                parents[root(found.add(row["b_lang"], row["b"]))] = first
    groups: dict[int, list[int]] = {}
    for position in parents:
        groups.setdefault(root(position), []).append(position)
    return [meaning for meaning in [*told, *groups.values()] if len(meaning) > 1]


def _rows_of_table(path: Path) -> Iterator[list[tuple[str, str]]]:
    """Language and text of every cell that is not empty, line by line; columns of languages unknown here are left."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="\n") as stream:
        heads = [_code(name) for name in stream.readline().rstrip("\r\n").split("\t")]
        if len(set(filter(None, heads))) < 2:
            raise FormatError(path, 1, "names fewer than two languages", "head each column with a language's code")
        for number, line in enumerate(stream, 2):
            cells = line.rstrip("\r\n").split("\t")
            if len(cells) != len(heads):
                raise FormatError(path, number, f"has {len(cells)} cells, the heading {len(heads)}")
            yield [(lang, cell.strip()) for lang, cell in zip(heads, cells, strict=True) if lang and cell.strip()]


def _code(name: str) -> str:
    try:
        return code_of(name.strip())
    except MissingError:
        return ""


def rows_of_file(path: Path, needed: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The objects of a gzipped JSONL file, each with the fields that are needed."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise FormatError(path, number, f"not JSON: {error}") from error
            if missing := [name for name in needed if name not in row]:
                raise FormatError(path, number, f"without {', '.join(missing)}")
            yield row
