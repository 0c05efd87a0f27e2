"""Questions with their right and wrong passages, as training files have them: DPR, Tevatron, FlagEmbedding.

    DPR             a JSON array of {"question", "answers", "positive_ctxs", "negative_ctxs", "hard_negative_ctxs"}
    Tevatron        JSON Lines of {"query_id", "query", "positive_passages", "negative_passages"}
    FlagEmbedding   JSON Lines of {"query", "pos", "neg"}, texts without ids
    psgs*.tsv       DPR's passages: id, text, title

A right passage is graded 1; a wrong one becomes a passage without a grade, since nobody judged it. Texts without an id
get one from their content. What we write carries languages, grades and ids along in fields that others pass over.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from mdr.errors import MissingError
from mdr.formats.folder import dotted
from mdr.formats.json_stream import json_items
from mdr.formats.lines import field, items, json_rows, separated_rows
from mdr.formats.parts import listed
from mdr.formats.records import Asked, Cursor, Format, Graded, Options, Record, asked, graded, passage
from mdr.formats.writing import TextFiles, separated
from mdr.types import Passage

_PASSAGES = re.compile(r"(psgs|passages).*\.tsv(\.gz)?")
_QUESTION, _QUERY_ID = ("question", "query"), ("id", "q_id", "query_id", "question_id")
_TEXT, _PASSAGE_ID = ("text", "contents"), ("passage_id", "psg_id", "docid", "id")
_RIGHT = ("positive_ctxs", "positive_passages", "pos")
_WRONG = ("negative_ctxs", "hard_negative_ctxs", "negative_passages", "neg")


def files(path: Path, options: Options) -> list[Path]:
    """Passages first, then questions; a file is named after its split."""
    found = listed(path, rf".+\.jsonl?(\.gz)?|{_PASSAGES.pattern}", "DPR, Tevatron or FlagEmbedding files")
    return sorted(found, key=lambda file: (not _PASSAGES.fullmatch(file.name), file))


def _split(file: Path) -> str:
    """`biencoder-nq-dev.json` says dev, `train.json` train."""
    return next((word for word in re.split(r"[._\-]", file.name) if word in ("train", "dev", "test")), "")


def read(path: Path, options: Options, at: Cursor) -> Iterator[Record]:
    """Passages, questions and grades."""
    for file in files(path, options):
        if _PASSAGES.fullmatch(file.name):
            yield from read_passages(file, options.lang, at)
            continue
        rows = json_rows(file, at) if ".jsonl" in file.name else json_items(file, at)
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise at.error(f"expected an object, found a {type(row).__name__}", "is it another format?")
            split = row.get("split") or _split(file)
            if options.wants(split):
                yield from _question(row, f"{file.name.partition('.json')[0]}-{number}", split, options, at)


def read_passages(file: Path, lang: str, at: Cursor) -> Iterator[Passage]:
    """DPR's passages: tab-separated with quotes, with or without a header, which may name a column `lang`."""
    header = ["id", "text", "title"]
    for number, cells in enumerate(separated_rows(file, at, "\t")):
        if number == 0 and cells[:2] == ["id", "text"]:
            header = cells
            continue
        if len(cells) not in (2, len(header)):
            raise at.error(
                f"expected {len(header)} columns ({', '.join(header)}), found {len(cells)}", "is a quote left open?"
            )
        row = dict(zip(header, cells, strict=False))
        yield passage(at, row["id"], row.get("lang") or lang, row.get("title"), row["text"])


def _question(row: dict[str, Any], name: str, split: str, options: Options, at: Cursor) -> Iterator[Record]:
    lang = row.get("lang") or options.lang
    id = next((row[key] for key in _QUERY_ID if row.get(key) not in (None, "")), name)
    question = asked(at, id, lang, field(row, _QUESTION, at), split, row.get("answers"))
    grades = []
    for keys, default in ((_RIGHT, 1), (_WRONG, None)):
        for context in itertools.chain.from_iterable(_contexts(row, key, at) for key in keys):
            text = field(context, _TEXT, at)
            found = next((context[key] for key in _PASSAGE_ID if context.get(key) not in (None, "")), None)
            title = context.get("title")
            here = passage(
                at, _named(title, text) if found is None else found, context.get("lang") or lang, title, text
            )
            yield here
            grade = context.get("grade", default)
            if grade is not None:
                grades.append(graded(at, question.query.id, here.id, grade, split))
    yield question
    yield from grades


def _contexts(row: dict[str, Any], key: str, at: Cursor) -> Iterator[dict[str, Any]]:
    for context in items(row, key, at, dict, str, optional=True):
        yield {"text": context} if isinstance(context, str) else context


def _named(title: Any, text: Any) -> str:
    """An id for a text that has none: equal texts, equal ids."""
    return "p" + hashlib.sha256(f"{title or ''}\n{text}".encode(errors="replace")).hexdigest()[:16]


Grades: TypeAlias = dict[str, dict[str, dict[str, int]]]
"""By query, split and passage."""


def write(records: Iterable[Record], folder: Path) -> None:
    """All passages as `passages.tsv`, and the questions of each split as `SPLIT.json`.

    Goes through the records twice: a question carries the texts of its passages, and only those are kept in memory.
    """
    grades: Grades = {}
    for record in records:
        if isinstance(record, Graded):
            grades.setdefault(record.query, {}).setdefault(record.split, {})[record.passage] = record.grade
    wanted = {id for splits in grades.values() for passages in splits.values() for id in passages}
    texts: dict[str, Passage] = {}
    with TextFiles(folder) as out:
        for record in records:
            if isinstance(record, Passage):
                row = separated("\t", record.id, record.text, record.title, record.lang)
                out.line("passages.tsv", row, header="id\ttext\ttitle\tlang")
                if record.id in wanted:
                    texts[record.id] = record
            elif isinstance(record, Asked):
                for split, passages in (grades.get(record.query.id) or {record.split: {}}).items():
                    out.item(
                        f"{dotted(folder, split or 'questions')[1:]}.json", _example(record, split, passages, texts)
                    )


def _example(question: Asked, split: str, grades: Mapping[str, int], texts: Mapping[str, Passage]) -> dict[str, Any]:
    if absent := [id for id in grades if id not in texts]:
        raise MissingError(
            f"query {question.query.id!r} has a grade for passage {absent[0]!r}, which the collection does not hold",
            "DPR files hold the texts of graded passages: export to `folder`, which holds grades alone",
        )
    contexts = [
        {"passage_id": id, "title": texts[id].title, "text": texts[id].text, "lang": texts[id].lang, "grade": grade}
        for id, grade in grades.items()
    ]
    return {
        "id": question.query.id,
        "lang": question.query.lang,
        "split": split,
        "question": question.query.text,
        "answers": list(question.answers),
        "positive_ctxs": [context for context in contexts if context["grade"]],
        "negative_ctxs": [context for context in contexts if not context["grade"]],
        "hard_negative_ctxs": [],
    }


DPR = Format(
    "dpr",
    "training questions with passages: DPR, Tevatron and FlagEmbedding files",
    files,
    read,
    write,
    loses=("twins",),
)
