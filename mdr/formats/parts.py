"""Collections in several files, folders or languages: finding files, choosing parts, keeping their ids apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sized
from pathlib import Path
from typing import TypeVar

from mdr.errors import FormatError
from mdr.formats.records import Asked, Cursor, Graded, Options, Record, identifier
from mdr.types import Passage

_T = TypeVar("_T")


def listed(path: Path, pattern: str, wanted: str) -> list[Path]:
    """The file itself, or the files below a folder whose names match, in order."""
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.is_file() and re.fullmatch(pattern, file.name))
    if not found:
        raise missing(path, wanted)
    return found


def missing(path: Path, wanted: str) -> FormatError:
    """Why nothing was found."""
    if not path.exists():
        return FormatError(path, None, "does not exist", "check the path")
    what = "holds no" if path.is_dir() else "is not a folder with"
    return FormatError(
        path, None, f"{what} {wanted}", "check the path and the splits; `mdr import --help` lists the formats"
    )


def folders(path: Path, options: Options, own: Callable[[Path], list[_T]], wanted: str) -> dict[str, list[_T]]:
    """What a folder holds itself, or else what the folders in it hold, by their names."""
    if path.is_dir():
        if here := own(path):
            return {"": here}
        parts = {folder.name: own(folder) for folder in sorted(path.iterdir()) if folder.is_dir()}
        if parts := {name: files for name, files in parts.items() if files}:
            return chosen(path, parts, options)
    raise missing(path, wanted)


def chosen(path: Path, parts: dict[str, _T], options: Options) -> dict[str, _T]:
    """The parts that were asked for; all when none were."""
    if unknown := [name for name in options.parts if name not in parts]:
        raise FormatError(path, None, f"has no part {unknown[0]!r}; there are {', '.join(parts)}", "name some of these")
    return {name: part for name, part in parts.items() if not options.parts or name in options.parts}


def prefix_of(path: Path, name: str, parts: Sized) -> str:
    """What goes before the ids of a part: nothing when it is the only one."""
    if len(parts) < 2:
        return ""
    return identifier(Cursor(path), f"{name}:", "name of a part, which becomes a part of ids,")


def qualified(records: Iterable[Record], queries: str, passages: str) -> Iterator[Record]:
    """Records with a prefix before their ids. Twins keep theirs: they link across parts."""
    if not queries and not passages:
        yield from records
        return
    for record in records:
        match record:
            case Passage():
                yield record._replace(id=passages + record.id)
            case Asked():
                yield record._replace(query=record.query._replace(id=queries + record.query.id))
            case Graded():
                yield record._replace(query=queries + record.query, passage=passages + record.passage)
