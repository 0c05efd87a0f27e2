"""A collection on disk: passages, queries, qrels and answers as Arrow files, memory-mapped.

Opening a million passages costs no memory but the id lookup; a hit's text is read when it is shown.
Rows keep the order they came in; a row's position is what vector indexes answer with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mdr.errors import MissingError
from mdr.storage.tables import TableWriter, open_table, rows_of
from mdr.types import Passage, Qrels, Query

PASSAGES, QUERIES, QRELS, ANSWERS = "passages.arrow", "queries.arrow", "qrels.arrow", "answers.arrow"

_text = pa.large_string()
SCHEMAS = {
    PASSAGES: pa.schema([("id", _text), ("lang", _text), ("title", _text), ("text", _text), ("twin", _text)]),
    QUERIES: pa.schema([("id", _text), ("lang", _text), ("text", _text), ("split", _text)]),
    QRELS: pa.schema([("query", _text), ("passage", _text), ("grade", pa.int32()), ("split", _text)]),
    ANSWERS: pa.schema([("query", _text), ("answer", _text)]),
}


def table_writer(path: Path) -> TableWriter:
    """A writer for the file of a collection that the name says."""
    return TableWriter(path, SCHEMAS[path.name])


class Collection:
    """Passages by position or id, queries and qrels by split."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._passages = open_table(folder / PASSAGES)

    def __len__(self) -> int:
        return int(self._passages.num_rows)

    @cached_property
    def ids(self) -> list[str]:
        """Passage ids by position."""
        ids: list[str] = self._passages.column("id").to_pylist()
        return ids

    @cached_property
    def positions(self) -> dict[str, int]:
        """Position by passage id."""
        return {id: position for position, id in enumerate(self.ids)}

    @cached_property
    def langs(self) -> NDArray[np.object_]:
        """Passage languages by position."""
        values: NDArray[np.object_] = self._passages.column("lang").to_numpy(zero_copy_only=False)
        return values

    def lang_of(self, id: str) -> str:
        """The language of a passage, without reading its text."""
        lang: str = self.langs[self.positions[id]]
        return lang

    @cached_property
    def languages(self) -> list[str]:
        """The languages that passages are in."""
        return sorted(set(self.langs.tolist()))

    def mask(self, langs: Sequence[str] | None = None, subset: Sequence[str] | None = None) -> NDArray[np.bool_] | None:
        """Which positions are in these languages and have these ids; None when all are."""
        mask: NDArray[np.bool_] | None = None
        if langs is not None:
            mask = np.isin(self.langs.astype(str), list(langs))
        if subset is not None:
            chosen = np.zeros(len(self), dtype=bool)
            chosen[[self.positions[id] for id in subset if id in self.positions]] = True
            mask = chosen if mask is None else mask & chosen
        return mask

    def at(self, position: int) -> Passage:
        """The passage in a row."""
        row = self._passages.slice(position, 1)
        return Passage(*(row.column(name)[0].as_py() for name in Passage._fields))

    def passage(self, id: str) -> Passage:
        """The passage with an id."""
        if id not in self.positions:
            raise MissingError(f"no passage {id!r} in this collection", "look the id up with `mdr search`")
        return self.at(self.positions[id])

    def passages(self) -> Iterator[Passage]:
        """All passages in order, read in batches."""
        return map(Passage._make, rows_of(self._passages))

    @cached_property
    def twins(self) -> dict[str, list[int]]:
        """Positions of passages by their twin name."""
        groups: dict[str, list[int]] = {}
        for position, twin in enumerate(self._passages.column("twin").to_pylist()):
            if twin:
                groups.setdefault(twin, []).append(position)
        return groups

    @cached_property
    def query_rows(self) -> list[tuple[Query, str]]:
        """Every query with its split; one that is in two splits comes twice."""
        table = open_table(self.folder / QUERIES)
        columns = (table.column(name).to_pylist() for name in ("id", "lang", "text", "split"))
        return [(Query(id, lang, text), split) for id, lang, text, split in zip(*columns, strict=True)]

    def queries(self, split: str | None = None) -> list[Query]:
        """Queries of a split; those without a split belong to every one."""
        found = {query.id: query for query, its in self.query_rows if split is None or its in ("", split)}
        return list(found.values())

    @cached_property
    def qrel_rows(self) -> list[tuple[str, str, int, str]]:
        """Every grade: query, passage, grade, split."""
        table = open_table(self.folder / QRELS)
        return list(
            zip(*(table.column(name).to_pylist() for name in ("query", "passage", "grade", "split")), strict=True)
        )

    def qrels(self, split: str | None = None) -> Qrels:
        """Grades of a split, by query and passage."""
        qrels: dict[str, dict[str, int]] = {}
        for query, passage, grade, its in self.qrel_rows:
            if split is None or its in ("", split):
                qrels.setdefault(query, {})[passage] = grade
        return qrels

    @cached_property
    def answers(self) -> dict[str, tuple[str, ...]]:
        """Answer strings by query, for collections that were published with them instead of qrels."""
        answers: dict[str, tuple[str, ...]] = {}
        if (path := self.folder / ANSWERS).exists():  # only written where there are some
            table = open_table(path)
            for query, answer in zip(
                table.column("query").to_pylist(), table.column("answer").to_pylist(), strict=True
            ):
                answers[query] = (*answers.get(query, ()), answer)
        return answers

    @cached_property
    def splits(self) -> list[str]:
        """Names of the splits that qrels or queries carry."""
        return sorted({row[3] for row in self.qrel_rows} | {split for _, split in self.query_rows})
