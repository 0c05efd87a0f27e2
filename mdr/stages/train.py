"""Teach an encoder: every recipe's pairs, lists and texts through one trainer, into a model folder with its card.

Each input is a source by its own name, for objectives to draw from. `labelled` may be a collection (its grades of one
split) or pairs; `mined`, `generated` and `judged` are pairs, `scored` are lists with a teacher's scores; `texts` are
parallel and plain texts, drawn as `translation`, `window`, `title`, `crop` or `language`. With `counterparts`, the
scored lists whose queries have some are drawn as `aligned`, too; or those of `posed`, which are lists, too, where
the questions that are told in several languages are others than those that a teacher is listened to about.
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
from mdr.training.settings import TrainingSettings

if TYPE_CHECKING:
    from mdr.training.encoder_run import EncoderRun


class TrainSettings(TrainingSettings, MachineSettings):
    """What is minimised, how weights move, and where they begin."""

    start: str = Field("", description="model folder or hub name; empty: the shipped encoder, which has seen no label")


class Train(Training):
    """An encoder that learned from what came in."""

    name, makes, version = "train", "model", 1
    models = (START, "guide")
    aside = ("dev", "counterparts")
    optional_inputs = (START, "labelled", "mined", "generated", "judged", "scored", "posed", "texts", *aside)
    settings_type = TrainSettings

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        found = {"start": engines.encoder(str(self.start(inputs, engines))).fingerprint}
        if self.settings.guide:
            found["guide"] = engines.encoder(self.settings.guide).fingerprint
        return found

    def begin(self, work: Work, slots: dict[str, Path]) -> EncoderRun:
        from mdr.training.encoder_run import EncoderRun

        settings = self.settings
        return EncoderRun(
            settings,
            self.start(work.inputs, work.engines),
            slots,
            guide=work.engines.model_folder(settings.guide) if settings.guide else None,
            device=settings.device,
            precision=settings.precision,
        )

    def named_start(self, engines: Engines) -> Path:
        return engines.model_folder(self.settings.start)
