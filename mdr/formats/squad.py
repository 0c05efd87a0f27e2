"""SQuAD and its parallel translations: paragraphs with questions, and LAReQA's cut into sentences.

    squad     the paragraphs of one or more files; languages may differ, texts need not be parallel
    xquad     one file per language, parallel paragraph by paragraph: twins
    xquad-r   the same in sentences, as LAReQA searches them

The parallel ones have two splits of grades: `mono` (the answer in the question's language) and `all` (in every one).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mdr.core.languages import code_of
from mdr.errors import MissingError
from mdr.formats.json_stream import json_items
from mdr.formats.lines import field, items
from mdr.formats.parts import listed, prefix_of
from mdr.formats.records import Cursor, Format, Graded, Options, Record, asked, identifier, passage, shown, words


class _Paragraph(NamedTuple):
    """A paragraph with its place `a0p0` in the file."""

    place: str
    title: str
    text: str
    row: dict[str, Any]


def files(path: Path, options: Options) -> list[Path]:
    """Every JSON file."""
    return listed(path, r".+\.json(\.gz)?", "JSON files in the form of SQuAD")


def _paragraphs(file: Path, at: Cursor) -> Iterator[_Paragraph]:
    for number, article in enumerate(json_items(file, at, "data")):
        for index, row in enumerate(items(article, "paragraphs", at, dict)):
            text = words(at, field(row, ("context",), at), "context")
            yield _Paragraph(f"a{number}p{index}", article.get("title") or "", text, row)


class _Question(NamedTuple):
    id: str
    text: Any
    answers: dict[str, int]
    """Where each answer starts."""


def _questions(paragraph: _Paragraph, at: Cursor) -> Iterator[_Question]:
    for row in items(paragraph.row, "qas", at, dict):
        answers: dict[str, int] = {}
        for answer in items(row, "answers", at, dict, optional=True):
            text, start = words(at, field(answer, ("text",), at), "answer"), field(answer, ("answer_start",), at)
            if not isinstance(start, int):
                raise at.error(f"answer_start should be a number, found {shown(start)}", "is it in the form of SQuAD?")
            answers.setdefault(text, start)
        yield _Question(identifier(at, field(row, ("id",), at), "query id"), field(row, ("question",), at), answers)


def read(path: Path, options: Options, at: Cursor) -> Iterator[Record]:
    """Paragraph passages; a question without an answer has no grade."""
    found = files(path, options)
    for file in found:
        prefix = prefix_of(file, file.name.partition(".json")[0], found)
        for paragraph in _paragraphs(file, at):
            questions = list(_questions(paragraph, at))
            lang = options.lang or _named_language(file.name) or _named_language(questions[0].id if questions else "")
            here = passage(at, prefix + paragraph.place, lang, paragraph.title, paragraph.text)
            yield here
            for question in questions:
                yield asked(at, prefix + question.id, lang, question.text, "", question.answers)
                if question.answers:
                    yield Graded(prefix + question.id, here.id, 1)


def read_parallel(path: Path, options: Options, at: Cursor, *, sentences: bool) -> Iterator[Record]:
    """Passages by paragraph or sentence, ids with their language before them, and both splits of grades."""
    right: dict[str, dict[str, str]] = {}  # question as published: query id → passage id, in every language
    for file in files(path, options):
        lang = options.lang or _named_language(file.name)
        for paragraph in _paragraphs(file, at):
            starts, texts = _cut(paragraph, at) if sentences else ([0], [paragraph.text])
            ids = [
                f"{lang}-{paragraph.place}s{n}" if sentences else f"{lang}-{paragraph.place}" for n in range(len(texts))
            ]
            twin = "" if sentences else paragraph.place  # sentences are not cut alike in all languages
            for id, text in zip(ids, texts, strict=True):
                yield passage(at, id, lang, "" if sentences else paragraph.title, text, twin)
            for question in _questions(paragraph, at):
                if question.answers:
                    place = bisect_right(starts, next(iter(question.answers.values()))) - 1
                    right.setdefault(question.id, {})[f"{lang}-{question.id}"] = ids[max(place, 0)]
                yield asked(at, f"{lang}-{question.id}", lang, question.text, "", question.answers)
    for parallel in right.values():
        for query, own in parallel.items():
            yield Graded(query, own, 1, "mono")
            yield from (Graded(query, passage, 1, "all") for passage in dict.fromkeys(parallel.values()))


def _cut(paragraph: _Paragraph, at: Cursor) -> tuple[list[int], list[str]]:
    """Where sentences start, and their texts."""
    starts, texts = [], []
    for pair in items(paragraph.row, "sentence_breaks", at, list):
        match pair:
            case [int(start), int(end)] if 0 <= start <= end <= len(paragraph.text):
                starts.append(start)
                texts.append(paragraph.text[start:end])
            case _:
                raise at.error(f"the sentence break {pair!a} lies outside of its paragraph", "is it an XQuAD-R file?")
    if not starts:
        raise at.error("a paragraph has no sentences", "is it an XQuAD-R file?")
    return starts, texts


def _named_language(name: str) -> str:
    """The language that a file or question is named after: `xquad.th.json`, `zh_cn.json`, `arabic-238…`."""
    for word in re.split(r"[.\-]", name):
        try:
            return code_of(word)
        except MissingError:
            continue
    return ""


SQUAD = Format("squad", "SQuAD JSON: paragraphs and their questions", files, read)
XQUAD = Format(
    "xquad", "XQuAD: parallel paragraphs, a file per language", files, partial(read_parallel, sentences=False)
)
XQUAD_R = Format("xquad-r", "XQuAD-R of LAReQA: parallel sentences", files, partial(read_parallel, sentences=True))
