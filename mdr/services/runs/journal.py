"""What a run said so far, read from its file of events: each step's state, progress, losses and result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

StepState: TypeAlias = Literal["waiting", "making", "reused", "made"]
_POINTS = 400
"""Of a curve; a longer one is thinned to averages."""
_NOTES = 200


class Curve:
    """Numbers by step, thinned evenly: each point is the mean of as many steps as the others."""

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []
        self._every, self._sum, self._count = 1, 0.0, 0

    def add(self, step: int, value: float) -> None:
        """The number of a step. One that comes again (a run that goes on after a kill) replaces what followed."""
        if self.points and step <= self.points[-1][0]:
            self.points = [point for point in self.points if point[0] < step]
            self._sum, self._count = 0.0, 0
        self._sum, self._count = self._sum + value, self._count + 1
        if self._count < self._every:
            return
        self.points.append((step, self._sum / self._count))
        self._sum, self._count = 0.0, 0
        if len(self.points) >= _POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            self.points = [(second[0], (first[1] + second[1]) / 2) for first, second in pairs]
            self._every *= 2


@dataclass
class StepLog:
    """One step of a run."""

    name: str
    state: StepState = "waiting"
    message: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    began: float | None = None
    seconds: float | None = None
    key: str = ""
    notes: list[tuple[str, str]] = field(default_factory=list)
    curves: dict[str, Curve] = field(default_factory=dict)
    left: float | None = None
    """Seconds to its end, where it says so."""


@dataclass
class Journal:
    """A whole run; `end` is empty while it goes on, or where it was killed."""

    steps: dict[str, StepLog] = field(default_factory=dict)
    end: str = ""
    problem: str = ""
    remedy: str = ""
    at: float | None = None
    """When it last said something."""

    def add(self, line: Mapping[str, Any]) -> None:
        """One line of the file."""
        self.at = line.get("at")
        if "end" in line:
            self.end, self.problem, self.remedy = line["end"], line.get("problem", ""), line.get("remedy", "")
            return
        step = self.steps.setdefault(line["stage"], StepLog(line["stage"]))
        kind, data = line["kind"], line.get("data") or {}
        if kind == "started":
            step.state, step.began = "making", self.at
        elif kind == "progress":
            step.state = "making"
            step.message, step.unit = line["message"], line["unit"]
            step.done, step.total, step.left = line["done"], line["total"], data.get("left")
        elif kind in ("reused", "finished"):
            step.state = "reused" if kind == "reused" else "made"
            step.message, step.key = line["message"], data.get("key", "")
            step.seconds = self.at - step.began if self.at is not None and step.began is not None else None
        elif len(step.notes) < _NOTES:
            step.notes.append((kind, line["message"]))
        _plot(step.curves, data)

    @property
    def current(self) -> StepLog | None:
        """The step that is being made."""
        return next((step for step in self.steps.values() if step.state == "making"), None)


def _plot(curves: dict[str, Curve], data: Mapping[str, Any]) -> None:
    step = data.get("step")
    if not isinstance(step, int):
        return
    numbers = {**(data.get("losses") or {}), **({"dev": data["dev"]} if "dev" in data else {})}
    for name, value in numbers.items():
        if isinstance(value, int | float):
            curves.setdefault(name, Curve()).add(step, float(value))


def curves_of(lines: Iterable[str]) -> dict[str, list[tuple[int, float]]]:
    """The curves of the log that a training artefact keeps."""
    curves: dict[str, Curve] = {}
    for line in lines:
        _plot(curves, _parsed(line) or {})
    return {name: curve.points for name, curve in curves.items()}


class JournalFile:
    """Reads a file of events as it grows; each call reads only what is new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = Journal()
        self._offset = 0

    def read(self) -> Journal:
        """The run as it stands. A line that is still being written waits for the next call."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                new = stream.read()
        except FileNotFoundError:
            return self.journal
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            if values := _parsed(line):
                self.journal.add(values)
        return self.journal


def _parsed(line: str | bytes) -> dict[str, Any] | None:
    """A line as values; None where a kill left half of one."""
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None
