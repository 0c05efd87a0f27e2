"""Stages without engines, for tests of the pipeline; run as a program, they are what such a test kills.

    python toy_stages.py ROOT [CRASH]

CRASH is `before:FUNCTION` or `after:FUNCTION`, of those that publishing goes through: the process kills itself there.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mdr import pipeline
from mdr.pipeline import Recipe, Step
from mdr.stages import STAGES
from mdr.stages.stage import Stage, StageSettings, Work
from mdr.storage import artefacts
from mdr.storage.artefacts import ArtefactStore
from mdr.types import Event

PARTS = 40


class CountSettings(StageSettings):
    """`remark` is part of the recipe and changes nothing of what is made."""

    parts: int = PARTS
    factor: int = 1
    remark: str = ""


class Count(Stage):
    """Writes numbered parts; those that an earlier try finished are kept."""

    name, makes, version = "toy-count", "numbers", 1
    settings_type = CountSettings
    built = 0

    def fingerprints(self, inputs: Mapping[str, Any], engines: Any) -> dict[str, str]:
        return {"weights": engines.weights}

    def build(self, work: Work) -> Iterator[Event]:
        type(self).built += 1
        kept = 0
        for number in range(self.settings.parts):
            part = work.draft.folder / "parts" / f"{number:03}.txt"
            part.parent.mkdir(exist_ok=True)
            if part.exists():
                kept += 1
            else:
                scratch = part.with_name(f".{part.name}.tmp")
                scratch.write_text(f"{number * self.settings.factor}\n" * 50)
                os.rename(scratch, part)
            yield self.event("progress", "counting", done=number + 1, total=self.settings.parts, unit="parts")
        work.draft.counts |= {"parts": self.settings.parts}
        yield self.event("note", f"kept {kept}")


class SumSettings(StageSettings):
    """Nothing to set."""


class Sum(Stage):
    """Adds up what Count wrote."""

    name, makes, version = "toy-sum", "sums", 1
    inputs = ("numbers",)
    optional_inputs = ("more",)
    settings_type = SumSettings
    built = 0

    def build(self, work: Work) -> Iterator[Event]:
        type(self).built += 1
        parts = (work.inputs["numbers"].folder / "parts").glob("*.txt")
        total = sum(int(line) for part in parts for line in part.read_text().split())
        (work.draft.folder / "sum.txt").write_text(str(total))
        work.draft.counts |= {"total": total}
        yield self.event("progress", "adding", done=1, total=1)


TOYS: dict[str, type[Stage]] = {stage.name: stage for stage in (Count, Sum)}


class ToyEngines:
    """Engines that only have weights."""

    def __init__(self, weights: str = "w1") -> None:
        self.weights = weights


def recipe(**settings: Any) -> Recipe:
    """Count, then add up."""
    return Recipe("toy", (Step("count", "toy-count", settings), Step("sum", "toy-sum", {}, {"numbers": "count"})))


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _crash_at(where: str) -> None:
    moment, _, function = where.partition(":")
    owner = os if function == "rename" else artefacts
    original = getattr(owner, function)

    def crashing(*arguments: Any) -> Any:
        if function == "rename" and Path(arguments[0]).suffix != ".building":
            return original(*arguments)
        if moment == "after":
            original(*arguments)
        return _die()

    setattr(owner, function, crashing)


if __name__ == "__main__":
    STAGES |= TOYS
    if len(sys.argv) > 2:
        _crash_at(sys.argv[2])
    for event in pipeline.run(recipe(), ArtefactStore(Path(sys.argv[1])), ToyEngines(), "toy"):  # type: ignore[arg-type]
        sys.stdout.write(f"{event.stage} {event.kind} {event.message} {event.done}\n")
        sys.stdout.flush()
