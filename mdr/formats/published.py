"""Published test collections in the TREC style, read and written by their layouts.

A collection has topics, qrels and passages for each *part*: a language, or a language and a variant of the topics.
Parts use the same ids for different things; when several are read, ids become `part:id`. `parts` chooses among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mdr.core.languages import code_of
from mdr.errors import MissingError
from mdr.formats.layouts import LAYOUTS, Layout
from mdr.formats.lines import field, json_rows, lines
from mdr.formats.parts import chosen, missing, prefix_of, qualified
from mdr.formats.published_writing import write
from mdr.formats.records import Cursor, Format, Options, Record, asked, passage
from mdr.formats.trec import qrels_rows, topics
from mdr.types import Passage

_KINDS = ("passages", "qrels", "topics")  # patterns are tried in this order: `trec` takes much for topics


class _File(NamedTuple):
    """A file and what its path says of it."""

    kind: str
    path: Path
    lang: str
    asked: str
    part: str
    split: str


class _Selection(NamedTuple):
    """The files that were asked for. A part without topics has passages or grades alone."""

    passages: list[_File]
    topics: dict[str, list[_File]]
    qrels: list[_File]

    @property
    def langs(self) -> set[str]:
        """The languages that passages are in."""
        return {file.lang for file in (*self.passages, *self.qrels)}


def _recognised(path: Path, options: Options, layout: Layout) -> Iterator[_File]:
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        name = file.relative_to(path.parent).as_posix()
        for kind in _KINDS:
            match = re.fullmatch(rf"(?:[^/]*/)*{getattr(layout, kind)}", name)
            if match and file.is_file():
                yield _described(kind, file, match, options, layout)
                break


def _described(kind: str, file: Path, match: re.Match[str], options: Options, layout: Layout) -> _File:
    says = {name: value for name, value in match.groupdict().items() if value}
    variant, lang = says.get("variant", ""), _code(says.get("lang") or says.get("folder", ""))
    asked = _code(says.get("asked", ""))
    asked = asked or (layout.asked if variant != "native" else "") or lang or options.lang
    part = "-".join(filter(None, (lang or asked, variant)))
    return _File(kind, file, lang or ("" if says.get("asked") else options.lang), asked, part, says.get("split", ""))


def _code(name: str) -> str:
    """A language's code; of one that we do not know, its name: that only matters where its files are read."""
    try:
        return code_of(name) if name else ""
    except MissingError:
        return name


def _selection(path: Path, options: Options, layout: Layout) -> _Selection:
    path = path.absolute()  # its own name may say the language
    found = list(_recognised(path, options, layout))
    if not found:
        raise missing(path, f"files that are named as those of {layout.name}")
    parts: dict[str, list[_File]] = {}
    for file in found:
        if file.kind == "topics":
            parts.setdefault(file.part, []).append(file)
    asked_over = {topic.lang for part in parts.values() for topic in part}
    for file in found:
        if file.lang not in asked_over and "" not in asked_over:
            parts.setdefault(file.part, [])
    parts = chosen(path, parts, options)
    langs = {topic.lang for part in parts.values() for topic in part} | {
        name for name, part in parts.items() if not part
    }
    of_langs = [file for file in found if file.lang in langs or "" in langs]
    return _Selection(
        [file for file in of_langs if file.kind == "passages"],
        {name: [file for file in part if _wanted(file, of_langs, options)] for name, part in parts.items()},
        [file for file in of_langs if file.kind == "qrels" and options.wants(file.split)],
    )


def _splits(topic: _File, files: list[_File]) -> list[str]:
    """A topic file serves its own split and those of qrels that go deeper: test-a, test-a-pools."""
    deeper = {file.split for file in files if file.kind == "qrels" and file.split.startswith(f"{topic.split}-")}
    return [topic.split, *sorted(deeper)] if topic.split else [""]


def _wanted(topic: _File, files: list[_File], options: Options) -> bool:
    return any(map(options.wants, _splits(topic, files)))


def files(path: Path, options: Options, *, layout: Layout) -> list[Path]:
    """Everything that `read` opens."""
    selection = _selection(path, options, layout)
    topics = [file for part in selection.topics.values() for file in part]
    return [file.path for file in (*selection.passages, *topics, *selection.qrels)]


def read(path: Path, options: Options, at: Cursor, *, layout: Layout) -> Iterator[Record]:
    """Passages by language, then topics and grades by part."""
    selection = _selection(path, options, layout)
    for file in selection.passages:
        yield from qualified(_passages(file, at), "", prefix_of(path, file.lang, selection.langs))
    for name, part in selection.topics.items():
        prefix = prefix_of(path, name, selection.topics)
        for topic in part:
            for id, text in topics(topic.path, at):
                for split in filter(options.wants, _splits(topic, selection.qrels)):
                    yield asked(at, prefix + id, topic.asked, text, split)
        for file in selection.qrels:
            if any(topic.lang in ("", file.lang) for topic in part) or file.part == name:
                grades = qrels_rows(file.path, at, file.split)
                yield from qualified(grades, prefix, prefix_of(path, file.lang, selection.langs))


def _passages(file: _File, at: Cursor) -> Iterator[Passage]:
    if ".jsonl" in file.path.name:
        for row in json_rows(file.path, at):
            id, text = field(row, ("docid", "id", "_id", "doc_id"), at), field(row, ("text", "contents", "passage"), at)
            yield passage(at, id, file.lang or row.get("lang"), row.get("title"), text, row.get("twin"))
        return
    for line in lines(file.path, at):
        id, *texts = line.split("\t")
        if len(texts) not in (1, 2):
            raise at.error(
                f"expected id<TAB>text or id<TAB>text<TAB>title, found {len(texts) + 1} columns", "is it quoted?"
            )
        yield passage(at, id, file.lang, texts[1] if len(texts) == 2 else "", texts[0])


PUBLISHED = tuple(
    Format(
        layout.name,
        layout.about,
        partial(files, layout=layout),
        partial(read, layout=layout),
        partial(write, names=layout.names) if layout.names else None,
        loses=("answers",),
    )
    for layout in LAYOUTS
)
