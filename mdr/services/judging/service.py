"""What people say of passages: grades, skips, doubts, notes, adjudications; taken back, undone, counted, imported."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from copy import copy
from datetime import UTC, datetime
from math import inf, nan
from typing import Any, NamedTuple, TypedDict, Unpack
from uuid import uuid4

from mdr.core.permissions import MACHINE, Permission, Person, require
from mdr.core.policies import Decided, decide
from mdr.errors import InputError, NotAllowedError
from mdr.storage.collection import Collection
from mdr.storage.files import digest
from mdr.storage.judged import standing
from mdr.storage.judgement_events import ABILITIES, Ability, Action, JudgementEvent, table_of
from mdr.storage.judgements import JudgementStore
from mdr.types import Passage, Qrels, Query

GRADES: Mapping[int, str] = {0: "not relevant", 1: "related", 2: "answers partly", 3: "answers fully"}


class Circumstances(TypedDict, total=False):
    """How it was judged, as `JudgementEvent` has it."""

    campaign: str
    rank: int | None
    engine: str | None
    ability: Ability | None
    seconds: float | None
    evidence: bool | None
    inclusion: float | None
    index_fingerprint: str | None
    model_fingerprint: str | None


class Imported(NamedTuple):
    """What an import of qrels did: judgements added, those that were here, those of unknown queries or passages."""

    added: int
    known: int
    unknown: int


class JudgingService:
    """What the app and the command line may do with judgements. What returns is durable.

    Works for the machine, which may do anything in anybody's name; `acting` gives one that works for a person.
    """

    def __init__(self, store: JudgementStore) -> None:
        self.store = store
        self.person = MACHINE
        self._undoing = threading.Lock()

    def acting(self, person: Person) -> JudgingService:
        """The same for a person, who may do what their role may, and that in their own name only."""
        service = copy(self)
        service.person = person
        return service

    def close(self) -> None:
        """Nothing more is recorded; what was acknowledged is on disk."""
        self.store.close()

    # -- what judges do -----------------------------------------------------------------------------------

    def grade(
        self,
        annotator: str,
        collection: str,
        query: Query,
        passage: Passage,
        grade: int | None,
        *,
        event: str | None = None,
        **how: Unpack[Circumstances],
    ) -> JudgementEvent:
        """Record a grade; None: the judge has none here any more."""
        action: Action = "withdraw" if grade is None else "grade"
        return self.record(action, annotator, collection, query, passage, grade=grade, event=event, **how)

    def record(
        self,
        action: Action,
        annotator: str,
        collection: str,
        query: Query,
        passage: Passage,
        *,
        grade: int | None = None,
        note: str | None = None,
        event: str | None = None,
        **how: Unpack[Circumstances],
    ) -> JudgementEvent:
        """Record anything that a judge does about a passage. `note`: the remark, or why it cannot be judged; `event`:
        the client's id, of which the same one counts once."""
        if not annotator:
            raise InputError("a judgement needs an annotator", "sign in, or give a name")
        self._permit(annotator, "adjudicate" if action == "adjudicate" else "judge" if how.get("campaign") else "grade")
        _check(action, {"grade": grade, "note": note, **how})
        record = JudgementEvent(
            event=event or uuid4().hex,
            happened=datetime.now(UTC),
            action=action,
            annotator=annotator,
            collection=collection,
            query=query.id or query_id(query),
            query_lang=query.lang,
            query_text=query.text,
            passage=passage.id,
            passage_lang=passage.lang,
            grade=grade,
            note=note,
            **how,
        )
        self.store.append(record)
        return record

    def undo(
        self,
        annotator: str,
        collection: str,
        *,
        campaign: str = "",
        event: str | None = None,
        undoes: str | None = None,
    ) -> JudgementEvent | None:
        """Take back what a judge did last and has not undone, or the event `undoes`, so that what was before holds
        again; as often as there is something. Gives the withdrawal; None: nothing is left."""
        self._permit(annotator, "judge" if campaign else "grade")
        with self._undoing:  # or two undos at once would take the same thing back
            if event and (retried := self.store.find(event)):
                if retried.annotator != annotator or undoes not in (None, retried.undoes) or retried.undoes is None:
                    raise InputError(f"event {event!r} is another judgement already", "give each undo its own id")
                return retried
            last = self.store.find(undoes) if undoes else self.store.last(annotator, collection, campaign)
            if last is None:
                return None
            if (last.annotator, last.collection, last.campaign) != (annotator, collection, campaign) or last.undoes:
                raise InputError(f"event {undoes!r} is nothing to take back here", "take back what you did yourself")
            record = JudgementEvent(
                event=event or uuid4().hex,
                happened=datetime.now(UTC),
                action="withdraw",
                annotator=annotator,
                collection=collection,
                query=last.query,
                query_lang=last.query_lang,
                query_text=last.query_text,
                passage=last.passage,
                passage_lang=last.passage_lang,
                campaign=campaign,
                undoes=last.event,
            )
            self.store.append(record)
            return record

    def import_qrels(
        self, annotator: str, name: str, collection: Collection, qrels: Qrels, *, campaign: str = ""
    ) -> Imported:
        """Qrels as judgements of a named annotator about a named collection; all in one commit, each counted once."""
        if not annotator:
            raise InputError("qrels need an annotator", "name who graded, or where the qrels come from")
        require(self.person, "import")
        if wrong := sorted({grade for grades in qrels.values() for grade in grades.values()} - set(GRADES)):
            raise InputError(f"the qrels have the grades {', '.join(map(str, wrong))}", f"map them to {_SCALE}")
        queries = {query.id: query for query in collection.queries()}
        now, events, unknown = datetime.now(UTC), [], 0
        for query, grades in qrels.items():
            for passage, grade in grades.items():
                if query not in queries or passage not in collection.positions:
                    unknown += 1
                    continue
                _, query_lang, text = queries[query]
                id = f"qrels-{digest([annotator, name, campaign, query, passage, grade])}"
                lang = collection.lang_of(passage)
                where = (annotator, name, query, query_lang, text, passage, lang, grade)
                events.append(JudgementEvent(id, now, "grade", *where, campaign=campaign))
        merged = self.store.merge(table_of(events))
        return Imported(merged.added, merged.known, unknown)

    # -- what holds ---------------------------------------------------------------------------------------

    def grades(self, annotator: str, collection: str, query: Query) -> dict[str, int]:
        """What a person has graded for a query, by passage."""
        self._permit(annotator, "grade", "see-others")
        mine = self.store.judgements(collection, annotator, query.id or query_id(query))
        return {event.passage: event.grade for event in mine if event.grade is not None}

    def decided(self, collection: str, policy: str = "majority", campaign: str | None = None) -> Decided:
        """One grade for each query and passage, of one campaign or all; a judge counts once, by the latest grade."""
        found = standing(self.store, collection, campaign)
        return decide({key: list(given.values()) for key, given in found.grades.items()}, found.adjudicated, policy)

    def qrels(self, collection: str, policy: str = "majority", campaign: str | None = None) -> Qrels:
        """What is decided, for evaluation."""
        return self.decided(collection, policy, campaign).qrels

    def _permit(self, annotator: str, own: Permission, others: Permission | None = None) -> None:
        """Refuse what the person that this works for may not do; `others`: what it takes in another's name."""
        require(self.person, own)
        if annotator == self.person.name or self.person == MACHINE:
            return
        if others is None:
            raise NotAllowedError(f"{self.person.name!r} cannot judge as {annotator!r}", "judge as yourself")
        require(self.person, others)


