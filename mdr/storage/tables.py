"""Tables as Arrow files: appended in batches, memory-mapped when read, their columns given by a schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

BATCH = 10_000


class TableWriter:
    """Appends rows to one Arrow file in batches; closing finishes the file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pa.ipc.new_file(str(path), schema)
        self._rows: list[Sequence[Any]] = []
        self.count = 0

    def add(self, row: Sequence[Any]) -> None:
        """One row, in the order of the schema."""
        self._rows.append(row)
        self.count += 1
        if len(self._rows) >= BATCH:
            self._flush()

    def close(self) -> None:
        """Write what is left and the footer."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            columns = [
                pa.array(values, type=field.type)
                for values, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._writer.write_batch(pa.record_batch(columns, schema=self._schema))
            self._rows = []


def open_table(path: Path) -> pa.Table:
    """A whole table, memory-mapped."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def rows_of(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Every row as plain values, read in batches."""
    for batch in table.to_batches(max_chunksize=BATCH):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
