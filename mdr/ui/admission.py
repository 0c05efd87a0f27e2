"""How much may be asked at once: searches wait in a bounded line, and nobody takes more than their share.

What people judge does not wait in that line: it is small, and is only held to a rate that no person reaches. A refusal
says when to come back. Runs on the server's event loop alone, so plain numbers do.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeAlias

from mdr.core.permissions import Person
from mdr.errors import BusyError

_KINDS: Mapping[str, str] = {
    "/gradio_api/run/": "search",
    "/gradio_api/api/": "search",
    "/gradio_api/call/": "search",
    "/gradio_api/queue/join": "search",
    "/gradio_api/mcp": "search",
    "/gradio_api/upload": "upload",
    "/mdr/upload/": "upload",
    "/mdr/": "save",
}
"""What posts count as, by the beginning of their path; the first row that fits."""
_QUEUED = ("/gradio_api/call/", "/gradio_api/queue/join", "/gradio_api/mcp")
"""These are answered over streams of their own, and their work waits in Gradio's queue, which is bounded too."""


class Rate(NamedTuple):
    """So many a second in the long run, and so many at once."""

    second: float
    burst: float


RATES: Mapping[str, Rate] = {
    "search": Rate(2, 30),
    "look": Rate(10, 200),
    "save": Rate(10, 300),
    "upload": Rate(0.2, 10),
}
"""Of one visitor. Who signed in has ten times as much, and so have all visitors of one address together."""
_MANY = 10
_CORES = max(2, min(8, os.cpu_count() or 2))
"""Searches that run at once: more would finish no sooner, and keep those who judge from their turn."""
Gone: TypeAlias = Callable[[], Awaitable[object]]
"""Comes back when the one who asked has hung up."""
_REMEMBERED = 20_000
"""Buckets kept at most; the one not used for longest goes first, and would be full again by then."""


def kind(method: str, path: str) -> str | None:
    """What a request counts as; None: as nothing that costs."""
    if method == "GET":
        return "look" if path.startswith("/mdr/") else None
    return next((what for start, what in _KINDS.items() if path.startswith(start)), None)


class Admission:
    """One for each server."""

    def __init__(
        self,
        *,
        running: int = _CORES,
        waiting: int = 64,
        each: int = 4,
        patience: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places, self._limit, self._each, self._patience = running, running + waiting, each, patience
        self._clock = clock
        self._free = asyncio.Semaphore(running)
        self._inside = 0
        self._held: Counter[str] = Counter()
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    @asynccontextmanager
    async def admitted(
        self, what: str | None, path: str, person: Person, address: str, gone: Gone
    ) -> AsyncIterator[None]:
        """Let a request in when it is its turn, or say that it is one too many."""
        if what is None:
            yield
            return
        whose = person.name or f"address {address}"
        self._spend(what, person, address)
        if what != "search" or path.startswith(_QUEUED):
            yield
            return
        if self._inside >= self._limit or self._held[whose] >= self._each:
            raise _busy("too many searches are under way", 1 + self._inside / self._places / 4)
        self._inside += 1
        self._held[whose] += 1
        try:
            await self._place(gone)
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._inside -= 1
            self._held[whose] -= 1
            if not self._held[whose]:
                del self._held[whose]

    async def _place(self, gone: Gone) -> None:
        """Wait for a free place, unless whoever waits has gone."""
        if not self._free.locked():
            await self._free.acquire()
            return
        turn, left = asyncio.ensure_future(self._free.acquire()), asyncio.ensure_future(gone())
        try:
            await asyncio.wait((turn, left), timeout=self._patience, return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                raise _busy("the search did not come to its turn", self._patience)
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._free.release()
            raise
        finally:
            turn.cancel()
            left.cancel()

    def _spend(self, what: str, person: Person, address: str) -> None:
        """Take one from every bucket it counts in, or, where one is empty, from none."""
        rate, now = RATES[what], self._clock()
        wide = Rate(rate.second * _MANY, rate.burst * _MANY)
        signed_in = person.role != "visitor"
        buckets = {} if signed_in else {(what, f"address {address}"): wide}
        if person.name:
            buckets[what, person.name] = wide if signed_in else rate
        levels = {key: self._level(key, rate, now) for key, rate in buckets.items()}
        for key, level in levels.items():
            if level < 1:
                raise _busy("you are asking faster than this server answers", (1 - level) / buckets[key].second)
        for key, level in levels.items():
            self._buckets[key] = (level - 1, now)
            self._buckets.move_to_end(key)
        while len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)

    def _level(self, key: tuple[str, str], rate: Rate, now: float) -> float:
        level, then = self._buckets.get(key, (rate.burst, now))
        return min(rate.burst, level + (now - then) * rate.second)


def _busy(problem: str, seconds: float) -> BusyError:
    return BusyError(problem, "wait a moment, then try again", max(1.0, seconds))
