"""Where one campaign stands, in memory: who said what about which item, and what comes next for whom.

Built from the events of the store, then told of each new one after it is durable. Handing the next item out asks no
file: that is what keeps grading instant. Items are known by their number in the campaign.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from threading import RLock
from typing import Literal, NamedTuple, TypeAlias

from mdr.core.campaigns import Campaign, inclusions, returns_after, takers
from mdr.storage.judgement_events import JudgementEvent

Source: TypeAlias = Literal["own", "skipped", "others"]
"""Where the next items come from: one's own share, what one has skipped, or what others have not come to yet."""

HANDLED = ("grade", "skip", "cannot-judge")
"""The actions after which a judge is done with an item."""
_LEASE = 15 * 60.0
"""Seconds for which an item that lies on somebody's desk is not handed to others."""
_ROUTES = 512


class Said(NamedTuple):
    """What somebody said of an item, and has not taken back."""

    event: str
    annotator: str
    item: int
    action: str
    grade: int | None = None
    note: str | None = None
    ability: str | None = None
    seconds: float | None = None


class _Route:
    """The items that a judge may come to, in order; those before `start` are finished for this judge."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers, self.start = numbers, 0


class Desk:
    """One campaign under way. Safe for threads."""

    def __init__(
        self, campaign: Campaign, events: Iterable[JudgementEvent] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.campaign = campaign
        self.drawn = campaign.drawn
        self.inclusion = inclusions(campaign)
        self.of_item: dict[int, list[Said]] = {}
        self.of_judge: dict[str, list[Said]] = {}
        self._clock = clock
        self._numbers = {(item.query, item.passage): at for at, item in enumerate(campaign.items[: self.drawn])}
        self._events: dict[str, Said | None] = {}
        self._due: dict[str, dict[int, int]] = {}
        self._graded: dict[str, int] = {}
        self._leases: dict[int, dict[tuple[str, str], float]] = {}
        self._routes: dict[tuple[str, frozenset[str]], _Route] = {}
        self._lock = RLock()
        for event in events:
            self.told(event)

    # -- what was said ------------------------------------------------------------------------------------

    def told(self, event: JudgementEvent) -> None:
        """Something happened; the same event counts once."""
        number = self.number_of(event)
        if number is None:  # of a pool that has changed since
            return
        with self._lock:
            if event.event in self._events:
                return
            if event.undoes:
                self._events[event.event] = None
                self._take_back(event.undoes, event.annotator)
                return
            self._add(
                Said(
                    event.event,
                    event.annotator,
                    number,
                    event.action,
                    event.grade,
                    event.note,
                    event.ability,
                    event.seconds,
                )
            )

    def _add(self, said: Said) -> None:
        self._events[said.event] = said
        self.of_item.setdefault(said.item, []).append(said)
        self.of_judge.setdefault(said.annotator, []).append(said)
        for key in [key for key in self._leases.get(said.item, ()) if key[0] == said.annotator]:
            del self._leases[said.item][key]
        if said.action == "grade":
            count = self._graded[said.annotator] = self._graded.get(said.annotator, 0) + 1
            gap = returns_after(self.campaign.items[said.item], said.annotator, self.campaign.rules)
            due = self._due.setdefault(said.annotator, {})
            if said.item in due:
                due[said.item] = -1  # it has come twice: never again
            elif gap is not None:
                due[said.item] = count + gap

    def _take_back(self, event: str, annotator: str) -> None:
        said = self._events.get(event)
        if said is None or said.annotator != annotator or said not in self.of_item[said.item]:
            return
        self.of_item[said.item].remove(said)
        self.of_judge[annotator].remove(said)
        if said.action == "grade":
            self._graded[annotator] -= 1
            if not self.graded_by(said.item, annotator):
                self._due[annotator].pop(said.item, None)
        for route in self._routes.values():
            route.start = 0

    def number_of(self, event: JudgementEvent) -> int | None:
        """The item that an event is about; None: the campaign has it no more."""
        return self._numbers.get((event.query, event.passage))

    def find(self, event: str) -> Said | None:
        """What was said with an event, taken back or not."""
        return self._events.get(event)

    def graded_by(self, number: int, annotator: str) -> list[Said]:
        """The grades that somebody has given to an item, oldest first; more than one after a hidden repeat."""
        its = self.of_item.get(number, ())
        return [said for said in its if said.annotator == annotator and said.action == "grade"]

    def grades(self, number: int) -> dict[str, Said]:
        """The latest grade of each judge of an item."""
        return {said.annotator: said for said in self.of_item.get(number, ()) if said.action == "grade"}

    def standing(self, number: int, annotator: str) -> Said | None:
        """What somebody did with an item last."""
        its = [said for said in self.of_item.get(number, ()) if said.annotator == annotator and said.action in HANDLED]
        return its[-1] if its else None

    def handled(self, annotator: str) -> int:
        """How many items somebody is done with, repeats counted too."""
        return sum(said.action in HANDLED for said in self.of_judge.get(annotator, ()))

    # -- what comes next ----------------------------------------------------------------------------------

    def next(
        self,
        annotator: str,
        tab: str,
        langs: Collection[str],
        have: Collection[int],
        count: int,
        source: Source = "own",
    ) -> list[int]:
        """The next items for a window of somebody who reads these languages and has some items already. They are
        kept for that window for a while."""
        with self._lock:
            until = self._clock() + _LEASE
            me = (annotator, tab)
            for number in have:
                if me in self._leases.get(number, ()):
                    self._leases[number][me] = until
            offered: list[int] = []
            for number in self._candidates(annotator, frozenset(langs), source):
                if len(offered) == count:
                    break
                if number not in have and number not in offered and not self._taken(number, me):
                    offered.append(number)
                    self._leases.setdefault(number, {})[me] = until
            return offered

    def left(self, annotator: str, langs: Collection[str], source: Source = "own") -> int:
        """How many items are still to come, those on other desks too."""
        with self._lock:
            return sum(1 for _ in self._fresh_or_skipped(annotator, frozenset(langs), source))

    def _candidates(self, annotator: str, langs: frozenset[str], source: Source) -> Iterator[int]:
        if source == "own":
            count = self._graded.get(annotator, 0)
            due = self._due.get(annotator, {}).items()
            yield from [number for number, when in due if 0 < when <= count and self._readable(number, langs)]
        yield from self._fresh_or_skipped(annotator, langs, source)

    def _fresh_or_skipped(self, annotator: str, langs: frozenset[str], source: Source) -> Iterator[int]:
        if source == "skipped":
            mine = dict.fromkeys(said.item for said in self.of_judge.get(annotator, ()) if said.action == "skip")
            return (number for number in mine if self._skipped(number, annotator) and self._readable(number, langs))
        if source == "others" and self.campaign.annotators:
            whole = (number for number in range(self.drawn) if self._readable(number, langs))
            return (n for n in whole if annotator not in self._takers(n) and not self._finished(n, annotator))
        return self._fresh(annotator, langs) if source == "own" else iter(())

    def _fresh(self, annotator: str, langs: frozenset[str]) -> Iterator[int]:
        key = (annotator, langs)
        if key not in self._routes:
            while len(self._routes) >= _ROUTES:  # the oldest goes; whoever comes back waits for it once
                del self._routes[next(iter(self._routes))]
            mine = (n for n in range(self.drawn) if not self.campaign.annotators or annotator in self._takers(n))
            self._routes[key] = _Route([n for n in mine if self._readable(n, langs)])
        route = self._routes[key]
        numbers = route.numbers
        while route.start < len(numbers) and self._finished(numbers[route.start], annotator):
            route.start += 1
        return (n for n in islice(numbers, route.start, None) if not self._finished(n, annotator))

    def _takers(self, number: int) -> list[str]:
        return takers(self.campaign.items[number], self.campaign.annotators, self.campaign.rules.seed)

    def _readable(self, number: int, langs: frozenset[str]) -> bool:
        item = self.campaign.items[number]
        return item.lang in langs and self.campaign.queries[item.query].lang in langs

    def _skipped(self, number: int, annotator: str) -> bool:
        last = self.standing(number, annotator)
        return last is not None and last.action == "skip" and len(self.grades(number)) < self._wanted(number)

    def _finished(self, number: int, annotator: str) -> bool:
        return number in self.of_item and (
            self.standing(number, annotator) is not None or len(self.grades(number)) >= self._wanted(number)
        )

    def _wanted(self, number: int) -> int:
        return self.campaign.items[number].judges

    def _taken(self, number: int, me: tuple[str, str]) -> bool:
        """Whether it lies on as many other desks as it needs judges, or in another window of the same judge."""
        leases = self._leases.get(number)
        if not leases:
            return False
        now = self._clock()
        others = {key[0] for key, until in leases.items() if key != me and until > now}
        judged = self.grades(number).keys() - {me[0]}  # a hidden repeat has been judged by whom it comes to again
        return me[0] in others or len(others | judged) >= self._wanted(number)
