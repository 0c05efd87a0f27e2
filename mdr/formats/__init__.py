"""Published file formats, read and written as streams. To add one, write a module and put it into the table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mdr.errors import InputError
from mdr.formats.beir import BEIR
from mdr.formats.dpr import DPR
from mdr.formats.folder import FOLDER
from mdr.formats.hub import HUB
from mdr.formats.published import PUBLISHED
from mdr.formats.questions import MKQA, XOR
from mdr.formats.records import Asked, Format, Graded, Record
from mdr.formats.squad import SQUAD, XQUAD, XQUAD_R
from mdr.formats.tabular import TABULAR
from mdr.formats.tydi import TYDI
from mdr.formats.writing import new_folder
from mdr.storage.collection import Collection

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (FOLDER, *PUBLISHED, XOR, MKQA, TYDI, SQUAD, XQUAD, XQUAD_R, BEIR, DPR, TABULAR, HUB)
}
"""Every format by name."""


def format_of(name: str) -> Format:
    """The format with a name."""
    if name not in FORMATS:
        raise InputError(f"there is no format {name!r}", f"formats are {', '.join(FORMATS)}")
    return FORMATS[name]


def export_collection(collection: Collection, format: str, folder: Path) -> list[str]:
    """Write a collection in a format into a folder that is new or empty; returns what the format has no room for."""
    write = format_of(format).write
    if write is None:
        able = ", ".join(name for name, each in FORMATS.items() if each.write)
        raise InputError(f"{format} is only read, not written", f"formats that are written: {able}")
    new_folder(folder)
    write(_Records(collection), folder)
    holds = {
        "answers": bool(collection.answers),
        "twins": bool(collection.twins),
        "splits of queries": any(split for _, split in collection.query_rows),
    }
    return [what for what in FORMATS[format].loses if holds[what]]


class _Records:
    """A collection as records, as often as a writer needs to go through them."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def __iter__(self) -> Iterator[Record]:
        yield from self._collection.passages()
        answers = self._collection.answers
        for query, split in self._collection.query_rows:
            yield Asked(query, split, answers.get(query.id, ()))
        for row in self._collection.qrel_rows:
            yield Graded(*row)
