"""One training of an encoder: its sources, its guide, and the dev measure that chooses its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mdr.engines.devices import AUTO
from mdr.errors import InputError
from mdr.training.dev import DevMeasure
from mdr.training.dual import DualLearner
from mdr.training.loading import load_trainable
from mdr.training.opening import pairs_of, placed
from mdr.training.plan import Plan
from mdr.training.run import Run
from mdr.training.settings import TrainingSettings
from mdr.training.sources import HeldOut, Sources
from mdr.types import Role

ROLES: tuple[Role, ...] = ("query", "passage")
_PROBE = ("Where does the Nile end?", "ナイル川はどこで終わりますか 1969", "أين ينتهي النيل؟", "Где кончается Нил")
_DEV_PASSAGES = 2_000
"""Of a dev collection, passages in a language that answers are sought among; those that answer are always there."""
DEV, COUNTERPARTS = "dev", "counterparts"
"""Slots that are no sources of their own."""


class EncoderRun(Run):
    """An encoder that learns from whatever came in."""

    kind = "encoder"
    about = "Texts of several languages as vectors of one space, for retrieval."
    use = "Retrieval in and across the languages it was trained on."

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
        super().__init__(settings, start, device=device, precision=precision)
        for objective in settings.objectives:
            if objective.loss == "margin" and not settings.sources.first:
                raise InputError("margin takes a list's first candidate for the answer", "set sources.first = true")
        self.settings, self._guide_folder = settings, guide
        lengths: dict[Any, int] = {"query": settings.query_length, "passage": settings.passage_length}
        self._load = partial(load_trainable, lengths=lengths)
        self._encoder = self._load(
            start,
            tied=settings.tied,
            lora=settings.lora,
            checkpointing=settings.checkpointing,
            dropout=settings.dropout,
        )
        self._encoder.model.to(self.device)
        sources = Sources(self._encoder.tokens, settings.sources)
        for slot, folder in slots.items():
            if slot not in (DEV, COUNTERPARTS):
                sources.add(slot, folder)
        if COUNTERPARTS in slots:
            sources.add_counterparts(slots[COUNTERPARTS])
        self.found, self.counts, self.notes = sources.found, sources.counts, sources.notes
        self._held = [_dev(slots[DEV], settings.dev_split)] if DEV in slots else sources.held_out

    @property
    def width(self) -> int | None:
        network: Any = getattr(self._encoder.model.query, "network", None)
        return None if network is None else int(network.config.hidden_size)

    def learner(self, plan: Plan) -> DualLearner:
        return DualLearner(
            self._encoder.model,
            plan,
            piece=self.settings.piece,
            memory=self.settings.memory,
            precision=self.precision,
            guide=self._guide(),
            processes=self.processes,
        )

    def measure(self) -> Callable[[], float] | None:
        encoder = self._encoder
        return DevMeasure(encoder.model, encoder.tokens, self._held, self.precision) if self._held else None

    def write(self, folder: Path) -> None:
        self._encoder.save(folder)

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
