"""Teach a reranker: which of a query's candidates answers it (loss `ranking`). It is a teacher for `score`, as a
generator is; the two can be compared on the same samples.

Each input is a source of lists by its own name: scored lists of pairs' candidates, or pairs with their negatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

    def hashed_settings(self) -> dict[str, Any]:
        values: dict[str, Any] = self.settings.model_dump(mode="json", exclude={"start", "device"})
        return values  # the fingerprint names where it begins, by the weights

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        from mdr.engines.model_folder import body_of, shaping_files

        return {"start": digest(shaping_files(body_of(self._start(inputs, engines))))}

    def begin(self, work: Work, slots: dict[str, Path]) -> RerankerRun:
        from mdr.training.reranker_run import RerankerRun

        settings = self.settings
        start = self._start(work.inputs, work.engines)
        return RerankerRun(settings, start, slots, device=settings.device, precision=settings.precision)

    def _start(self, inputs: Mapping[str, Artefact], engines: Engines) -> Path:
        return inputs[START].folder if START in inputs else engines.generator_folder(self.settings.start)
