"""What numbers about judges are made of: queries with passages, and who graded them how. Every number can be opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from mdr.errors import InputError
from mdr.storage.judgement_events import JudgementEvent

APART = 6
"""Grades of other things between two grades of one that make the second a repeat and no correction."""
EARLIER, LATER = "earlier", "later"
"""In the place of judges, where one judge is compared with him- or herself."""


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


Key = Callable[[JudgementEvent], str | None]
SLICES: Mapping[str, Key] = {
    "campaign": lambda event: event.campaign,
    "query language": lambda event: event.query_lang,
    "passage language": lambda event: event.passage_lang,
    "ability": lambda event: event.ability,
}
"""What agreement is told by; None: not known, left out."""


def things_of(events: Iterable[JudgementEvent]) -> dict[tuple[str, str], Thing]:
    """What was graded, by query and passage."""
    grades: dict[tuple[str, str], dict[str, int]] = {}
    things: dict[tuple[str, str], Thing] = {}
    for it in events:
        given = grades.setdefault((it.query, it.passage), {})
        given[it.annotator] = it.grade or 0
        things[it.query, it.passage] = _thing(it, given)
    return things


def latest(events: Iterable[JudgementEvent]) -> list[JudgementEvent]:
    """One grade for each judge and thing: that of the latest campaign where there are several."""
    last: dict[tuple[str, str, str], JudgementEvent] = {}
    for event in events:
        key = (event.annotator, event.query, event.passage)
        last.pop(key, None)  # so that the later one also stands later
        last[key] = event
    return list(last.values())


def abilities_met(events: Iterable[JudgementEvent]) -> Iterator[tuple[JudgementEvent, JudgementEvent]]:
    """Every two grades of different people for one thing of which both abilities are known, by ability."""
    given: dict[tuple[str, str], list[JudgementEvent]] = {}
    for event in latest(events):
        if event.ability is not None:
            given.setdefault((event.query, event.passage), []).append(event)
    for its in given.values():
        yield from combinations(sorted(its, key=lambda it: (it.ability or "", it.annotator)), 2)


def repeats(history: Iterable[JudgementEvent]) -> Iterator[tuple[int, JudgementEvent]]:
    """The earlier grade and the later event of what one judge graded again, with other things between."""
    before: dict[tuple[str, str, str], tuple[int, int]] = {}
    for place, it in enumerate(history):
        key, grade = (it.campaign, it.query, it.passage), it.grade or 0
        if key in before and place - before[key][0] > APART:
            yield before[key][1], it
        before[key] = (place, grade)


# -- what a number is made of -------------------------------------------------------------------------------


def behind(
    events: Sequence[JudgementEvent], history: Iterable[JudgementEvent], kind: str, first: str = "", second: str = ""
) -> list[Thing]:
    """The things behind a number, the most disputed first. `kind`: one of `KINDS`, or of `SLICES`, then `first` names
    the slice; two judges or abilities are `first` and `second`."""
    found: Iterable[Thing]
    if kind in SLICES:
        found = _twice(event for event in events if SLICES[kind](event) == first)
    elif kind in KINDS:
        found = KINDS[kind](events, history, first, second)
    else:
        raise InputError(f"there is no number {kind!r}", f"there are {', '.join([*KINDS, *SLICES])}")
    return sorted(found, key=lambda thing: (-thing.spread, -len(thing.grades), thing.query, thing.passage))


Behind = Callable[[Sequence[JudgementEvent], Iterable[JudgementEvent], str, str], Iterable[Thing]]


def _twice(events: Iterable[JudgementEvent]) -> list[Thing]:
    return [thing for thing in things_of(events).values() if len(thing.grades) > 1]


def _of_two(thing: Thing, first: str, second: str) -> Thing:
    return thing._replace(grades={name: thing.grades[name] for name in (first, second)})


def _abilities(events: Iterable[JudgementEvent], first: str, second: str) -> list[Thing]:
    """Names of abilities stand in either order."""
    wanted = sorted((first, second))
    met = [pair for pair in abilities_met(events) if sorted(it.ability or "" for it in pair) == wanted]
    return list(things_of(event for pair in met for event in pair).values())


KINDS: Mapping[str, Behind] = {
    "whole": lambda events, history, first, second: _twice(events),
    "judges": lambda events, history, first, second: [
        _of_two(thing, first, second) for thing in things_of(events).values() if {first, second} <= thing.grades.keys()
    ],
    "abilities": lambda events, history, first, second: _abilities(events, first, second),
    "grades": lambda events, history, first, second: [
        thing for thing in things_of(events).values() if first in thing.grades
    ],
    "others": lambda events, history, first, second: [thing for thing in _twice(events) if first in thing.grades],
    "repeats": lambda events, history, first, second: [
        _thing(event, {EARLIER: before, LATER: event.grade or 0})
        for before, event in repeats(event for event in history if event.annotator == first)
    ],
}
"""Numbers by what they are about: everybody, two judges, two abilities, and of one judge all grades, those that stand
beside others', and those given twice."""


def _thing(it: JudgementEvent, grades: Mapping[str, int]) -> Thing:
    return Thing(it.query, it.query_lang, it.query_text, it.passage, it.passage_lang, grades)