def query_id(query: Query) -> str:
    """A stable id for a query that somebody typed: the same text has the same id."""
    return f"typed-{digest([query.text])}"


def _check(action: str, values: Mapping[str, Any]) -> None:
    """Refuse what makes no sense, before it reaches the file."""
    if action not in _WITH:
        raise InputError(f"{action!r} is nothing a judge does", f"judges {', '.join(_WITH)}")
    for name, (what, holds, remedy) in _RULES.items():
        value = values.get(name)
        if name in _WITH[action] and value in (None, ""):
            raise InputError(f"a {action} needs {what}", remedy)
        if value is not None and not holds(value):
            raise InputError(f"{value!r} is not {what}", remedy)
    if values["grade"] is not None and "grade" not in _WITH[action]:
        raise InputError(f"a {action} has no grade", "grade or adjudicate instead")


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else nan


_WITH: Mapping[str, tuple[str, ...]] = {
    "grade": ("grade",),
    "withdraw": (),
    "skip": (),
    "cannot-judge": ("note",),
    "note": ("note",),
    "adjudicate": ("grade",),
}
"""What each action cannot do without."""

_SCALE = ", ".join(map(str, GRADES))
_RULES: Mapping[str, tuple[str, Callable[[Any], bool], str]] = {
    "grade": ("a grade", lambda it: type(it) is int and it in GRADES, f"grades are {_SCALE}"),  # True is no grade
    "note": ("a note", lambda it: isinstance(it, str), "say it in words"),
    "ability": ("a reading ability", lambda it: it in ABILITIES, f"abilities are {', '.join(ABILITIES)}"),
    "seconds": ("a time", lambda it: 0 <= _number(it) < inf, "seconds are 0 or more"),
    "inclusion": ("a probability", lambda it: 0 < _number(it) <= 1, "those of being drawn are above 0, at most 1"),
}
