"""Whether judgements can be trusted: how far judges agree with each other, and each with him- or herself over time.

Everything is said of the grades that count now, one per judge and thing (a query with a passage): the latest. For
repeats the history is read: a grade that somebody gave again with other things between is a repeat; given again at
once, it is a correction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import NamedTuple, TypeVar

from mdr.core.agreement import Accord, Alpha, Drift, accord, alpha, drift
from mdr.core.permissions import MACHINE, Person, require
from mdr.errors import MissingError, NotAllowedError
from mdr.services.judging import JudgingService
from mdr.storage.judgement_events import JudgementEvent

Number = TypeVar("Number", int, float)
APART = 6
"""Grades of other things between two grades of one that make the second a repeat and no correction."""


class Thing(NamedTuple):
    """A query and a passage, with the grades of its judges. It is what a number is made of."""

    query: str
    query_lang: str
    query_text: str
    passage: str
    passage_lang: str
    grades: Mapping[str, int]

    @property
    def spread(self) -> int:
        """How far the grades are apart."""
        return max(self.grades.values()) - min(self.grades.values())


@dataclass(frozen=True)
class Between:
    """Two judges, or people of two reading abilities (also of one and the same), on what both graded."""

    first: str
    second: str
    accord: Accord


@dataclass(frozen=True)
class Judge:
    """One judge: how many grades, and how long one takes (seconds; None: never told). `drift`: against the others;
    `repeats`: the earlier and later grade of things that came twice, the later one second."""

    name: str
    grades: int
    seconds: float | None
    drift: Drift
    repeats: Accord


@dataclass(frozen=True)
class Agreement:
    """What the judgements of a collection, of one campaign or all (None), say of the judges.

    `slices`: alpha by `campaign`, `query language`, `passage language` and `ability` (among grades given with that
    reading ability only), then by its name. `things`: all with two grades or more, the most disputed first.
    """

    collection: str
    campaign: str | None
    whole: Alpha
    slices: Mapping[str, Mapping[str, Alpha]]
    pairs: Sequence[Between]
    abilities: Sequence[Between]
    judges: Sequence[Judge]
    things: Sequence[Thing]


class AgreementService:
    """What the app and the command line may ask about judges."""

    def __init__(self, judging: Callable[[], JudgingService]) -> None:
        self._judging = judging

    def agreement(self, collection: str, campaign: str | None = None, *, person: Person = MACHINE) -> Agreement:
        """Everything about everybody: for those who may see what others judged."""
        require(person, "see-others")
        events = self._grades(collection, campaign)
        history = self._history(collection, campaign)
        things = _things(events)
        names = sorted({event.annotator for event in events})
        return Agreement(
            collection,
            campaign,
            _alpha(events),
            {what: _sliced(events, key) for what, key in SLICES.items()},
            list(_pairs(things.values(), names)),
            list(_abilities(_latest(events))),
            [_judge(name, events, things, history) for name in names],
            sorted(
                (thing for thing in things.values() if len(thing.grades) > 1),
                key=lambda thing: (-thing.spread, -len(thing.grades), thing.query, thing.passage),
            ),
        )

    def judge(self, collection: str, name: str, campaign: str | None = None, *, person: Person = MACHINE) -> Judge:
        """One judge: for the judge alone, and for those who may see what others judged."""
        if person.name != name:
            require(person, "see-others")
        if not name:
            raise NotAllowedError("it is not known whose judgements are asked for", "sign in, or give a name")
        events = self._grades(collection, campaign)
        if name not in {event.annotator for event in events}:
            raise MissingError(f"{name!r} has graded nothing here", "see `mdr judgements agreement` for who has")
        return _judge(name, events, _things(events), self._history(collection, campaign))

    def _grades(self, collection: str, campaign: str | None) -> list[JudgementEvent]:
        """The grades that count now, in each campaign, in the order they were given."""
        events = self._judging().store.current("judgements", collection, campaign=campaign)
        if not events:
            where = f"in campaign {campaign!r} of {collection!r}" if campaign is not None else f"in {collection!r}"
            raise MissingError(f"nobody has graded anything {where}", "grades are given in the app: `mdr demo`")
        return events

    def _history(self, collection: str, campaign: str | None) -> list[JudgementEvent]:
        """Every grade that was given and not undone, in order."""
        events = self._judging().store.history(collection, campaign=campaign)
        undone = {(event.annotator, event.undoes) for event in events if event.undoes}
        return [e for e in events if e.action == "grade" and (e.annotator, e.event) not in undone]


def _latest(events: Iterable[JudgementEvent]) -> list[JudgementEvent]:
    """One grade for each judge and thing: that of the latest campaign where there are several."""
    last: dict[tuple[str, str, str], JudgementEvent] = {}
    for event in events:
        key = (event.annotator, event.query, event.passage)
        last.pop(key, None)  # so that the later one also stands later
        last[key] = event
    return list(last.values())


Key = Callable[[JudgementEvent], str | None]
SLICES: Mapping[str, Key] = {
    "campaign": lambda event: event.campaign,
    "query language": lambda event: event.query_lang,
    "passage language": lambda event: event.passage_lang,
    "ability": lambda event: event.ability,
}
"""What agreement is told by; None: not known, left out."""


def _things(events: Iterable[JudgementEvent]) -> dict[tuple[str, str], Thing]:
    """What was graded, by query and passage."""
    grades: dict[tuple[str, str], dict[str, int]] = {}
    things: dict[tuple[str, str], Thing] = {}
    for it in events:
        given = grades.setdefault((it.query, it.passage), {})
        given[it.annotator] = it.grade or 0
        things[it.query, it.passage] = Thing(it.query, it.query_lang, it.query_text, it.passage, it.passage_lang, given)
    return things


def _alpha(events: Iterable[JudgementEvent]) -> Alpha:
    things = _things(events).values()
    return alpha([list(thing.grades.values()) for thing in things], [thing.query for thing in things])


def _sliced(events: Iterable[JudgementEvent], key: Key) -> dict[str, Alpha]:
    slices: dict[str, list[JudgementEvent]] = {}
    for event in events:
        if (name := key(event)) is not None:
            slices.setdefault(name, []).append(event)
    return {name: _alpha(its) for name, its in sorted(slices.items())}


def _pairs(things: Iterable[Thing], names: Sequence[str]) -> Iterator[Between]:
    """Every two judges who share a thing."""
    shared: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
    for thing in things:
        for one, two in combinations(sorted(thing.grades), 2):
            shared.setdefault((one, two), []).append((thing.grades[one], thing.grades[two], thing.query))
    for one, two in combinations(names, 2):
        if (one, two) in shared:
            yield Between(one, two, _accord(shared[one, two]))


def _abilities(events: Iterable[JudgementEvent]) -> Iterator[Between]:
    """Every two abilities with which different people graded one thing; also one and the same."""
    given: dict[tuple[str, str], list[JudgementEvent]] = {}
    for event in events:
        if event.ability is not None:
            given.setdefault((event.query, event.passage), []).append(event)
    shared: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
    for its in given.values():
        for one, two in combinations(sorted(its, key=lambda it: (it.ability or "", it.annotator)), 2):
            abilities = (one.ability or "", two.ability or "")
            shared.setdefault(abilities, []).append((one.grade or 0, two.grade or 0, one.query))
    for abilities, grades in sorted(shared.items()):
        yield Between(*abilities, _accord(grades))


def _judge(
    name: str,
    events: Iterable[JudgementEvent],
    things: Mapping[tuple[str, str], Thing],
    history: Iterable[JudgementEvent],
) -> Judge:
    own = _latest(event for event in events if event.annotator == name)
    seconds = [event.seconds for event in own if event.seconds is not None]
    said: list[tuple[int, float, str]] = []
    for event in own:
        grades = things[event.query, event.passage].grades
        if others := [grade for judge, grade in grades.items() if judge != name]:
            said.append((event.grade or 0, sum(others) / len(others), event.query))
    repeats = _accord(list(_repeats(event for event in history if event.annotator == name)))
    return Judge(name, len(own), median(seconds) if seconds else None, drift(*_columns(said)), repeats)


def _repeats(history: Iterable[JudgementEvent]) -> Iterator[tuple[int, int, str]]:
    """Earlier and later grade of what one judge graded again, with other things between."""
    before: dict[tuple[str, str, str], tuple[int, int]] = {}
    for place, it in enumerate(history):
        key, grade = (it.campaign, it.query, it.passage), it.grade or 0
        if key in before and place - before[key][0] > APART:
            yield before[key][1], grade, it.query
        before[key] = (place, grade)


def _accord(grades: Sequence[tuple[int, int, str]]) -> Accord:
    return accord(*_columns(grades))


def _columns(rows: Sequence[tuple[int, Number, str]]) -> tuple[list[int], list[Number], list[str]]:
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
