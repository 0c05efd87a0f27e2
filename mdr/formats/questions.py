"""Open-retrieval questions with answer strings instead of graded passages: XOR-TyDi (Retrieve, Full) and MKQA.

Rows are {"id", "lang", "question", "answers", "split"?}; MKQA's own file has every language in one row, and so have
rows of parallel questions, {"id", "texts": {lang: text}}. Passages come from DPR's `psgs*.tsv` beside them, where there
is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mdr.formats.dpr import read_passages
from mdr.formats.lines import field, items, json_rows
from mdr.formats.parts import listed
from mdr.formats.records import Asked, Cursor, Format, Options, Record, asked, shown, words

_PASSAGES = re.compile(r"psgs.*\.tsv(\.gz)?")


def files(path: Path, options: Options) -> list[Path]:
    """Passages first, then questions."""
    found = listed(path, rf".+\.jsonl(\.gz)?|{_PASSAGES.pattern}", "question files (.jsonl)")
    return sorted(found, key=lambda file: (not _PASSAGES.fullmatch(file.name), file))


def read(path: Path, options: Options, at: Cursor, *, default_passage_lang: str) -> Iterator[Record]:
    """Passages, then questions with their answers."""
    for file in files(path, options):
        if _PASSAGES.fullmatch(file.name):
            yield from read_passages(file, options.lang or default_passage_lang, at)
            continue
        split = _split_in(file.name)
        for row in json_rows(file, at):
            for question in _asked(row, split, options, at):
                if options.wants(question.split):
                    yield question


def _asked(row: dict[str, Any], split: str, options: Options, at: Cursor) -> Iterator[Asked]:
    if "example_id" in row:
        return _mkqa(row, at)
    return _parallel(row, split, at) if "texts" in row else _row(row, split, options, at)


def _row(row: dict[str, Any], split: str, options: Options, at: Cursor) -> Iterator[Asked]:
    id, text, lang = field(row, ("id",), at), field(row, ("question",), at), row.get("lang") or options.lang
    yield asked(at, id, lang, text, row.get("split") or split, row.get("answers"))


def _mkqa(row: dict[str, Any], at: Cursor) -> Iterator[Asked]:
    """A row of MKQA: queries and answers by language."""
    queries, answers = field(row, ("queries",), at), field(row, ("answers",), at)
    if not isinstance(queries, dict):
        raise at.error(f"queries should be an object by language, found {shown(queries)}", "is it mkqa.jsonl?")
    for lang, text in queries.items():
        names: list[str] = []
        for answer in items(answers, lang, at, dict, optional=True):
            if answer.get("text"):  # unanswerable and long answers have none
                names += [words(at, answer["text"], "answer"), *items(answer, "aliases", at, str, optional=True)]
        yield asked(at, f"{row['example_id']}_{lang}", lang, text, "", dict.fromkeys(names))


def _parallel(row: dict[str, Any], split: str, at: Cursor) -> Iterator[Asked]:
    """One question in several languages, without answers."""
    id, texts = field(row, ("id",), at), row["texts"]
    if not isinstance(texts, dict):
        raise at.error(f"texts should be an object by language, found {shown(texts)}", "name each text's language")
    for lang, text in texts.items():
        yield asked(at, f"{id}_{lang}", lang, text, split)


def _split_in(name: str) -> str:
    """`xor_dev_retrieve_eng_span_v1_1.jsonl` says dev."""
    return next((word for word in re.split(r"[._\-]", name) if word in ("train", "dev", "test")), "")


XOR = Format("xor", "XOR-Retrieve and XOR-Full questions with answers", files, partial(read, default_passage_lang="en"))
MKQA = Format("mkqa", "MKQA questions in 26 languages with answers", files, partial(read, default_passage_lang=""))
