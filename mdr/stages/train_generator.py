"""Teach a generator: to write the queries of pairs (loss `likelihood`), and to prefer their passages among others that
were found for them (loss `ranking`).

Each input is a source by its own name. `labelled` may be a collection or pairs; `mined`, `generated` and `judged` are
pairs; `scored` are lists of pairs' candidates. A ranking takes scored lists, or pairs with their negatives as lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from mdr.ports import Engines
from mdr.stages.stage import Work
from mdr.stages.training import START, MachineSettings, Training
from mdr.storage.artefacts import Artefact
from mdr.training.settings import WriterSettings

if TYPE_CHECKING:
    from mdr.training.writer_run import WriterRun

SOURCES = ("labelled", "mined", "generated", "judged", "scored")


class TrainGeneratorSettings(WriterSettings, MachineSettings):
    """What is minimised, how weights move, and where they begin."""

    start: str = Field("", description="model folder or hub name; empty: the default generator")


class TrainGenerator(Training):
    """A generator that learned from what came in, to write with (`generate`) and as a teacher (`score`)."""

    name, makes, version = "train-generator", "generator", 1
    optional_inputs = (START, *SOURCES)
    settings_type = TrainGeneratorSettings

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        from mdr.engines.generator_folder import read_generator_folder

        return {"start": read_generator_folder(self.start(inputs, engines)).fingerprint()}

    def begin(self, work: Work, slots: dict[str, Path]) -> WriterRun:
        from mdr.training.writer_run import WriterRun

        settings, start = self.settings, self.start(work.inputs, work.engines)
        return WriterRun(settings, start, slots, device=settings.device, precision=settings.precision)

    def named_start(self, engines: Engines) -> Path:
        return engines.generator_folder(self.settings.start)
