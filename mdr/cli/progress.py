"""Events of running stages on standard error: bars with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from mdr.cli.output import visible
from mdr.types import Event

Teller: TypeAlias = Callable[[Event], None]

_MARKS = {
    "started": ("…", ""),
    "reused": ("=", "dim"),
    "note": ("i", ""),
    "warning": ("!", "yellow"),
    "finished": ("✓", "green"),
}
_QUIET_SECONDS = 5.0
"""How long plain lines stay silent about progress."""


@contextmanager
def telling(console: Console) -> Iterator[Teller]:
    """A function that shows each event it is given."""
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            yield _Bars(progress)
    else:
        yield _Lines(console)


def _line(event: Event) -> Text:
    mark, style = _MARKS[event.kind]
    said = {"reused": "nothing to do: "}.get(event.kind, "") + event.message
    return Text(visible(f"{mark} {event.stage}: {said}"), style=style)


class _Bars:
    """One bar for each step that counts; everything else as a line above them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._phases = _Phases()

    def __call__(self, event: Event) -> None:
        if event.kind != "progress":
            if event.kind == "finished":
                self._remove(event.stage)
            self._progress.console.print(_line(event))
            return
        label = visible(f"{event.stage}: {event.message}" + (f" ({event.unit})" if event.unit else ""))
        if self._phases.begins(event):
            self._remove(event.stage)
            task = self._progress.add_task(label, total=event.total or None, completed=event.done)
            self._tasks[event.stage] = task
        self._progress.update(self._tasks[event.stage], description=label, completed=event.done)

    def _remove(self, stage: str) -> None:
        if stage in self._tasks:
            self._progress.remove_task(self._tasks.pop(stage))
            self._progress.refresh()  # or the next line would be printed above a bar that is over


class _Lines:
    """Plain lines; progress now and then, with the time left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phases = _Phases()
        self._told = time.monotonic()

    def __call__(self, event: Event) -> None:
        if event.kind != "progress":
            self._console.print(_line(event))
            return
        self._phases.begins(event)
        now = time.monotonic()
        if now - self._told < _QUIET_SECONDS:
            return
        self._told = now
        of = f" of {event.total:,}" if event.total else ""
        left = self._phases.seconds_left(event)
        eta = f", about {left:.0f} s left" if left >= 1 else ""
        self._console.print(Text(visible(f"  {event.stage}: {event.message} {event.done:,}{of} {event.unit}{eta}")))


class _Phases:
    """A step may count more than once, and a resumed one starts late: speed is that of the count at hand."""

    def __init__(self) -> None:
        self._began: dict[str, tuple[float, int]] = {}
        self._last: dict[str, tuple[int, int]] = {}

    def begins(self, event: Event) -> bool:
        """Whether a step starts counting (anew) with this event."""
        done, total = self._last.get(event.stage, (-1, -1))
        self._last[event.stage] = (event.done, event.total)
        begins = event.total != total or event.done < done
        if begins:
            self._began[event.stage] = (time.monotonic(), event.done)
        return begins

    def seconds_left(self, event: Event) -> float:
        """Seconds to the end at the speed so far; 0 when that cannot be said."""
        began, before = self._began[event.stage]
        if event.done <= before or event.total <= event.done:
            return 0.0
        return (time.monotonic() - began) / (event.done - before) * (event.total - event.done)
