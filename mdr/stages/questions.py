"""The queries of a collection's split that can be judged, and what is known of their answers in a pool."""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mdr.core.summary import Asked
from mdr.errors import InputError, MissingError
from mdr.storage.collection import Collection
from mdr.storage.files import digest
from mdr.types import Qrels, Query

Pool: TypeAlias = Literal["own", "all"]
"""Which passages a query searches: those in its own language, or all."""


@dataclass(frozen=True)
class Questions:
    """Queries with grades or answers; `left_out` counts what a split holds but this does not, by reason."""

    queries: Sequence[Query]
    qrels: Qrels
    answers: Mapping[str, Sequence[str]]
    families: Mapping[str, str]
    left_out: Mapping[str, int]

    @property
    def langs(self) -> dict[str, str]:
        """Language by query id."""
        return {query.id: query.lang for query in self.queries}

    @property
    def asked(self) -> dict[str, Asked]:
        """Language and family by query id."""
        return {query.id: Asked(query.lang, self.families[query.id]) for query in self.queries}


def questions(
    collection: Collection, split: str, *, pool: Pool, langs: Some[str] = (), with_answers: bool = False
) -> Questions:
    """What can be evaluated of a split ("": of all), for queries in some languages (none: in all)."""
    if split and split not in collection.splits:
        have = ", ".join(name for name in collection.splits if name) or "none"
        raise MissingError(
            f"the collection has no split {split!r}; it has {have}", "choose one of these, or none for all"
        )
    known = {query.id: query for query in collection.queries(split or None)}
    chosen = {id: query for id, query in known.items() if not langs or query.lang in langs}
    grades = collection.qrels(split or None)
    answers = {id: its for id, its in collection.answers.items() if id in chosen} if with_answers else {}
    if with_answers and not answers:
        raise InputError("R@2kt and its like need answers, and this collection has none", "leave these measures out")

    qrels = {id: _in_pool(collection, chosen[id], grades[id], pool) for id in chosen if id in grades}
    queries = [query for id, query in chosen.items() if id in qrels or id in answers]
    if not queries:
        raise InputError(
            f"none of {len(chosen):,} queries in split {split or 'all'!r} has grades",
            "choose another split or languages",
        )
    left_out = {
        "queries_without_grades": len(chosen) - len(queries),
        "queries_in_other_languages": len(known) - len(chosen),
        "graded_queries_not_in_the_collection": len(set(grades) - set(known)),
        "grades_outside_the_pool": sum(len(grades[id]) - len(its) for id, its in qrels.items()),
    }
    names = {position: name for name, positions in collection.twins.items() for position in positions}
    twin_of = {
        id: names.get(collection.positions.get(id, -1), id) for query in queries for id in grades.get(query.id, ())
    }
    families = {query.id: _family(query.id, grades.get(query.id, {}), twin_of) for query in queries}
    return Questions(queries, qrels, answers, families, left_out)


def _family(query: str, grades: Mapping[str, int], twin_of: Mapping[str, str]) -> str:
    """A name for what answers a query, the same where its best passages are the same or versions of the same."""
    highest = max(grades.values(), default=0)
    best = {twin_of[id] for id, grade in grades.items() if grade == highest > 0}
    return digest(sorted(best) or query)


def _in_pool(collection: Collection, query: Query, grades: Mapping[str, int], pool: Pool) -> Mapping[str, int]:
    """Grades of passages that the query could find. Those of passages that a collection should have but lacks stay:
    not finding them is the collection's fault, and should show."""
    if pool == "all":
        return grades
    return {id: grade for id, grade in grades.items() if language_of(collection, id) in ("", query.lang)}


def language_of(collection: Collection, id: str) -> str:
    """The language of a passage; "" when the collection does not hold it."""
    position = collection.positions.get(id)
    return "" if position is None else str(collection.langs[position])
