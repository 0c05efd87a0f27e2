"""One training, put together: model, sources, plan, trainer, card. What learns is for the kinds of runs to say."""

from __future__ import annotations

import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch

from mdr.engines.devices import AUTO, FULL, check_precision, pick_device
from mdr.engines.probe import low_precision
from mdr.training.batches import Source
from mdr.training.card import Card, Kind
from mdr.training.card import Source as CardSource
from mdr.training.plan import Plan
from mdr.training.processes import join_processes
from mdr.training.settings import LearningSettings, Objective
from mdr.training.trainer import Learner, Trainer
from mdr.types import Event


class Run(ABC):
    """Everything a training needs, loaded. `counts` are rows by source, `notes` what was found on the way."""

    kind: ClassVar[Kind]
    about: ClassVar[str]
    use: ClassVar[str]

    def __init__(self, settings: LearningSettings, start: Path, *, device: str, precision: str) -> None:
        self.start = start
        self._began = time.monotonic()
        self._settings = settings
        self.processes = join_processes()
        self.device = pick_device(device)
        self._asked = check_precision(precision)
        self.found: Mapping[str, Source] = {}
        self.counts: Mapping[str, int] = {}
        self.notes: Sequence[str] = ()

    @abstractmethod
    def learner(self, plan: Plan) -> Learner:
        """What learns by a plan."""

    @abstractmethod
    def measure(self) -> Callable[[], float] | None:
        """What the weights are chosen by; None: the last are taken."""

    @abstractmethod
    def write(self, folder: Path) -> None:
        """Put the trained model into a folder."""

    @property
    @abstractmethod
    def width(self) -> int | None:
        """Of the network, which decides the precision that is fastest; None: low precision gains nothing."""

    @property
    def objectives(self) -> Sequence[Objective]:
        """What is minimised."""
        return self._settings.objectives

    @property
    def precision(self) -> torch.dtype | None:
        """Of autocast: the one asked for or, of its own accord, the one that is faster."""
        if self._asked == FULL:
            return None
        if self._asked != AUTO:
            return getattr(torch, self._asked)  # type: ignore[no-any-return]
        return None if self.width is None else low_precision(self.device, self.width)

    def train(self, folder: Path, *, identity: str) -> Iterator[Event]:
        """Train to the end, with notes on what was found on the way."""
        settings = self._settings
        for note in self.notes:
            yield Event("train", "warning", note)
        counts = ", ".join(f"{count:,} {slot}" for slot, count in self.counts.items())
        yield Event("train", "note", f"learns from {counts}, on {self.device} in {self.precision or 'float32'}")
        plan = Plan(
            self.objectives, self.found, steps=settings.training.steps, seed=settings.training.seed, mix=settings.mix
        )
        learner = self.learner(plan)
        trainer = Trainer(
            learner, settings.training, folder, identity=identity, measure=self.measure(), processes=self.processes
        )
        yield from trainer.run()

    def save(self, folder: Path) -> None:
        """The trained model, as a folder that others read too."""
        if self.processes.first:
            self.write(folder)
        self.processes.wait()

    def card(self) -> Card:
        """What is known of the model here; numbers are for those who measured some."""
        settings: Any = self._settings
        return Card(
            name=f"{self.kind.capitalize()} trained from {self.start.name}",
            kind=self.kind,
            about=self.about,
            languages=[],
            licence="other",
            sources=[CardSource(slot, "see the collection", count, "training") for slot, count in self.counts.items()],
            settings=settings.model_dump(mode="json"),
            numbers=[],
            use=self.use,
            limits=["Its licence follows from the data and the model that it was trained from; check both."],
            base_model=self.start.name,
            machine=f"{platform.processor() or platform.machine()}, {self.device}",
            seconds=round(time.monotonic() - self._began),
        )
