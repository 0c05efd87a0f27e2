"""Teach an encoder: every recipe's pairs, lists and texts through one trainer, into a model folder with its card.

Each input is a source by its own name, for objectives to draw from. `labelled` may be a collection (its grades of one
split) or pairs; `mined`, `generated` and `judged` are pairs, `scored` are lists with a teacher's scores; `texts` are
parallel and plain texts, drawn as `translation`, `window`, `title`, `crop` or `sentences`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from mdr.errors import InputError
from mdr.ports import Engines
from mdr.stages.stage import Stage, StageSettings, Work
from mdr.storage.artefacts import Artefact
from mdr.training.settings import TrainingSettings
from mdr.types import Event

LOG = "log.jsonl"


class TrainSettings(TrainingSettings, StageSettings):
    """What is minimised, how weights move, and where they begin."""

    start: str = Field("", description="model folder or hub name; empty: the shipped encoder, which has seen no label")
    device: str = Field("auto", description="auto, cpu or cuda")
    precision: str = Field("auto", description="auto, float32, bfloat16 or float16")


class Train(Stage):
    """An encoder that learned from what came in."""

    name, makes, version = "train", "model", 1
    optional_inputs = ("start", "labelled", "mined", "generated", "judged", "scored", "texts", "dev")
    settings_type = TrainSettings
    together = True

    def hashed_settings(self) -> dict[str, Any]:
        values: dict[str, Any] = self.settings.model_dump(mode="json", exclude={"start", "guide", "device"})
        return values  # fingerprints name the models, by their weights

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        found = {"start": engines.encoder(str(self._start(inputs, engines))).fingerprint}
        if self.settings.guide:
            found["guide"] = engines.encoder(self.settings.guide).fingerprint
        return found

    def build(self, work: Work) -> Iterator[Event]:
        from mdr.training.card import write_card
        from mdr.training.encoder_run import EncoderRun

        slots = {slot: artefact.folder for slot, artefact in work.inputs.items() if slot != "start"}
        if not set(slots) - {"dev"}:
            raise InputError("training has nothing to learn from", f"give it one of {', '.join(self.optional_inputs)}")
        folder = work.draft.folder
        settings = self.settings
        run = EncoderRun(
            settings,
            self._start(work.inputs, work.engines),
            slots,
            guide=work.engines.model_folder(settings.guide) if settings.guide else None,
            device=settings.device,
            precision=settings.precision,
        )
        log = _Log(folder / LOG)
        for event in run.train(folder, identity=work.draft.recipe):
            if run.processes.first:
                log.add(event)
            yield self.event(
                event.kind, event.message, done=event.done, total=event.total, unit=event.unit, data=event.data
            )
        run.save(folder)
        if not run.processes.first:
            return
        write_card(folder, run.card())
        work.draft.device = run.device
        work.draft.counts |= {"steps": self.settings.training.steps, **run.sources.counts}

    def _start(self, inputs: Mapping[str, Artefact], engines: Engines) -> Path:
        return inputs["start"].folder if "start" in inputs else engines.model_folder(self.settings.start)


class _Log:
    """A line per step. A run that goes on after a kill writes over the steps that it repeats."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began = False

    def add(self, event: Event) -> None:
        """Write down a step or a look at the dev measure."""
        if "step" not in event.data:
            return
        if not self._began:
            self._began = True
            lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []
            kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] < event.data["step"]]
            self._path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(dict(event.data)) + "\n")
