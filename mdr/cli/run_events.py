"""What a run says, as lines of JSON in a file: how the app watches a run that is a process of its own.

A last line says how it ended; a file without one belongs to a run that goes on or was killed. While it goes on, the
lock beside the file is held.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeAlias, TypeVar

from filelock import FileLock, Timeout

from mdr.cli.output import plain
from mdr.errors import InputError, MdrError
from mdr.storage.files import disk_errors
from mdr.types import Event

T = TypeVar("T")
Recorded: TypeAlias = Callable[[Generator[Event, None, T]], Generator[Event, None, T]]
_SECONDS = 0.1
"""Between two lines about progress that say no number worth keeping."""


@contextmanager
def recording(path: Path | None) -> Iterator[Recorded[Any]]:
    """A function that passes events on and writes them down; without a path it only passes them on."""
    if path is None:
        yield lambda events: events
        return
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"another run writes to {path}", "wait for it, or name another file") from None
    with lock, disk_errors(path), path.open("a", encoding="utf-8", buffering=1) as stream:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever stops it sends this: it ends as by Ctrl-C
        try:
            yield lambda events: _passed(events, stream)
        except MdrError as error:
            problem = " ".join([error.problem, *(f"({note})" for note in getattr(error, "__notes__", ()))])
            _write(stream, {"end": "failed", "problem": problem, "remedy": error.remedy})
            raise
        except KeyboardInterrupt:
            _write(stream, {"end": "stopped"})
            raise
        except Exception as error:
            _write(stream, {"end": "failed", "problem": f"{type(error).__name__}: {error}", "remedy": "see the log"})
            raise
        _write(stream, {"end": "done"})


def _passed(events: Generator[Event, None, T], stream: TextIO) -> Generator[Event, None, T]:
    told = 0.0
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            found: T = end.value
            return found
        now = time.monotonic()
        if event.kind != "progress" or event.data or event.done == event.total or now - told >= _SECONDS:
            told = now
            _write(stream, plain(event))
        yield event


def _write(stream: TextIO, values: dict[str, Any]) -> None:
    stream.write(json.dumps({"at": round(time.time(), 3), **values}) + "\n")
