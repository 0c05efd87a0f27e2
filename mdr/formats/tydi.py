"""TyDi QA's primary task: articles with candidate passages, of which annotators choose one or none.

Every candidate is a passage, named `example-candidate`; one that an annotator chose is graded 1. Offsets are bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mdr.formats.lines import field, items, json_rows
from mdr.formats.parts import listed
from mdr.formats.records import Cursor, Format, Options, Record, asked, graded, passage, shown, words


def files(path: Path, options: Options) -> list[Path]:
    """Every JSON Lines file."""
    return listed(path, r".+\.jsonl(\.gz)?", "TyDi QA files (.jsonl.gz)")


def read(path: Path, options: Options, at: Cursor) -> Iterator[Record]:
    """The candidates of each example, its question, and what annotators chose."""
    for file in files(path, options):
        for row in json_rows(file, at):
            if "minimal_answer_score" not in row:  # predictions of a system lie beside the data
                yield from _example(row, options, at)


def _example(row: dict[str, Any], options: Options, at: Cursor) -> Iterator[Record]:
    example, lang = field(row, ("example_id",), at), row.get("language") or options.lang
    article = words(at, field(row, ("document_plaintext",), at), "document_plaintext").encode()
    for number, span in enumerate(items(row, "passage_answer_candidates", at, dict)):
        start, end = (_number(span, f"plaintext_{side}_byte", at) for side in ("start", "end"))
        if start >= 0:  # -1: the candidate is only in the HTML
            try:
                text = article[start:end].decode()
            except UnicodeDecodeError:
                raise at.error(f"candidate {number} cuts a character", "is the article text as published?") from None
            yield passage(at, f"{example}-{number}", lang, row.get("document_title"), text)
    yield asked(at, example, lang, field(row, ("question_text",), at))
    chosen = {
        _number(field(annotation, ("passage_answer",), at), "candidate_index", at)
        for annotation in items(row, "annotations", at, dict, optional=True)
    }
    for number in sorted(chosen - {-1}):
        yield graded(at, example, f"{example}-{number}", 1)


def _number(row: Any, name: str, at: Cursor) -> int:
    value = field(row, (name,), at)
    if not isinstance(value, int) or value < -1:
        raise at.error(f"{name} should be a number from -1, found {shown(value)}", "is it TyDi QA's primary task?")
    return value


TYDI = Format("tydi", "TyDi QA primary task: candidate passages of articles", files, read)
