"""What every format reads and writes: passages, asked queries and grades; and the checks that each must pass.

A reader yields records one at a time and moves a `Cursor` along, so that a fault found later, by whoever looks at the
record, can still be told with its file and line. A query comes before its grades.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from mdr.core.languages import code_of
from mdr.errors import FormatError, MissingError
from mdr.types import Passage, Query


class Asked(NamedTuple):
    """A query of a split; "" belongs to every split. `answers` are strings that a right passage may contain."""

    query: Query
    split: str = ""
    answers: tuple[str, ...] = ()


class Graded(NamedTuple):
    """How well a passage answers a query, as published with a split."""

    query: str
    passage: str
    grade: int
    split: str = ""


Record: TypeAlias = Passage | Asked | Graded


@dataclass(frozen=True)
class Options:
    """What a person can say about the files that the files do not say themselves."""

    lang: str = ""
    """The language of everything that names none."""
    splits: tuple[str, ...] = ()
    """Only these splits; empty: all. What has no split always comes along."""
    parts: tuple[str, ...] = ()
    """Only these parts (languages, folders) of a collection in parts; empty: all."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The project's field names to the data's column names."""

    def wants(self, split: str) -> bool:
        """Whether a split is asked for."""
        return not self.splits or not split or split in self.splits


@dataclass
class Cursor:
    """Where a reader stands."""

    path: Path | str = ""
    line: int | None = None

    def error(self, problem: str, remedy: str = "") -> FormatError:
        """A fault here."""
        return FormatError(self.path, self.line, problem, remedy)


@dataclass(frozen=True)
class Format:
    """One row of the table of formats.

    `files` names what `read` would open, in order; their hashes say whether data changed, unless the format has
    `fingerprints` of its own.
    """

    name: str
    about: str
    files: Callable[[Path, Options], list[Path]]
    read: Callable[[Path, Options, Cursor], Iterator[Record]]
    write: Callable[[Iterable[Record], Path], None] | None = None
    fingerprints: Callable[[Path, Options], dict[str, str]] | None = None
    loses: tuple[str, ...] = ()
    """What of a collection it has no room for when written."""


# -- checks -------------------------------------------------------------------------------------------------

_UNFIT = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_LARGEST = 2**31 - 1  # what the qrels table holds


def passage(at: Cursor, id: Any, lang: Any, title: Any, text: Any, twin: Any = "") -> Passage:
    """A checked passage."""
    twin = identifier(at, twin, "twin") if twin not in (None, "") else ""
    title = "" if title is None else words(at, title, "title")
    return Passage(identifier(at, id, "passage id"), language_code(at, lang), title, words(at, text, "text"), twin)


def asked(at: Cursor, id: Any, lang: Any, text: Any, split: Any = "", answers: Any = ()) -> Asked:
    """A checked query; its answers may come as one text, as several, or as nothing."""
    query = Query(identifier(at, id, "query id"), language_code(at, lang), words(at, text, "query text"))
    if answers is None or isinstance(answers, str):
        answers = [answers] if answers else []
    elif not isinstance(answers, Iterable):
        raise at.error(f"the answers should be a list of texts, found {shown(answers)}", _FIELDS)
    return Asked(query, words(at, split, "split"), tuple(words(at, answer, "answer") for answer in answers))


def graded(at: Cursor, query: Any, passage: Any, grade: Any, split: Any = "") -> Graded:
    """A checked grade."""
    ids = identifier(at, query, "query id"), identifier(at, passage, "passage id")
    return Graded(*ids, grade_value(at, grade), words(at, split, "split"))


def identifier(at: Cursor, value: Any, what: str) -> str:
    """An id: a text or whole number without white space."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    id = words(at, value, what)
    if _UNFIT.search(id) or not id:
        found = f"{shown(id)} has white space or control characters in it" if id.strip() else "is empty"
        raise at.error(
            f"the {what} {found}", "runs and qrels cannot hold such an id: give every record one without spaces"
        )
    return id


def words(at: Cursor, value: Any, what: str) -> str:
    """A text that can be written as UTF-8."""
    if not isinstance(value, str):
        raise at.error(f"the {what} should be a text, found {shown(value)}", _FIELDS)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise at.error(
                f"the {what} has half a character (a lone surrogate) at position {error.start}: {shown(value)}",
                "the text was cut or converted badly; write the file again as UTF-8",
            ) from None
    return value


def language_code(at: Cursor, value: Any) -> str:
    """The project's code of a language."""
    if value in (None, ""):
        raise at.error(
            "the language is not known: neither the file nor you name one",
            "say it, with `--lang CODE` (such as --lang fi)",
        )
    try:
        return _code(words(at, value, "language"))
    except MissingError as error:
        raise at.error(error.problem, error.remedy) from None


def grade_value(at: Cursor, value: Any) -> int:
    """A grade: a whole number from 0."""
    whole = (
        type(value) is int
        or (isinstance(value, str) and value.isdecimal() and len(value) <= 10)
        or (isinstance(value, float) and value.is_integer())
    )
    grade = int(value) if whole else -1
    if not 0 <= grade <= _LARGEST:
        raise at.error(
            f"the grade should be a whole number from 0, found {shown(value)}", "map the grades to 0, 1, 2, 3"
        )
    return grade


_code = lru_cache(maxsize=1024)(code_of)
_FIELDS = "compare the line with the ones before it; `mdr import --help` lists the formats"


def shown(value: Any) -> str:
    """A value as an error may show it: short, and safe on every terminal."""
    shown = ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}…"
