"""One training of an encoder, put together from settings: model, sources, plan, trainer, dev measure, card."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mdr.engines.devices import AUTO, FULL, check_precision, pick_device
from mdr.engines.probe import low_precision
from mdr.errors import InputError
from mdr.training.card import Card
from mdr.training.card import Source as CardSource
from mdr.training.dev import DevMeasure
from mdr.training.dual import DualLearner
from mdr.training.loading import load_trainable
from mdr.training.plan import Plan
from mdr.training.processes import join_processes
from mdr.training.settings import TrainingSettings
from mdr.training.sources import HeldOut, Sources, pairs_of, placed
from mdr.training.trainer import Trainer
from mdr.types import Event, Role

ROLES: tuple[Role, ...] = ("query", "passage")
_PROBE = ("Where does the Nile end?", "ナイル川はどこで終わりますか 1969", "أين ينتهي النيل؟", "Где кончается Нил")
_DEV_PASSAGES = 2_000
"""Of a dev collection, passages in a language that answers are sought among; those that answer are always there."""


class EncoderRun:
    """Everything a training needs, loaded."""

    def __init__(
        self,
        settings: TrainingSettings,
        start: Path,
        slots: Mapping[str, Path],
        *,
        guide: Path | None = None,
        device: str = "auto",
        precision: str = AUTO,
    ) -> None:
        for objective in settings.objectives:
            if objective.loss == "margin" and not settings.sources.first:
                raise InputError("margin takes a list's first candidate for the answer", "set sources.first = true")
        self.settings, self.start, self._guide_folder = settings, start, guide
        self._began = time.monotonic()
        lengths: dict[Any, int] = {"query": settings.query_length, "passage": settings.passage_length}
        self._load = partial(load_trainable, lengths=lengths)
        self._encoder = self._load(
            start,
            tied=settings.tied,
            lora=settings.lora,
            checkpointing=settings.checkpointing,
            dropout=settings.dropout,
        )
        self.processes = join_processes()
        self.device = pick_device(device)
        self._encoder.model.to(self.device)
        self._precision = self._arithmetic(check_precision(precision))
        self.sources = Sources(self._encoder.tokens, settings.sources)
        for slot, folder in slots.items():
            if slot != "dev":
                self.sources.add(slot, folder)
        self._held = [_dev(slots["dev"], settings.dev_split)] if "dev" in slots else self.sources.held_out

    def train(self, folder: Path, *, identity: str) -> Iterator[Event]:
        """Train to the end, with notes on what was found on the way."""
        settings, encoder = self.settings, self._encoder
        for note in self.sources.notes:
            yield Event("train", "warning", note)
        counts = ", ".join(f"{count:,} {slot}" for slot, count in self.sources.counts.items())
        yield Event("train", "note", f"learns from {counts}, on {self.device} in {self._precision or 'float32'}")
        plan = Plan(
            settings.objectives,
            self.sources.found,
            steps=settings.training.steps,
            seed=settings.training.seed,
            mix=settings.mix,
        )
        learner = DualLearner(
            encoder.model,
            plan,
            piece=settings.piece,
            memory=settings.memory,
            precision=self._precision,
            guide=self._guide(),
            processes=self.processes,
        )
        measure = DevMeasure(encoder.model, encoder.tokens, self._held, self._precision) if self._held else None
        trainer = Trainer(
            learner, settings.training, folder, identity=identity, measure=measure, processes=self.processes
        )
        yield from trainer.run()

    def save(self, folder: Path) -> None:
        """The trained encoder, as a folder that others read too."""
        if self.processes.first:
            self._encoder.save(folder)
        self.processes.wait()

    def card(self) -> Card:
        """What is known of the model here; numbers are for those who measured some."""
        rows = self.sources.counts
        return Card(
            name=f"Encoder trained from {self.start.name}",
            kind="encoder",
            about="Texts of several languages as vectors of one space, for retrieval.",
            languages=[],
            licence="other",
            sources=[CardSource(slot, "see the collection", count, "training") for slot, count in rows.items()],
            settings=self.settings.model_dump(mode="json"),
            numbers=[],
            use="Retrieval in and across the languages it was trained on.",
            limits=["Its licence follows from the data and the model that it was trained from; check both."],
            base_model=self.start.name,
            machine=f"{platform.processor() or platform.machine()}, {self.device}",
            seconds=round(time.monotonic() - self._began),
        )

    def _guide(self) -> Any:
        """A frozen encoder that reads the same token ids, so it must cut texts alike."""
        if self._guide_folder is None:
            return None
        guide = self._load(self._guide_folder)
        for role in ROLES:
            cut = [[ids.tolist() for ids in each.tokens(_PROBE, role)] for each in (guide, self._encoder)]
            if cut[0] != cut[1]:
                raise InputError(
                    f"the guide {self._guide_folder} cuts texts into other tokens than {self.start}",
                    "choose a guide with the tokenizer and prompts of the model in training",
                )
        return guide.model.to(self.device).eval().requires_grad_(False)

    def _arithmetic(self, precision: str) -> torch.dtype | None:
        if precision == FULL:
            return None
        if precision != AUTO:
            return getattr(torch, precision)  # type: ignore[no-any-return]
        network = getattr(self._encoder.model.query, "network", None)
        return None if network is None else low_precision(self.device, int(network.config.hidden_size))


def _dev(folder: Path, split: str) -> HeldOut:
    """Queries of a dev collection with their answers, among these and some more passages."""
    from mdr.storage.collection import Collection

    pairs, passage = pairs_of(folder, split)
    if not pairs:
        raise InputError(f"the dev collection has no grades in split {split!r}", "name its split, or leave it out")
    collection = Collection(folder)
    langs = {pair.query.lang for pair in pairs}
    more: list[str] = []
    for lang in sorted(langs):
        own = [id for id, its in zip(collection.ids, collection.langs, strict=True) if its == lang]
        more += own[:: max(1, len(own) // _DEV_PASSAGES)]
    passages, places = placed(passage, [*(pair.positives for pair in pairs), more])
    return HeldOut([pair.query for pair in pairs], [[places[id] for id in pair.positives] for pair in pairs], passages)
