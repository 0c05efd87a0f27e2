"""Written pairs by their place: counted, filtered and read a page at a time, however many there are.

Tables are memory-mapped; a filter reads the columns that it asks about, and of texts only what is shown is read.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeAlias, TypeVar, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mdr.errors import MissingError
from mdr.storage.collection import PASSAGES
from mdr.storage.pairs import DROPPED, LISTS, PAIRS, Pair, Scored
from mdr.storage.tables import open_table
from mdr.types import Passage, Query

T = TypeVar("T")
Rows: TypeAlias = NDArray[np.int64]
PairTable: TypeAlias = Literal["kept", "dropped", "lists"]
PAIR_TABLES: tuple[PairTable, ...] = get_args(PairTable)
_FILES: Mapping[PairTable, str] = {"kept": PAIRS, "dropped": DROPPED, "lists": LISTS}
ROLES = {"positives": "positive", "negatives": "negative", "candidates": "candidate"}
"""Columns that name passages, and what a passage is there."""


@dataclass(frozen=True)
class PairFilter:
    """Which rows; what is empty is not asked. `text`: a part of the query's text; `query`: its id or whole text;
    `passage`: the id of a passage that the row names."""

    lang: str = ""
    rule: str = ""
    origin: str = ""
    round: int | None = None
    text: str = ""
    query: str = ""
    passage: str = ""

    @property
    def asked(self) -> dict[str, Any]:
        """What is asked, by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value not in ("", None)}


