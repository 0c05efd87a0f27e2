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
from typing import TypeVar

from mdr.core.agreement import Accord, Alpha, Drift, accord, alpha, drift
from mdr.core.permissions import MACHINE, Person, require
from mdr.errors import MissingError, NotAllowedError
from mdr.services.judging.graded_things import SLICES, Key, Thing, abilities_met, behind, latest, repeats, things_of
from mdr.services.judging.service import JudgingService
from mdr.storage.judgement_events import JudgementEvent

Number = TypeVar("Number", int, float)


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
        things = things_of(events)
        names = sorted({event.annotator for event in events})
        return Agreement(
            collection,
            campaign,
            _alpha(events),
            {what: _sliced(events, key) for what, key in SLICES.items()},
            list(_pairs(things.values(), names)),
            list(_abilities(events)),
            [_judge(name, events, things, history) for name in names],
            behind(events, (), "whole"),
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
        return _judge(name, events, things_of(events), self._history(collection, campaign))

    def behind(
        self,
        collection: str,
        campaign: str | None,
        kind: str,
        first: str = "",
        second: str = "",
        *,
        person: Person = MACHINE,
    ) -> list[Thing]:
        """The items behind a number of `agreement`, as `graded_things.behind` names it: who graded what how."""
        require(person, "see-others")
        history = self._history(collection, campaign)
        return behind(self._grades(collection, campaign), history, kind, first, second)

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


def _alpha(events: Iterable[JudgementEvent]) -> Alpha:
    things = things_of(events).values()
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
    shared: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
    for one, two in abilities_met(events):
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
    own = latest(event for event in events if event.annotator == name)
    seconds = [event.seconds for event in own if event.seconds is not None]
    said: list[tuple[int, float, str]] = []
    for event in own:
        grades = things[event.query, event.passage].grades
        if others := [grade for judge, grade in grades.items() if judge != name]:
            said.append((event.grade or 0, sum(others) / len(others), event.query))
    again = repeats(event for event in history if event.annotator == name)
    twice = _accord([(before, later.grade or 0, later.query) for before, later in again])
    return Judge(name, len(own), median(seconds) if seconds else None, drift(*_columns(said)), twice)


def _accord(grades: Sequence[tuple[int, int, str]]) -> Accord:
    return accord(*_columns(grades))


def _columns(rows: Sequence[tuple[int, Number, str]]) -> tuple[list[int], list[Number], list[str]]:
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
