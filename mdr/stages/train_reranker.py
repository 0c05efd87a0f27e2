"""Teach a reranker: which of a query's candidates answers it (loss `ranking`). It is a teacher for `score`, as a
generator is; the two can be compared on the same samples.

Each input is a source of lists by its own name: scored lists of pairs' candidates, or pairs with their negatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from mdr.ports import Engines
from mdr.stages.stage import Work
from mdr.stages.train_generator import SOURCES
from mdr.stages.training import START, MachineSettings, Training
from mdr.storage.artefacts import Artefact
from mdr.storage.files import digest
from mdr.training.settings import RerankerSettings

if TYPE_CHECKING:
    from mdr.training.reranker_run import RerankerRun


class TrainRerankerSettings(RerankerSettings, MachineSettings):
    """What is minimised, how weights move, and where they begin."""

    start: str = Field(
        "", description="model folder or hub name: a reranker, encoder or generator; empty: the default generator"
    )


class TrainReranker(Training):
    """A reranker that learned from what came in."""

    name, makes, version = "train-reranker", "reranker", 1
    optional_inputs = (START, *SOURCES)
    settings_type = TrainRerankerSettings

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        from mdr.engines.model_folder import body_of, shaping_files

        return {"start": digest(shaping_files(body_of(self.start(inputs, engines))))}

    def begin(self, work: Work, slots: dict[str, Path]) -> RerankerRun:
        from mdr.training.reranker_run import RerankerRun

        settings, start = self.settings, self.start(work.inputs, work.engines)
        return RerankerRun(settings, start, slots, device=settings.device, precision=settings.precision)

    def named_start(self, engines: Engines) -> Path:
        return engines.generator_folder(self.settings.start)