class PairBrowser:
    """The tables of one folder of pairs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables = {name: open_table(folder / file) for name, file in _FILES.items()}
        self._memory: OrderedDict[Any, Any] = OrderedDict()
        self._lock = Lock()

    def count(self, table: PairTable) -> int:
        """How many rows a table has."""
        return int(self._tables[table].num_rows)

    def facets(self, table: PairTable) -> dict[str, dict[Any, int]]:
        """How often each language, rule, round and origin comes, the commonest first."""
        return self._remember(("facets", table), lambda: self._counted(self._tables[table]))

    def rows(self, table: PairTable, wanted: PairFilter) -> Rows:
        """Places of the rows that fit, in the order they were written."""
        if not wanted.asked:
            return np.arange(self.count(table))
        if not all(_storable(value) for value in wanted.asked.values() if isinstance(value, str)):
            return np.empty(0, np.int64)
        return self._remember(("rows", table, wanted), lambda: self._fitting(table, wanted))

    def at(self, table: PairTable, row: int) -> Pair | Scored:
        """The row at a place."""
        if not 0 <= row < self.count(table):
            raise MissingError(
                f"there is no row {row:,} in {table}", f"it has {self.count(table):,}, the first of them 0"
            )
        values = {name: column[0].as_py() for name, column in _columns(self._tables[table].slice(row, 1))}
        query = Query(values.pop("query"), values.pop("lang"), values.pop("text"))
        evidence = json.loads(values.pop("evidence"))
        values = {name: tuple(its) if isinstance(its, list) else its for name, its in values.items()}
        kind: Any = Scored if table == "lists" else Pair
        found: Pair | Scored = kind(query, **values, evidence=evidence)
        return found

    def passages(self, ids: Collection[str]) -> dict[str, Passage]:
        """Passages by id, as far as the folder has their texts."""
        if not ids:
            return {}
        rows = self._passages.filter(pc.is_in(self._passages.column("id"), pa.array(ids, pa.large_string())))
        return {row["id"]: Passage(**row) for row in rows.to_pylist()}

    def naming(self, table: PairTable, passage: str) -> dict[str, Rows]:
        """Places of the rows that name a passage, by the role that it has there."""
        if not _storable(passage):
            return {}
        columns = [name for name in ROLES if name in self._tables[table].column_names]
        return {ROLES[name]: rows for name in columns if len(rows := self._naming(table, name, passage))}

    def counts_of(self, table: PairTable, passages: Collection[str]) -> Counter[str]:
        """In how many rows each of some passages is named; those in none are left out."""
        wanted = pa.array([id for id in passages if _storable(id)], pa.large_string())
        named: set[tuple[int, str]] = set()
        for name in ROLES:
            if name not in self._tables[table].column_names:
                continue
            start = 0
            for chunk in self._tables[table].column(name).chunks:
                ids = pc.list_flatten(chunk)
                there = pc.is_in(ids, wanted)
                rows = pc.list_parent_indices(chunk).filter(there).to_pylist()
                named |= {(start + row, id) for row, id in zip(rows, ids.filter(there).to_pylist(), strict=True)}
                start += len(chunk)
        return Counter(id for _, id in named)

    def numbers(self, table: PairTable, of: Callable[[Mapping[str, Any]], float | None]) -> NDArray[np.float64]:
        """A number of each row's evidence, NaN where there is none; of lists, the highest score."""
        return self._remember(("numbers", table), lambda: self._computed(table, of))

    # -- how ----------------------------------------------------------------------------------------------

    @cached_property
    def _passages(self) -> pa.Table:
        return open_table(self.folder / PASSAGES)

    def _remember(self, key: Any, make: Callable[[], T]) -> T:
        """The last few answers: pages of one filter follow each other. What is written never changes."""
        with self._lock:
            if key in self._memory:
                found: T = self._memory[key]
                return found
        made = make()
        with self._lock:
            self._memory[key] = made
            while len(self._memory) > _REMEMBERED:
                self._memory.popitem(last=False)
        return made

    def _counted(self, columns: pa.Table) -> dict[str, dict[Any, int]]:
        counts: dict[str, dict[Any, int]] = {}
        for name in ("lang", "rule", "round", "origin"):
            if name in columns.column_names:
                found = pc.value_counts(columns.column(name)).to_pylist()
                found.sort(key=lambda row: (-row["counts"], row["values"]))
                counts[name] = {row["values"]: row["counts"] for row in found}
        return counts

    def _fitting(self, table: PairTable, wanted: PairFilter) -> Rows:
        asked = wanted.asked
        mask = np.ones(self.count(table), bool)
        if passage := asked.pop("passage", None):
            named = np.concatenate([np.empty(0, np.int64), *self.naming(table, passage).values()])
            mask = np.isin(np.arange(len(mask)), named)
        for name, value in asked.items():
            mask &= self._mask(table, name, value)
        return np.flatnonzero(mask)

    def _mask(self, table: PairTable, name: str, value: Any) -> NDArray[np.bool_]:
        columns = self._tables[table]
        if name == "text":
            found = pc.match_substring(columns.column("text"), value, ignore_case=True)
        elif name == "query":
            found = pc.or_(pc.equal(columns.column("query"), value), pc.equal(columns.column("text"), value))
        elif name in columns.column_names:
            found = pc.equal(columns.column(name), value)
        else:  # lists have no rule, round or origin of their own
            return np.zeros(len(columns), bool)
        mask: NDArray[np.bool_] = found.to_numpy()
        return mask

    def _naming(self, table: PairTable, name: str, passage: str) -> Rows:
        rows, start = [np.empty(0, np.int64)], 0
        for chunk in self._tables[table].column(name).chunks:
            there = pc.list_parent_indices(chunk).filter(pc.equal(pc.list_flatten(chunk), passage))
            rows.append(np.unique(there.to_numpy(zero_copy_only=False)).astype(np.int64) + start)
            start += len(chunk)
        return np.concatenate(rows)

    def _computed(self, table: PairTable, of: Callable[[Mapping[str, Any]], float | None]) -> NDArray[np.float64]:
        if table == "lists":
            values = [max(its, default=None) for its in self._tables[table].column("scores").to_pylist()]
        else:
            chunks = self._tables[table].column("evidence").chunks
            values = [of(json.loads(text)) for chunk in chunks for text in chunk.to_pylist()]
        return np.array([np.nan if value is None else value for value in values], np.float64)


_REMEMBERED = 12


def _storable(text: str) -> bool:
    """Whether a table could hold a text at all; lone surrogates it could not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _columns(table: pa.Table) -> list[tuple[str, Any]]:
    return list(zip(table.column_names, table.columns, strict=True))
