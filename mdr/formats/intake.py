"""Records into the tables of a collection: repeated, empty and dangling ones are counted, contradictions refused.

Memory holds ids and 64-bit hashes, never texts, so that millions of passages fit.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mdr.formats.records import Asked, Cursor, Graded, Record
from mdr.storage.collection import ANSWERS, PASSAGES, QRELS, QUERIES, table_writer
from mdr.storage.tables import TableWriter
from mdr.types import Passage

_DISTINCT = "an id names one text: correct the line, or put the language or file name before the ids"
_NAMED = 10
"""How many of a kind the report names."""

_WARNINGS = {
    "empty_passages": "{:,} passages have no text and were left out",
    "empty_queries": "{:,} queries have no text and were left out",
    "duplicates": "{:,} records came twice, word for word, and were kept once",
    "duplicate_texts": "{:,} passages repeat the text of another under their own id (kept)",
    "dangling_passages": "{:,} graded passages are not in the collection (grades kept: the pool may be partial)",
    "dangling_queries": "{:,} graded queries are not in the collection (grades left out)",
}


class Intake:
    """Takes records in; `at` says where the one at hand comes from."""

    def __init__(self, folder: Path, at: Cursor) -> None:
        self._at = at
        self._folder = folder
        self._stack = ExitStack()
        self._passages: dict[str, int] = {}
        self._queries: dict[str, int] = {}
        self._texts: set[int] = set()
        self._asked: set[int] = set()
        self._grades: dict[int, int] = {}
        self._graded_passages: Counter[str] = Counter()
        self._loose_queries: set[str] = set()
        self._by: dict[str, Counter[str]] = {
            name: Counter()
            for name in ("passages_by_language", "queries_by_language", "queries_by_split", "qrels_by_split")
        }
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {name: [] for name in _WARNINGS}

    def __enter__(self) -> Intake:
        self._passage_table, self._query_table, self._qrel_table = map(self._table, (PASSAGES, QUERIES, QRELS))
        self._answer_table: TableWriter | None = None
        return self

    def __exit__(self, *failure: Any) -> None:
        self._stack.__exit__(*failure)
        for passage, grades in self._graded_passages.items():
            if passage not in self._passages:
                self._note("dangling_passages", passage)
                self._counts["dangling_qrels"] += grades

    def _table(self, name: str) -> TableWriter:
        table = table_writer(self._folder / name)
        self._stack.callback(table.close)
        return table

    # -- taking in ----------------------------------------------------------------------------------------

    def add(self, record: Record) -> None:
        """One record into its table."""
        if isinstance(record, Passage):
            self._add_passage(record)
        elif isinstance(record, Asked):
            self._add_query(record)
        else:
            self._add_grade(record)

    def _add_passage(self, record: Passage) -> None:
        if not record.text.strip() and not record.title.strip():
            return self._note("empty_passages", record.id)
        content = hash(record)
        if self._passages.setdefault(record.id, content) != content:
            raise self._at.error(f"passage {record.id!r} came before with another text", _DISTINCT)
        if len(self._passages) == self._passage_table.count:  # the id was there already
            return self._note("duplicates", record.id)
        text = hash((record.title, record.text))
        if text in self._texts:
            self._note("duplicate_texts", record.id)
        self._texts.add(text)
        self._by["passages_by_language"][record.lang] += 1
        self._passage_table.add(record)

    def _add_query(self, record: Asked) -> None:
        query, split, answers = record
        if not query.text.strip():
            return self._note("empty_queries", query.id)
        content, known = hash((query, answers)), len(self._queries)
        if self._queries.setdefault(query.id, content) != content:
            raise self._at.error(f"query {query.id!r} came before with another text, language or answers", _DISTINCT)
        row = hash((query.id, split))
        if row in self._asked:
            return self._note("duplicates", query.id)
        self._asked.add(row)
        self._by["queries_by_split"][split] += 1
        self._query_table.add((*query, split))
        if len(self._queries) > known:
            self._by["queries_by_language"][query.lang] += 1
            self._keep_answers(query.id, answers)

    def _keep_answers(self, query: str, answers: tuple[str, ...]) -> None:
        if answers and self._answer_table is None:
            self._answer_table = self._table(ANSWERS)
        for answer in answers:
            assert self._answer_table
            self._answer_table.add((query, answer))

    def _add_grade(self, record: Graded) -> None:
        if record.query not in self._queries:
            if record.query not in self._loose_queries:
                self._loose_queries.add(record.query)
                self._note("dangling_queries", record.query)
            self._counts["dangling_qrels"] += 1
            return
        row, known = hash((record.query, record.passage, record.split)), len(self._grades)
        if (grade := self._grades.setdefault(row, record.grade)) != record.grade:
            raise self._at.error(
                f"query {record.query!r}, passage {record.passage!r} has grade {record.grade}, and {grade} before",
                "keep one of the two grades",
            )
        if len(self._grades) == known:
            return self._note("duplicates", f"{record.query} {record.passage}")
        self._graded_passages[record.passage] += 1
        self._by["qrels_by_split"][record.split] += 1
        self._qrel_table.add(record)

    def _note(self, what: str, example: str) -> None:
        self._counts[what] += 1
        if len(self._examples[what]) < _NAMED:
            self._examples[what].append(example)

    # -- telling ------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, Any]:
        """What came in and what was left out."""
        return {
            "passages": self._passage_table.count,
            "queries": len(self._queries),
            "qrels": self._qrel_table.count,
            "languages": sorted(self._by["passages_by_language"]),
            **{name: dict(sorted(counter.items())) for name, counter in self._by.items()},
            **{name: self._counts[name] for name in (*_WARNINGS, "dangling_qrels")},
        }

    def examples(self) -> dict[str, list[str]]:
        """The first few of each kind that was counted apart."""
        return {f"{name}, first {_NAMED}": ids for name, ids in self._examples.items() if ids}

    def warnings(self) -> list[str]:
        """What a person should know, in words."""
        told = []
        for name, text in _WARNINGS.items():
            if self._counts[name]:
                told.append(f"{text.format(self._counts[name])}: {', '.join(self._examples[name])}")
        return told
