"""A stream of events run to its end, for tests of what comes of it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from mdr.types import Event

Result = TypeVar("Result")


def ended(stream: Generator[Event, None, Result]) -> tuple[Result, list[Event]]:
    """What it returns, and what it said."""
    events = []
    while True:
        try:
            events.append(next(stream))
        except StopIteration as end:
            return end.value, events
