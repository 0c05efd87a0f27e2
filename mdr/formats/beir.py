"""BEIR folders: `corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`.

They name no language: say it. What we write keeps languages, twins and answers under `metadata`, where BEIR has room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mdr.formats.folder import dotted
from mdr.formats.lines import field, json_rows, lines
from mdr.formats.parts import folders, prefix_of, qualified
from mdr.formats.records import Asked, Cursor, Format, Graded, Options, Record, asked, graded, passage
from mdr.formats.writing import TextFiles
from mdr.types import Passage

_HEADER = ["query-id", "corpus-id", "score"]


def _parts(path: Path, options: Options) -> dict[str, list[Path]]:
    def own(folder: Path) -> list[Path]:
        """Corpus, queries and the qrels of the splits."""
        tables = [folder / f"{name}.jsonl{packed}" for name in ("corpus", "queries") for packed in ("", ".gz")]
        qrels = [file for file in sorted(folder.glob("qrels/*.tsv")) if options.wants(file.stem)]
        return [file for file in tables if file.is_file()] + qrels

    return folders(path, options, own, "corpus.jsonl, queries.jsonl or qrels/*.tsv")


def files(path: Path, options: Options) -> list[Path]:
    """Everything that `read` opens."""
    return [file for part in _parts(path, options).values() for file in part]


def read(path: Path, options: Options, at: Cursor) -> Iterator[Record]:
    """Passages, queries and grades, part by part."""
    parts = _parts(path, options)
    for name, part in parts.items():
        prefix = prefix_of(path, name, parts)
        for file in part:
            rows = _grades(file, at) if file.suffix == ".tsv" else _texts(file, options, at)
            yield from qualified(rows, prefix, prefix)


def _texts(file: Path, options: Options, at: Cursor) -> Iterator[Record]:
    for row in json_rows(file, at):
        more = row.get("metadata")
        more = more if isinstance(more, dict) else {}
        id, text, lang = field(row, ("_id", "id"), at), field(row, ("text",), at), more.get("lang") or options.lang
        if file.name.startswith("corpus"):
            yield passage(at, id, lang, row.get("title"), text, more.get("twin"))
        else:
            yield asked(at, id, lang, text, "", more.get("answers"))


def _grades(file: Path, at: Cursor) -> Iterator[Graded]:
    for number, line in enumerate(lines(file, at)):
        cells = line.split("\t")
        if (number == 0 and cells == _HEADER) or not line.strip():
            continue
        if len(cells) != 3:
            raise at.error(f"expected 3 columns, found {len(cells)}", "query-id<TAB>corpus-id<TAB>score")
        query, about, grade = cells
        yield graded(at, query, about, grade, file.stem)


def write(records: Iterable[Record], folder: Path) -> None:
    """A BEIR folder. BEIR's queries belong to no split, and its qrels to one: those without a split go to `test`."""
    with TextFiles(folder) as out:
        for record in records:
            match record:
                case Passage(id, lang, title, text, twin):
                    more: dict[str, Any] = {"lang": lang, "twin": twin} if twin else {"lang": lang}
                    out.json("corpus.jsonl", {"_id": id, "title": title, "text": text, "metadata": more})
                case Asked(query, _, answers):
                    more = {"lang": query.lang, "answers": list(answers)} if answers else {"lang": query.lang}
                    out.json("queries.jsonl", {"_id": query.id, "text": query.text, "metadata": more})
                case Graded(query, about, grade, split):
                    name = f"qrels/{dotted(folder, split or 'test')[1:]}.tsv"
                    out.line(name, f"{query}\t{about}\t{grade}", header="\t".join(_HEADER))


BEIR = Format(
    "beir",
    "BEIR folders: corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv",
    files,
    read,
    write,
    loses=("splits of queries",),
)
