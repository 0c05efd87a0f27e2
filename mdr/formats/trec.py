"""TREC files: runs, qrels and topics, each read and written.

run      query Q0 passage rank score tag
qrels    query 0 passage grade
topics   id<TAB>text on a line, or <top> blocks with <num> and <title>
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mdr.formats.lines import lines
from mdr.formats.records import Cursor, Graded, graded, identifier, words
from mdr.formats.writing import plain, text_file
from mdr.types import Hit, Qrels, Query, Ranking, Run

# -- runs ---------------------------------------------------------------------------------------------------


def read_run(path: Path) -> dict[str, list[Hit]]:
    """Rankings by query, best score first, ties in the order of the ranks."""
    at = Cursor()
    found: dict[str, list[tuple[float, int, str]]] = {}
    ranked: set[tuple[str, str]] = set()
    for line in lines(path, at):
        if not (columns := line.split()):
            continue
        if len(columns) != 6:
            raise at.error(f"a run has 6 columns, found {len(columns)}", _RUN)
        query, _, passage, rank, score, _ = columns
        if (query, passage) in ranked:
            raise at.error(f"passage {passage!a} is ranked twice for query {query!a}", "keep its best rank only")
        ranked.add((query, passage))
        found.setdefault(query, []).append((-_score(score, at), _rank(rank, at), passage))
    return {query: [Hit(passage, -score) for score, _, passage in sorted(hits)] for query, hits in found.items()}


_RUN = "a line is: query Q0 passage rank score tag"


def _score(text: str, at: Cursor) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise at.error(f"the score should be a number, found {text!a}", _RUN)
    return score


def _rank(text: str, at: Cursor) -> int:
    try:
        return int(text)
    except ValueError:
        raise at.error(f"the rank should be a whole number, found {text!a}", _RUN) from None


def write_run(run: Run, path: Path, tag: str) -> None:
    """Rankings, with scores that fall from rank to rank.

    Evaluation tools sort by score, in single precision, and break ties as they like; so equal scores are written a
    single-precision step apart, and every tool sees the order that we saw.
    """
    at = Cursor(path)
    tag = identifier(at, tag, "tag")
    with text_file(path) as out:
        for query, ranking in run.items():
            query = identifier(at, query, "query id")
            for rank, (hit, score) in enumerate(zip(ranking, _falling(ranking, at), strict=True), 1):
                out.write(f"{query} Q0 {identifier(at, hit.id, 'passage id')} {rank} {score:.9g} {tag}\n")


def _falling(ranking: Ranking, at: Cursor) -> list[float]:
    exact = np.array([hit.score for hit in ranking], dtype=np.float64)
    if (wrong := np.flatnonzero(~(np.abs(exact) < _LARGEST))).size:
        hit = ranking[wrong[0]]
        raise at.error(f"passage {hit.id!a} has the score {hit.score}", "scores must be finite numbers")
    scores = exact.astype(np.float32)
    if (np.diff(scores) >= 0).any():
        for rank in range(1, len(scores)):
            scores[rank] = min(scores[rank], np.nextafter(scores[rank - 1], _BELOW))
    falling: list[float] = scores.tolist()
    return falling


_LARGEST, _BELOW = float(np.finfo(np.float32).max), np.float32(-np.inf)


# -- qrels --------------------------------------------------------------------------------------------------


def qrels_rows(path: Path, at: Cursor, split: str = "") -> Iterator[Graded]:
    """The grades of a file, one by one."""
    for line in lines(path, at):
        if not (columns := line.split()):
            continue
        if len(columns) != 4:
            raise at.error(f"qrels have 4 columns, found {len(columns)}", "query 0 passage grade")
        query, _, passage, grade = columns
        yield graded(at, query, passage, grade, split)


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Grades by query and passage."""
    at = Cursor()
    qrels: dict[str, dict[str, int]] = {}
    for query, passage, grade, _ in qrels_rows(path, at):
        grades = qrels.setdefault(query, {})
        if grades.setdefault(passage, grade) != grade:
            raise at.error(
                f"query {query!a}, passage {passage!a} has grade {grade}, and {grades[passage]} further up",
                "keep one of them",
            )
    return qrels


def write_qrels(qrels: Qrels, path: Path) -> None:
    """Grades by query and passage."""
    at = Cursor(path)
    with text_file(path) as out:
        for query, grades in qrels.items():
            for passage, grade in grades.items():
                row = graded(at, query, passage, grade)
                out.write(f"{row.query} 0 {row.passage} {row.grade}\n")


# -- topics -------------------------------------------------------------------------------------------------


def topics(path: Path, at: Cursor) -> Iterator[tuple[str, str]]:
    """Ids and texts of the topics of a file, in either form."""
    source = lines(path, at)
    for line in source:
        if line.lstrip().lower().startswith("<top>"):
            yield from _tagged(line, source, at)
        elif "\t" in line:
            id, _, text = line.partition("\t")
            yield identifier(at, id, "query id"), words(at, text, "query text")
        elif line.strip():
            raise at.error(
                "expected id<TAB>text or <top>, found neither", "topics stand on a line each, or in <top> blocks"
            )


_TAG = re.compile(r"<(/?)(\w+)[^>]*>([^<]*)")
_LABEL = re.compile(r"^(?:Number|Topic|Description|Narrative)\s*:\s*", re.IGNORECASE)


def _tagged(first: str, source: Iterator[str], at: Cursor) -> Iterator[tuple[str, str]]:
    """Topics in <top> blocks, whose inner tags are often left open."""
    found: dict[str, str] = {}
    tag = ""
    line: str | None = first
    while line is not None:
        rest = line if line.lstrip().startswith("<") else f"<{tag}>{line}" if tag else ""
        for closing, name, text in _TAG.findall(rest):
            name = name.lower()
            if name == "top" and not closing:
                found, tag = {}, ""
            elif name == "top":
                yield _topic(found, at)
                found, tag = {}, ""
            elif not closing:
                tag = name
                found[tag] = f"{found.get(tag, '')} {_LABEL.sub('', text.strip())}".strip()
        line = next(source, None)
    if found:
        raise at.error("the last <top> block is not closed", "the file was probably not copied whole: fetch it again")


def _topic(found: Mapping[str, str], at: Cursor) -> tuple[str, str]:
    for name in ("num", "title"):
        if not found.get(name):
            raise at.error(f"the topic that ends here has no <{name}>", "a topic has <num> and <title>")
    return identifier(at, found["num"], "query id"), words(at, found["title"], "query text")


def topic_line(path: Path | str, query: Query) -> str:
    """A query as a line of topics."""
    return plain(path, query.id, query.text)
