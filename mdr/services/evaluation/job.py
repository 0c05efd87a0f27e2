"""An evaluation made while somebody looks on: one at a time, beside everything else, and told how far it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from mdr.core.permissions import Person
from mdr.core.stopping import still_wanted, wanted
from mdr.errors import MdrError
from mdr.types import Event

_AGAIN = "start it again: it goes on from there; whoever runs this server may raise MDR_RUN_HOURS"


@dataclass(frozen=True)
class Progress:
    """How far an evaluation is: `done` of `total` in `unit`; `message` says what it does, or what went wrong."""

    state: Literal["idle", "running", "done", "failed"] = "idle"
    message: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    seconds: float = 0.0
    remedy: str = ""


class EvaluationJob:
    """What `evaluate` does, in a thread of its own, for whom `require` lets start it; it stops after so many hours (0:
    however many). Whoever starts it while it runs joins in watching."""

    def __init__(
        self, evaluate: Callable[[], Iterable[Event]], require: Callable[[Person], None], *, hours: float = 0
    ) -> None:
        self._evaluate, self._require, self._seconds = evaluate, require, 3600 * hours
        self._lock = threading.Lock()
        self._progress = Progress()
        self._started = 0.0

    def start(self, person: Person) -> Progress:
        """Begin, unless it is under way."""
        self._require(person)
        with self._lock:
            if self._progress.state != "running":
                self._started = time.monotonic()
                self._progress = Progress("running", "getting ready")
                # A daemon: the app ends without waiting for it. A later run goes on from what it left.
                threading.Thread(target=self._work, name="evaluation", daemon=True).start()
        return self.progress()

    def progress(self) -> Progress:
        """Where it stands."""
        now = self._progress
        return replace(now, seconds=time.monotonic() - self._started) if now.state == "running" else now

    def _in_time(self) -> Iterator[Event]:
        with wanted(self._seconds, _AGAIN):
            for event in self._evaluate():
                still_wanted()
                yield event

    def _work(self) -> None:
        try:
            for event in self._in_time():
                if event.kind == "progress":
                    self._progress = Progress("running", event.message, event.done, event.total, event.unit)
            ended = Progress("done", seconds=time.monotonic() - self._started)
        except MdrError as error:
            ended = Progress("failed", error.problem, remedy=error.remedy)
        except Exception:
            self._progress = Progress("failed", "the evaluation failed", remedy="the terminal that runs mdr says more")
            raise  # a thread that ends so says why there
        self._progress = ended
