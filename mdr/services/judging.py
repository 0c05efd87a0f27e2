"""Grades of people: given, taken back, counted, exported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

from mdr.errors import InputError
from mdr.storage.judgements import JudgementEvent, JudgementStore
from mdr.types import Passage, Qrels, Query

GRADES: Mapping[int, str] = {0: "not relevant", 1: "related", 2: "answers partly", 3: "answers fully"}


class JudgingService:
    """What the app and the command line may do with judgements."""

    def __init__(self, store: JudgementStore) -> None:
        self.store = store

    def grade(
        self,
        annotator: str,
        collection: str,
        query: Query,
        passage: Passage,
        grade: int | None,
        *,
        rank: int | None = None,
        engine: str | None = None,
        event: str | None = None,
    ) -> JudgementEvent:
        """Record a grade (None takes it back). Durable when this returns; the same `event` counts once."""
        if not annotator:
            raise InputError("a judgement needs an annotator", "sign in, or give a name")
        if grade is not None and (type(grade) is not int or grade not in GRADES):  # True is no grade
            raise InputError(f"{grade!r} is not a grade", f"grades are {', '.join(map(str, GRADES))}")
        record = JudgementEvent(
            event=event or uuid4().hex,
            happened=datetime.now(UTC),
            action="withdraw" if grade is None else "grade",
            annotator=annotator,
            collection=collection,
            query=query.id or query_id(query),
            query_lang=query.lang,
            query_text=query.text,
            passage=passage.id,
            passage_lang=passage.lang,
            grade=grade,
            rank=rank,
            engine=engine,
        )
        self.store.append(record)
        return record

    def grades(self, annotator: str, collection: str, query: Query) -> dict[str, int]:
        """What a person has graded for a query, by passage."""
        mine = self.store.judgements(collection, annotator, query.id or query_id(query))
        return {event.passage: event.grade for event in mine if event.grade is not None}

    def qrels(self, collection: str) -> Qrels:
        """Everyone's grades as qrels; where people differ, the higher half of the middle."""
        grades: dict[str, dict[str, list[int]]] = {}
        for event in self.store.judgements(collection):
            if event.grade is not None:
                grades.setdefault(event.query, {}).setdefault(event.passage, []).append(event.grade)
        return {
            query: {passage: sorted(values)[len(values) // 2] for passage, values in passages.items()}
            for query, passages in grades.items()
        }


def query_id(query: Query) -> str:
    """A stable id for a query that somebody typed: the same text has the same id."""
    from mdr.storage.files import digest

    return f"typed-{digest([query.text])}"
