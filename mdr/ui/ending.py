"""How the app ends when it is told to, by SIGTERM or Ctrl-C: what is under way is finished, a last snapshot is written,
and after ten seconds at most the process is gone, whatever hangs.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING

from mdr.errors import MdrError
from mdr.types import Event
from mdr.workbench import Workbench

if TYPE_CHECKING:
    import gradio as gr

STAGE = "ending"
Tell = Callable[[Event], None]
_ANSWERS, _SNAPSHOT, _FILES = 3.5, 7.0, 8.0
"""Seconds after which it goes on: without answers that are not given yet, without the snapshot, and without closing the
judgement file, which has everything in its log."""
_INTERRUPTED, _TERMINATED = 130, 143


def end_at_once_when_told() -> None:
    """For SIGTERM before anybody is served: what is being made is whole in the end or not there, so nothing is waited
    for. Said by a handler, since the first process of a container has no other."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(_TERMINATED))


def until_told() -> signal.Signals:
    """Wait for SIGTERM or Ctrl-C, and say which it was. A second Ctrl-C ends the process at once."""
    told: SimpleQueue[int] = SimpleQueue()  # a handler may put into it whatever the main thread is doing

    def hear(number: int, frame: FrameType | None) -> None:
        told.put(number)
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hear)
    return signal.Signals(told.get())


def end(app: gr.Blocks, workbench: Workbench, tell: Tell) -> int:
    """Finish within ten seconds. Gives the exit status: 1 if there is no last snapshot."""
    began, status = time.monotonic(), 0

    def left(until: float) -> float:
        return max(0.0, began + until - time.monotonic())

    # Nobody is let in any more, grades that were sent are answered. Gradio waits for what it does, without end.
    if not _bounded(lambda: app.close(verbose=False), left(_ANSWERS)):
        tell(Event(STAGE, "note", "something is still being worked on; it is given up"))
    try:
        workbench.snapshots.stop(left(_SNAPSHOT))
    except MdrError as error:
        tell(Event(STAGE, "warning", f"{error.problem}; {error.remedy}"))
        status = 1
    with suppress(MdrError):
        _bounded(workbench.judging.close, left(_FILES))
    return status


def leave(status: int) -> None:
    """End the process without waiting for threads: what must be kept is on disk."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def _bounded(work: Callable[[], object], seconds: float) -> bool:
    """Whether it came to its end in time. What it complains of does not matter any more."""

    def quietly() -> None:
        with suppress(Exception):
            work()

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
