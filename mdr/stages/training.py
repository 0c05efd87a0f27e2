"""What all stages that train have in common: a run from start to card, its log, and its events."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from mdr.errors import InputError
from mdr.ports import Engines
from mdr.stages.stage import Slots, Stage, StageSettings, Work
from mdr.storage.artefacts import Artefact
from mdr.types import Event

if TYPE_CHECKING:
    from mdr.training.run import Run

LOG = "log.jsonl"
START = "start"


class MachineSettings(StageSettings):
    """Where it is computed, and how exactly."""

    device: str = Field("auto", description="auto, cpu or cuda")
    precision: str = Field("auto", description="auto, float32, bfloat16 or float16")


class Training(Stage):
    """A model that learned from what came in. Every optional input is a source, but for `start` and `aside`."""

    together = True
    models: ClassVar[tuple[str, ...]] = (START,)
    """Settings that name models: what is hashed is not the name, but the weights, as fingerprints have them."""
    aside: ClassVar[tuple[str, ...]] = ()
    """Inputs that help, but cannot be learned from alone."""

    def hashed_settings(self) -> dict[str, Any]:
        values: dict[str, Any] = self.settings.model_dump(mode="json", exclude={*self.models, "device"})
        return values

    def refuse(self, slots: Slots) -> None:
        sources = [slot for slot in self.optional_inputs if slot not in (START, *self.aside)]
        if not set(sources).intersection(slots):
            raise InputError(f"{self.name}: there is nothing to learn from", f"give it one of {', '.join(sources)}")

    def start(self, inputs: Mapping[str, Artefact], engines: Engines) -> Path:
        """Where the model lies that it begins from: an earlier step's, or one by name."""
        return inputs[START].folder if START in inputs else self.named_start(engines)

    @abstractmethod
    def named_start(self, engines: Engines) -> Path:
        """Where the model lies that the settings name."""

    @abstractmethod
    def begin(self, work: Work, slots: dict[str, Path]) -> Run:
        """Load what learns, and what it learns from: folders by slot."""

    def build(self, work: Work) -> Iterator[Event]:
        from mdr.training.card import write_card

        slots = {slot: artefact.folder for slot, artefact in work.inputs.items() if slot != START}
        folder = work.draft.folder
        run = self.begin(work, slots)
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
        work.draft.counts |= {"steps": self.settings.training.steps, **run.counts}


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
