"""How much may be asked at once: what computes waits in bounded lines, and nobody takes more than their share.

What people judge does not wait in a line: it is small, and is only held to a rate that no person reaches. A refusal
says when to come back. Runs on the server's event loop alone, so plain numbers do.
"""

from __future__ import annotations

import os
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from mdr.core.permissions import Person
from mdr.settings import Settings
from mdr.ui.door.line import Gone, Limits, Line, Place, Turns, busy

_POSTED: Mapping[str, str] = {
    "/gradio_api/run/": "search",
    "/gradio_api/api/": "search",
    "/gradio_api/call/": "search",
    "/gradio_api/queue/join": "search",
    "/gradio_api/mcp": "search",
    "/gradio_api/upload": "upload",
    "/mdr/upload/": "upload",
    "/mdr/runs/": "run",
    "/mdr/evaluate/start": "run",
    "/mdr/": "save",
}
_SEEN: Mapping[str, str] = {
    "/mdr/evaluate/progress": "look",
    "/mdr/runs/live": "look",
    "/mdr/why": "compute",
    "/mdr/reading": "compute",
    "/mdr/likelihood": "compute",
    "/mdr/example": "compute",
    "/mdr/compare": "compute",
    "/mdr/evaluate": "compute",
    "/mdr/training-data": "compute",
    "/mdr/runs": "compute",
    "/mdr/": "look",
}
"""What a request counts as, by the beginning of its path; the first row that fits."""
_QUEUED = ("/gradio_api/call/", "/gradio_api/queue/join", "/gradio_api/mcp")
"""These are answered over streams of their own, and their work waits in Gradio's queue, which is bounded too."""


class Rate(NamedTuple):
    """So many a second in the long run, and so many at once."""

    second: float
    burst: float


RATES: Mapping[str, Rate] = {
    "search": Rate(2, 30),
    "compute": Rate(5, 150),
    "look": Rate(10, 200),
    "save": Rate(10, 300),
    "upload": Rate(0.2, 10),
    "run": Rate(0.2, 20),
}
"""Of one visitor. Who signed in has ten times as much, and so have all visitors of one address together."""
_MANY = 10
_CORES = max(1, min(8, (os.cpu_count() or 2) // 2))
"""Searches that run at once: more would finish no sooner, and keep those who judge from their turn."""
SEARCHES = Limits(_CORES)
PIECES = Limits(_CORES, each=8, seconds=60.0)
"""Of pieces of pages that take some computing. A page asks for several at once."""
_REMEMBERED = 20_000
"""Buckets kept at most; the one not used for longest goes first, and would be full again by then."""


def kind(method: str, path: str) -> str | None:
    """What a request counts as; None: as nothing that costs."""
    kinds = _SEEN if method in ("GET", "HEAD") else _POSTED
    return next((what for start, what in kinds.items() if path.startswith(start)), None)


def limits(settings: Settings) -> Limits:
    """Of searches, as the settings say."""
    return Limits(
        settings.searches or _CORES,
        settings.searches_waiting,
        settings.searches_each,
        settings.search_patience,
        settings.search_seconds,
    )


@dataclass
class _Bucket:
    """What is left of a rate as of `then`."""

    level: float
    then: float
    turns: Turns


class Admission:
    """One for each server. `lines`: of what waits for its turn; `refused` counts who asked too fast, by what for."""

    def __init__(
        self, searches: Limits = SEARCHES, pieces: Limits = PIECES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.lines: Mapping[str, Line] = {"search": Line(searches), "compute": Line(pieces)}
        self.refused: Counter[str] = Counter()
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    @asynccontextmanager
    async def admitted(
        self, what: str | None, path: str, person: Person, address: str, gone: Gone
    ) -> AsyncIterator[Place | None]:
        """Let a request in when it is its turn, or say that it is one too many."""
        if what is None:
            yield None
            return
        self._spend(what, person, address)
        line = self.line(what, path)
        if line is None:
            yield None
            return
        async with line.place(person.name or f"address {address}", gone) as place:
            yield place

    def line(self, what: str | None, path: str) -> Line | None:
        """Where a request of some kind waits for its turn."""
        return None if path.startswith(_QUEUED) else self.lines.get(what or "")

    def _spend(self, what: str, person: Person, address: str) -> None:
        """Take one from every bucket it counts in, or, where one is empty, from none."""
        rate, now = RATES[what], self._clock()
        wide = Rate(rate.second * _MANY, rate.burst * _MANY)
        signed_in = person.role != "visitor"
        buckets = {} if signed_in else {(what, f"address {address}"): wide}
        if person.name:
            buckets[what, person.name] = wide if signed_in else rate
        asked = {key: self._bucket(key, rate, now) for key, rate in buckets.items()}
        for key, bucket in asked.items():
            if bucket.level < 1:
                self.refused[what] += 1
                seconds = bucket.turns.next(now, (1 - bucket.level) / buckets[key].second)
                raise busy("you are asking faster than this server answers", seconds)
        for key, bucket in asked.items():
            bucket.level -= 1
            self._buckets[key] = bucket
            self._buckets.move_to_end(key)
        while len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)

    def _bucket(self, key: tuple[str, str], rate: Rate, now: float) -> _Bucket:
        bucket = self._buckets.get(key) or _Bucket(rate.burst, now, Turns(1 / rate.second))
        bucket.level = min(rate.burst, bucket.level + (now - bucket.then) * rate.second)
        bucket.then = now
        return bucket
