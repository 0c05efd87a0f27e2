"""What commands hand over and how it is shown: tables for people, or one JSON value for programs."""

from __future__ import annotations

import json
import math
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 1000
"""Columns where there is no terminal to ask: what goes into a file or a pipe should not be wrapped."""
_HIDDEN = {"Cc", "Cf", "Cs", "Co"}


@dataclass(frozen=True)
class Report:
    """The result of a command: `data` is what `--json` prints, `shown` what people read, `code` the exit code."""

    data: Any
    shown: Sequence[RenderableType] = ()
    code: int = 0


def console(stream: TextIO) -> Console:
    """A console on a stream that never fails on a character the terminal lacks."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=width is not None)


def write(report: Report, as_json: bool) -> None:
    """The report on standard output, flushed: a closed pipe shows here and not at exit."""
    out = console(sys.stdout)
    if as_json:
        # Escapes are valid JSON in every encoding; plain characters only where the stream can write them all.
        everything = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        json.dump(plain(report.data), sys.stdout, ensure_ascii=not everything, allow_nan=False)
        sys.stdout.write("\n")
    else:
        for renderable in report.shown:
            out.print(renderable)
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """A value as JSON can hold it: numbers that are none become null."""
    if isinstance(value, str | int | None):  # bool is an int
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Path | date):
        return str(value)
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:  # a NumPy number
        return plain(value.item())
    if isinstance(value, Iterable):
        return [plain(entry) for entry in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def visible(text: str) -> str:
    """Text fit for a terminal, character by character: what could move the cursor or hide becomes a space."""
    return "".join(
        " " if char not in "\u200c\u200d" and unicodedata.category(char) in _HIDDEN else char for char in text
    )


def table(rows: Iterable[Sequence[Any]], *heads: str, title: str = "") -> RenderableType:
    """Rows under heads; columns of numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    made = Table(title=visible(title) or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column, head in enumerate(heads):
        numbers = all(row[column][1] for row in cells)
        made.add_column(head, justify="right" if numbers and cells else "left", overflow="fold")
    for row in cells:
        made.add_row(*(Text(text) for text, _ in row))
    return made


def _cell(value: Any) -> tuple[str, bool]:
    if value is None:
        return "–", True
    if isinstance(value, float):
        return f"{value:.4f}", True
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}", True
    return visible(str(value)), False


def size(count: int) -> str:
    """Bytes as people say them.

    >>> size(999), size(1_500_000)
    ('999 B', '1.5 MB')
    """
    units = ("B", "kB", "MB", "GB", "TB")
    power = min((len(str(max(count, 1))) - 1) // 3, len(units) - 1)
    return f"{count / 1000**power:.{min(power, 1)}f} {units[power]}"


def lasting(seconds: float) -> str:
    """A stretch of time as people say it."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:,.0f} s"


def counted(count: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "folder"), counted(2000, "folder")
    ('1 folder', '2,000 folders')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'}"
