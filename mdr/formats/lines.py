"""Reading text files line by line: gzip or plain, UTF-8, of bounded memory, with errors that name file and line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from mdr.formats.records import Cursor, shown

LIMIT = 16 << 20
"""Bytes of one line, or of one element of a JSON document. Longer ones are mistakes or attacks."""

_FETCH_AGAIN = "the file was probably not copied whole: fetch it again"


@contextmanager
def opened(path: Path, at: Cursor) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked when they start as gzip does, whatever the name says."""
    at.path, at.line = path, None
    try:
        stream: BinaryIO = path.open("rb")
    except IsADirectoryError:
        raise at.error("is a folder, a file was expected", "name a file in it, or choose another format") from None
    except OSError as error:
        raise at.error(f"cannot be read: {error.strerror}", "check the path and its permissions") from None
    with stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        yield io.BufferedReader(gzip.GzipFile(fileobj=stream), 1 << 18) if packed else stream


def read_bytes(read: Any, size: int, at: Cursor) -> bytes:
    """What `read(size)` gives, with broken gzip told."""
    try:
        data: bytes = read(size)
    except EOFError:
        raise at.error("the gzip file ends too early", _FETCH_AGAIN) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise at.error(f"the gzip file is damaged: {error}", _FETCH_AGAIN) from None
    except OSError as error:
        raise at.error(f"cannot be read: {error.strerror}", "check the disk, and fetch the file again") from None
    return data


def lines(path: Path, at: Cursor) -> Iterator[str]:
    """Lines without their ends. Only line feeds end lines: texts hold other separators."""
    return (line.removesuffix("\n").removesuffix("\r") for line in _whole_lines(path, at))


def _whole_lines(path: Path, at: Cursor) -> Iterator[str]:
    with opened(path, at) as stream:
        number = 0
        while True:
            at.line = number + 1
            raw = read_bytes(stream.readline, LIMIT + 1, at)
            if not raw:
                break
            if len(raw) > LIMIT:
                raise at.error(
                    f"the line is longer than {LIMIT >> 20} MB",
                    "one record belongs on each line; is it another format?",
                )
            number += 1
            yield decoded(raw, at, first=number == 1)
    at.line = None
    if not number:
        raise at.error("is empty", "delete it, or fetch it again")


def decoded(raw: bytes, at: Cursor, first: bool) -> str:
    """Bytes as text; a byte order mark at the start of a file is left out."""
    try:
        return raw.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        utf16 = first and raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        raise at.error(
            f"not UTF-8: {raw[error.start]:#04x} at byte {error.start + 1} of the line"
            + (" (it looks like UTF-16)" if utf16 else ""),
            "convert the file: iconv -f OLD_ENCODING -t UTF-8",
        ) from None


def parsed(text: str, at: Cursor) -> Any:
    """A JSON value."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        cut = " (cut off?)" if error.pos >= len(text.rstrip()) or "Unterminated" in error.msg else ""
        raise at.error(
            f"not JSON: {error.msg} at column {error.colno}{cut}", "each line holds one JSON object"
        ) from None
    except (ValueError, RecursionError) as error:
        raise at.error(f"JSON that cannot be read: {error}", "each line holds one JSON object") from None


def json_rows(path: Path, at: Cursor) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file; blank lines are passed over."""
    for line in lines(path, at):
        if line.strip():
            row = parsed(line, at)
            if not isinstance(row, dict):
                raise at.error(
                    f"expected a JSON object, found a {type(row).__name__}", "each line holds one JSON object"
                )
            yield row


def separated_rows(path: Path, at: Cursor, separator: str) -> Iterator[list[str]]:
    """The rows of a CSV or TSV file, in which quotes may hold separators and line ends; blank lines are passed over."""
    csv.field_size_limit(LIMIT)  # an open quote swallows what follows, up to this
    try:
        yield from filter(None, csv.reader(_whole_lines(path, at), delimiter=separator, strict=True))
    except csv.Error as error:
        raise at.error(
            f"not a separated file: {error}", "quote cells that start with a quote, and double quotes in them"
        ) from None


def field(row: Any, names: tuple[str, ...], at: Cursor) -> Any:
    """The first of these fields that an object has."""
    if not isinstance(row, dict):
        raise at.error(f"expected an object with {names[0]}, found {shown(row)}", "choose another format")
    for name in names:
        if name in row:
            return row[name]
    have = ", ".join(map(ascii, list(row)[:10])) or "none"
    raise at.error(f"the field {' or '.join(names)} is missing; there are {have}", "add it, or choose another format")


_KINDS: Mapping[type, str] = {dict: "objects", str: "texts", list: "lists"}


def items(row: Any, name: str, at: Cursor, *kinds: type, optional: bool = False) -> list[Any]:
    """The list that an object has in a field, whose elements are of these kinds."""
    values = row.get(name) if optional and isinstance(row, dict) else field(row, (name,), at)
    if optional and values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, kinds) for value in values):
        wanted = " or ".join(_KINDS[kind] for kind in kinds)
        raise at.error(f"the field {name} should be a list of {wanted}, found {shown(values)}", "choose another format")
    return values
