"""Writing collections in the TREC style: topics and qrels by language and split, passages by language.

These layouts keep languages apart, and qualify ids when several are read: `fi:12`. Ids that are qualified so already
are written without it, and come back as they were.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mdr.errors import FormatError
from mdr.formats.folder import dotted
from mdr.formats.layouts import Names
from mdr.formats.records import Asked, Graded, Record
from mdr.formats.trec import topic_line
from mdr.formats.writing import TextFiles
from mdr.types import Passage


class _Survey(NamedTuple):
    """What must be known before the first line is written."""

    passages: dict[str, str]
    queries: dict[str, str]
    query_splits: dict[str, str]
    grade_splits: dict[str, set[str]]

    def qualified(self) -> bool:
        """Whether every id starts with its language, and there are several."""
        langs = {**self.passages, **self.queries}
        several = len(set(self.passages.values())) > 1 or len(set(self.queries.values())) > 1
        return several and all(id.startswith(f"{lang}:") for id, lang in langs.items())


def _survey(records: Iterable[Record]) -> _Survey:
    survey = _Survey({}, {}, {}, {})
    for record in records:
        match record:
            case Passage(id, lang):
                survey.passages[id] = lang
            case Asked(query, split):
                survey.queries[query.id] = query.lang
                survey.query_splits[query.id] = split
            case Graded(query_id, _, _, split):
                survey.grade_splits.setdefault(query_id, set()).add(split)
    return survey


def write(records: Iterable[Record], folder: Path, *, names: Names) -> None:
    """Goes through the records twice: once for languages and splits, once to write."""
    survey = _survey(records)
    by_language = "{lang}" in names.topics
    unnamed = "test" if by_language else ""  # what a split without a name is called
    if not by_language and len(set(survey.queries.values())) > 1:
        raise FormatError(folder, None, "queries are in several languages, which TREC topics cannot say", _ELSEWHERE)
    strip = by_language and survey.qualified()

    def own(id: str, lang: str) -> str:
        return id.removeprefix(f"{lang}:") if strip else id

    def name(template: str, lang: str, split: str) -> str:
        split = split or unnamed
        return template.format(lang=lang, split=split, dotted=dotted(folder, split))

    with TextFiles(folder) as out:
        for record in records:
            match record:
                case Passage(id, lang, title, text, twin):
                    row = {"docid": own(id, lang), "title": title, "text": text, "lang": lang}
                    out.json(name(names.passages, lang, ""), {**row, "twin": twin} if twin else row)
                case Asked(query, split):
                    line = topic_line(folder, query._replace(id=own(query.id, query.lang)))
                    for each in [split] if split else sorted(survey.grade_splits.get(query.id, {""})):
                        out.line(name(names.topics, query.lang, each), line)
                case Graded(query_id, about, grade, split):
                    lang = survey.queries.get(query_id, "")
                    if by_language and (other := survey.passages.get(about, lang)) != lang:
                        raise FormatError(
                            folder, None, f"query {query_id!r} ({lang}) has a grade for {about!r} ({other})", _ELSEWHERE
                        )
                    split = split or survey.query_splits.get(query_id, "")
                    line = f"{own(query_id, lang)} Q0 {own(about, lang)} {grade}"
                    out.line(name(names.qrels, lang, split), line)


_ELSEWHERE = "this format keeps languages apart: export to `folder`, which can hold them together"
