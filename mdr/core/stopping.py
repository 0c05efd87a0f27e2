"""Work that nobody waits for any more stops: whatever takes long asks between its pieces whether to go on.

Whoever starts the work says how long its result is wanted, and may end that from another thread. The work itself calls
`still_wanted()`; where nobody has set a limit, that costs a look at a variable and does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mdr.errors import StoppedError

_now: ContextVar[Wanted | None] = ContextVar("wanted", default=None)


class Wanted:
    """How long a result is wanted: until its time is over, or until whoever asked has gone."""

    def __init__(self, seconds: float, remedy: str, within: Wanted | None = None) -> None:
        self._seconds, self._remedy, self._within = seconds, remedy, within
        self._until = time.monotonic() + seconds if seconds else None
        self.gone = False
        self.late = False

    def check(self) -> None:
        """Stop the work that asks, where it is no longer wanted."""
        if self.gone:
            raise StoppedError("whoever asked has gone", "ask again")
        if self._until is not None and time.monotonic() > self._until:
            self.late = True
            raise StoppedError(f"this took longer than the {self._seconds:g} seconds it may take", self._remedy)
        if self._within:
            self._within.check()


@contextmanager
def wanted(seconds: float, remedy: str = "try again in a moment, or ask for less") -> Iterator[Wanted]:
    """What happens inside may take so many seconds; 0: any number. It holds in threads too that get this context, as
    those of the server do."""
    now = Wanted(seconds, remedy, _now.get())
    token = _now.set(now)
    try:
        yield now
    finally:
        _now.reset(token)


def still_wanted() -> None:
    """Go on, unless nobody waits for the result."""
    if now := _now.get():
        now.check()
