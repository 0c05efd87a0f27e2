"""Writing text files that appear under their name only when they are whole."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from mdr.errors import FormatError, InputError
from mdr.storage.files import whole_file

_ROWS = 5_000


def new_folder(folder: Path) -> None:
    """Refuse a folder that holds something already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not empty", "name a new folder, so that nothing in this one is lost or mixed up")


@contextmanager
def text_file(path: Path) -> Iterator[TextIO]:
    """A UTF-8 file, gzipped when its name ends so; equal contents give equal bytes."""
    with whole_file(path) as temporary, temporary.open("wb") as raw:
        packed = gzip.GzipFile("", "wb", 6, raw, mtime=0) if path.suffix == ".gz" else raw
        with io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as stream:
            yield stream


class TextFiles:
    """The files of one export, each opened when its first line comes, all published together at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._open: dict[str, TextIO] = {}
        self._arrays: list[str] = []

    def __enter__(self) -> TextFiles:
        return self

    def __exit__(self, *failure: Any) -> None:
        for name in self._arrays:
            self._open[name].write("]\n")
        self._stack.__exit__(*failure)

    def line(self, name: str, text: str, header: str = "") -> None:
        """One more line of a file; `header` is its first."""
        if name not in self._open:
            self._open[name] = self._stack.enter_context(text_file(self._folder / name))
            if header:
                self._open[name].write(f"{header}\n")
        self._open[name].write(f"{text}\n")

    def item(self, name: str, value: Any) -> None:
        """One more element of a file that is a JSON array; closing ends the array."""
        begun = name in self._open
        self.line(name, ("," if begun else "[") + json.dumps(value, ensure_ascii=False))
        if not begun:
            self._arrays.append(name)

    def json(self, name: str, value: Any) -> None:
        """One more JSON object of a file."""
        self.line(name, json.dumps(value, ensure_ascii=False))


def separated(separator: str, *cells: str) -> str:
    """A row of a CSV or TSV file, with quotes where they are needed."""
    row = io.StringIO()
    csv.writer(row, delimiter=separator, lineterminator="\r\n").writerow(cells)  # both characters want quotes
    return row.getvalue().removesuffix("\r\n")


def plain(path: Path | str, *cells: str) -> str:
    """A row of a file whose columns stand between bare tabs, or an error where a value cannot stand in one."""
    for cell in cells:
        if found := {"\t", "\n", "\r"} & set(cell):
            raise FormatError(
                path,
                None,
                f"{ascii(cell)[:80]} holds {', '.join(sorted(map(ascii, found)))}, which this format cannot hold",
                "export to `folder` or `beir`, which can",
            )
    return "\t".join(cells)


class TableFiles:
    """The Parquet files of one export, published together at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> TableFiles:
        return self

    def __exit__(self, *failure: Any) -> None:
        if failure[0] is None:
            for name in self._rows:
                self._flush(name)
        self._stack.__exit__(*failure)

    def row(self, name: str, values: dict[str, Any]) -> None:
        """One more row of a table; the first decides its columns."""
        rows = self._rows.setdefault(name, [])
        rows.append(values)
        if len(rows) >= _ROWS:
            self._flush(name)

    def _flush(self, name: str) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        rows = self._rows[name]
        if name not in self._writers:
            types = {str: pa.string(), int: pa.int64(), list: pa.list_(pa.string())}
            schema = pa.schema([(column, types[type(value)]) for column, value in rows[0].items()])
            path = self._stack.enter_context(whole_file(self._folder / f"{name}.parquet"))
            self._writers[name] = self._stack.enter_context(parquet.ParquetWriter(path, schema))
        self._writers[name].write_table(pa.Table.from_pylist(rows, schema=self._writers[name].schema))
        rows.clear()
