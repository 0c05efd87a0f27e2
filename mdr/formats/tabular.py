"""Tables with a row per record: JSON Lines, CSV, TSV and Parquet, with a mapping of columns.

What a row holds follows from its columns: a passage (id, text), a query (query_id, query), a grade (query_id, id,
grade); a row may hold all three. In files named queries*, topics* or questions*, `id` and `text` are those of queries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mdr.formats.lines import json_rows, separated_rows
from mdr.formats.parts import listed
from mdr.formats.records import Asked, Cursor, Format, Graded, Options, Record, asked, graded, passage
from mdr.formats.writing import TableFiles
from mdr.types import Passage

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("id", "_id", "docid", "doc_id", "passage_id", "passage-id", "corpus-id", "corpus_id", "pid"),
    "lang": ("lang", "language"),
    "title": ("title",),
    "text": ("text", "contents", "passage"),
    "twin": ("twin",),
    "query_id": ("query_id", "query-id", "qid"),
    "query": ("query", "question"),
    "query_lang": ("query_lang",),
    "answers": ("answers",),
    "grade": ("grade", "score", "relevance"),
    "split": ("split",),
}
"""Our field names, and what others call the columns; a mapping given by hand goes before."""

_QUERY_COLUMNS = {
    **COLUMNS,
    "id": (),
    "text": (),
    "query_id": (*COLUMNS["query_id"], "id", "_id"),
    "query": (*COLUMNS["query"], "text"),
    "query_lang": (*COLUMNS["query_lang"], *COLUMNS["lang"]),
}
_QUERIES = re.compile(r"(queries|topics|questions)\b.*")
_FILE = r".+\.(jsonl|csv|tsv)(\.gz)?|.+\.parquet"
_ORDER = (re.compile(r"(corpus|passages|docs)\b.*"), _QUERIES)


def files(path: Path, options: Options) -> list[Path]:
    """Tables of passages, then of queries, then others."""
    found = listed(path, _FILE, "tables (.jsonl, .csv, .tsv, .parquet)")
    return sorted(found, key=lambda file: (rank(file.name), file))


def rank(name: str) -> int:
    """Where a table comes: a query must be known before its grades."""
    return next((place for place, pattern in enumerate(_ORDER) if pattern.fullmatch(name)), len(_ORDER))


def read(path: Path, options: Options, at: Cursor) -> Iterator[Record]:
    """The records of every row."""
    for file in files(path, options):
        rows = _rows(file, at)
        yield from records(rows, file.name, options, at)


def records(
    rows: Iterable[Mapping[str, Any]], name: str, options: Options, at: Cursor, split: str = ""
) -> Iterator[Record]:
    """Rows of a table as records; `split` is theirs where no column says."""
    defaults = _QUERY_COLUMNS if _QUERIES.fullmatch(name) else COLUMNS
    for row in rows:
        values = _mapped(row, defaults, options.columns, at)
        its = str(values.get("split") or split)
        if options.wants(its):
            yield from _records(values, its, options.lang, at)


def _records(values: Mapping[str, Any], split: str, lang: str, at: Cursor) -> Iterator[Record]:
    found = 0
    passage_lang = values.get("lang") or lang
    if "id" in values and "text" in values:
        found += 1
        yield passage(at, values["id"], passage_lang, values.get("title"), values["text"], values.get("twin"))
    if "query_id" in values and "query" in values:
        found += 1
        query_lang = values.get("query_lang") or passage_lang
        yield asked(at, values["query_id"], query_lang, values["query"], split, values.get("answers"))
    if "query_id" in values and "id" in values and "grade" in values:
        found += 1
        yield graded(at, values["query_id"], values["id"], values["grade"], split)
    if not found:
        raise at.error(
            f"no passage (id, text), query (query_id, query) or grade (query_id, id, grade): {_names(values)}",
            "say which column is which: --columns id=COLUMN,text=COLUMN",
        )


def _mapped(
    row: Mapping[str, Any], defaults: Mapping[str, tuple[str, ...]], columns: Mapping[str, str], at: Cursor
) -> dict[str, Any]:
    """A row by our field names; empty cells are left out."""
    for ours, theirs in columns.items():
        if ours not in COLUMNS or theirs not in row:
            what = f"column {theirs!r}" if ours in COLUMNS else f"field {ours!r}"
            have = row if ours in COLUMNS else COLUMNS
            raise at.error(f"there is no {what}; there are {_names(have)}", "correct --columns FIELD=COLUMN")
    taken = set(columns.values())
    values = {}
    for ours, names in defaults.items():
        names = (columns[ours],) if ours in columns else tuple(name for name in names if name not in taken)
        found = next((row[name] for name in names if name in row), None)
        if found is not None:
            values[ours] = found
    return values


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(ascii, list(names)[:20])) or "none"


# -- files --------------------------------------------------------------------------------------------------


def _rows(file: Path, at: Cursor) -> Iterator[Mapping[str, Any]]:
    if file.suffix == ".parquet":
        return _parquet(file, at)
    kind = file.name.removesuffix(".gz").rpartition(".")[2]
    return json_rows(file, at) if kind == "jsonl" else _separated(file, at, {"csv": ",", "tsv": "\t"}[kind])


def _separated(file: Path, at: Cursor, separator: str) -> Iterator[Mapping[str, Any]]:
    header: list[str] = []
    for cells in separated_rows(file, at, separator):
        if not header:
            header = cells
            if len(set(header)) < len(header):
                raise at.error(f"two columns have one name: {_names(header)}", "rename one of them")
        elif len(cells) != len(header):
            raise at.error(f"expected {len(header)} cells, found {len(cells)}", f"the columns are {_names(header)}")
        else:
            yield dict(zip(header, cells, strict=True))


def _parquet(file: Path, at: Cursor) -> Iterator[Mapping[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    at.path, at.line = file, None
    try:
        with parquet.ParquetFile(file) as table:
            number = 0
            for batch in table.iter_batches(batch_size=1_000):
                for row in batch.to_pylist():
                    number += 1
                    at.line = number
                    yield row
    except (pa.ArrowException, OSError) as error:
        raise at.error(
            f"not a Parquet file: {error}", "the file was probably not copied whole: fetch it again"
        ) from None


def write(records: Iterable[Record], folder: Path) -> None:
    """`passages.parquet`, `queries.parquet` and `qrels.parquet`."""
    with TableFiles(folder) as out:
        for record in records:
            match record:
                case Passage():
                    out.row("passages", record._asdict())
                case Asked(query, split, answers):
                    row = {"query_id": query.id, "query_lang": query.lang, "query": query.text}
                    out.row("queries", {**row, "split": split, "answers": list(answers)})
                case Graded(query_id, about, grade, split):
                    out.row("qrels", {"query_id": query_id, "id": about, "grade": grade, "split": split})


TABULAR = Format("tabular", "JSON Lines, CSV, TSV or Parquet, with a mapping of columns", files, read, write)
