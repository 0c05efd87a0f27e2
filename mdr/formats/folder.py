"""The project's own format: a folder of JSON Lines and TREC qrels, or a folder of such folders.

    corpus*.jsonl[.gz], passages*.jsonl[.gz]   {"id", "lang", "title", "text", "twin"?}
    queries[.SPLIT].jsonl[.gz]                 {"id", "lang", "text", "answers"?}
    qrels[.SPLIT].tsv|txt                      query 0 passage grade

`passages.train.jsonl.gz` belongs to the split `train`: it is read when that split is. A folder of folders is read as
their union; since parts may use one id for different texts, ids there become `part:id`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mdr.errors import FormatError
from mdr.formats.lines import field, json_rows
from mdr.formats.parts import folders, prefix_of, qualified
from mdr.formats.records import Asked, Cursor, Format, Graded, Options, Record, asked, passage
from mdr.formats.trec import qrels_rows
from mdr.formats.writing import TextFiles
from mdr.types import Passage

_FILE = re.compile(
    r"(?P<kind>corpus|passages|queries)(?:[-_][^.]*)?(?:\.(?P<split>[^.]+))?\.jsonl(?:\.gz)?"
    r"|(?P<qrels>qrels)(?:\.(?P<qsplit>[^.]+))?\.(?:tsv|txt)(?:\.gz)?"
)
_ORDER = ("corpus", "passages", "queries", "qrels")


def _parts(path: Path, options: Options) -> dict[str, list[tuple[int, str, Path]]]:
    def own(folder: Path) -> list[tuple[int, str, Path]]:
        """Kind, split and path of the files in a folder, queries before qrels."""
        found = []
        for file in folder.iterdir():
            match = _FILE.fullmatch(file.name)
            if match and options.wants(split := match["split"] or match["qsplit"] or ""):
                found.append((_ORDER.index(match["kind"] or match["qrels"]), split, file))
        return sorted(found)

    return folders(path, options, own, "corpus*.jsonl, queries*.jsonl or qrels*.tsv")


def files(path: Path, options: Options) -> list[Path]:
    """Everything that `read` opens."""
    return [file for part in _parts(path, options).values() for _, _, file in part]


def read(path: Path, options: Options, at: Cursor) -> Iterator[Record]:
    """Passages, queries and grades, part by part."""
    parts = _parts(path, options)
    for name, part in parts.items():
        prefix = prefix_of(path, name, parts)
        for kind, split, file in part:
            yield from qualified(_read_file(_ORDER[kind], split, file, options, at), prefix, prefix)


def _read_file(kind: str, split: str, file: Path, options: Options, at: Cursor) -> Iterator[Record]:
    if kind == "qrels":
        yield from qrels_rows(file, at, split)
        return
    for row in json_rows(file, at):
        id, text, lang = field(row, ("id",), at), field(row, ("text",), at), row.get("lang") or options.lang
        if kind == "queries":
            yield asked(at, id, lang, text, split, row.get("answers"))
        else:
            yield passage(at, id, lang, row.get("title"), text, row.get("twin"))


def write(records: Iterable[Record], folder: Path) -> None:
    """The records as `corpus.jsonl.gz` and, by split, queries and qrels."""
    with TextFiles(folder) as out:
        for record in records:
            match record:
                case Passage():
                    row: dict[str, Any] = record._asdict()
                    if not record.twin:
                        del row["twin"]
                    out.json("corpus.jsonl.gz", row)
                case Asked(query, split, answers):
                    row = {**query._asdict(), "answers": list(answers)} if answers else query._asdict()
                    out.json(f"queries{dotted(folder, split)}.jsonl.gz", row)
                case Graded(query, about, grade, split):
                    out.line(f"qrels{dotted(folder, split)}.tsv", f"{query} 0 {about} {grade}")


def dotted(folder: Path, split: str) -> str:
    """A split as the middle part of a file name."""
    if split and not re.fullmatch(r"[\w-]+", split):
        raise FormatError(folder, None, f"the split {split!a} cannot be a part of a file name", "rename the split")
    return f".{split}" if split else ""


FOLDER = Format("folder", "the project's own: corpus, queries and qrels as JSON Lines and TREC", files, read, write)
