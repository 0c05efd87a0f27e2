"""A line for work of one kind: so many at once, so many that wait, and of one visitor so many. Who hangs up makes room.

Runs on the server's event loop alone, so plain numbers do.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeAlias

from mdr.core.stopping import Wanted, wanted
from mdr.errors import BusyError

Gone: TypeAlias = Callable[[], Awaitable[object]]
"""Comes back when the one who asked has hung up."""

_USUAL = 0.25
"""Seconds that a piece of work is taken to last, where somebody is told when to come again."""
_LONGEST = 30.0
"""Seconds that anybody is told to wait, at most."""


class Limits(NamedTuple):
    """Of a line: how many at once, how many wait, of one visitor how many; seconds until one's turn, and from then on
    until the work is stopped (0: any number)."""

    running: int
    waiting: int = 64
    each: int = 4
    patience: float = 10.0
    seconds: float = 20.0


class Turns:
    """When those who were refused may come again: each at a time of their own, or all would be back at once. `each`:
    seconds from one to the next."""

    def __init__(self, each: float) -> None:
        self._each, self._last = each, 0.0

    def next(self, now: float, seconds: float) -> float:
        """How many seconds somebody has to wait; `seconds` at least."""
        self._last = max(self._last + self._each, now + seconds)
        return min(self._last - now, _LONGEST)


class Place:
    """Somebody's turn. Whoever has what they came for gives it up at once, however slowly they take it home. `gone`:
    done when they have hung up."""

    def __init__(self, line: Line, whose: str, gone: asyncio.Future[object]) -> None:
        self._line, self._whose, self._has_turn, self._left = line, whose, False, False
        self.gone = gone
        line.inside += 1
        line.held[whose] += 1

    async def take(self) -> None:
        """Wait for a turn, unless whoever waits has gone."""
        free, patience = self._line.free, self._line.limits.patience
        turn = asyncio.ensure_future(free.acquire())
        try:
            await asyncio.wait((turn, self.gone), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                raise busy("this did not come to its turn", patience)
        except BaseException:
            if turn.done() and not turn.cancelled():
                free.release()
            raise
        finally:
            turn.cancel()
        self._has_turn = True
        self._line.running += 1

    def leave(self) -> None:
        """Make room, once."""
        if self._left:
            return
        self._left = True
        self.gone.cancel()  # with the end of an answer, too, servers say that the other side has gone
        self._line.inside -= 1
        self._line.held[self._whose] -= 1
        if not self._line.held[self._whose]:
            del self._line.held[self._whose]
        if self._has_turn:
            self._line.running -= 1
            self._line.free.release()


class Line:
    """One kind of work. `refused` and `stopped` count what did not come to its end, by why."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.free = asyncio.Semaphore(limits.running)
        self._turns = Turns(_USUAL / limits.running)
        self.inside, self.running = 0, 0
        self.held: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.stopped: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """How many have not come to their turn yet."""
        return self.inside - self.running

    @asynccontextmanager
    async def place(self, whose: str, gone: Gone) -> AsyncIterator[Place]:
        """A turn, when it comes. What is done in it stops at the end of its time, and where nobody waits for it."""
        limits = self.limits
        full = self.inside >= limits.running + limits.waiting
        if full or self.held[whose] >= limits.each:
            self.refused["full" if full else "each"] += 1
            now = asyncio.get_running_loop().time()
            raise busy("too much is asked at once", self._turns.next(now, 1 + self.inside / limits.running * _USUAL))
        place = Place(self, whose, asyncio.ensure_future(gone()))
        try:
            await self._turn(place)
            with wanted(limits.seconds) as until:
                place.gone.add_done_callback(lambda its: _hung_up(its, until))
                try:
                    yield place
                finally:
                    self.stopped["gone"] += until.gone
                    self.stopped["late"] += until.late
        finally:
            place.leave()

    async def _turn(self, place: Place) -> None:
        try:
            await place.take()
        except BusyError:
            self.refused["gone" if place.gone.done() else "patience"] += 1
            raise


def _hung_up(gone: asyncio.Future[object], until: Wanted) -> None:
    if not gone.cancelled() and gone.exception() is None:
        until.gone = True


def busy(problem: str, seconds: float) -> BusyError:
    """A refusal that says when to come back."""
    return BusyError(problem, "wait a moment, then try again", max(1.0, seconds))
