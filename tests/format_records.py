"""Records of published formats for tests: read from a path, told apart by kind; and files of lines to read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from mdr.formats import FORMATS
from mdr.formats.records import Asked, Cursor, Graded, Options, Record
from mdr.types import Passage


def read(format: str, path: Path, **options: object) -> list[Record]:
    """All records of a path."""
    return list(FORMATS[format].read(path, Options(**options), Cursor()))  # type: ignore[arg-type]


def kinds(records: Iterable[Record]) -> tuple[set[Passage], set[Asked], set[Graded]]:
    """Records by kind, without their order."""
    records = list(records)
    passages, queries, grades = (
        {record for record in records if isinstance(record, kind)} for kind in (Passage, Asked, Graded)
    )
    return passages, queries, grades


def lines(path: Path, *rows: object) -> Path:
    """A file of lines; rows that are no text are written as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path
