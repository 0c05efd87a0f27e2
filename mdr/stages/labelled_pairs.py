"""Grades of a collection as training pairs: all of a split, or so many of each language. What `score` finds candidates
for, and what comparisons by the number of labelled samples take in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pydantic import Field

from mdr.errors import InputError, MissingError
from mdr.stages.indexes import COLLECTION, Langs, sampled
from mdr.stages.stage import Stage, StageSettings, Work
from mdr.storage.collection import Collection
from mdr.storage.pairs import Pair, PairWriter
from mdr.training.opening import pairs_of
from mdr.types import Event


class LabelledSettings(StageSettings):
    """Which grades, and how many."""

    split: str = Field("train", description="the split that labels are taken from")
    langs: Langs = Field((), description="query languages; empty: all")
    samples: int = Field(0, ge=0, description="pairs of each language; fewer are a part of more; 0: all")
    seed: int = Field(0, ge=0, description="which samples")
    weight: float = Field(1.0, gt=0, allow_inf_nan=False, description="of each pair in training")


class LabelledPairs(Stage):
    """Pairs of queries and what was graded for them."""

    name, makes, version = "labelled-pairs", "pairs", 1
    inputs = (COLLECTION,)
    settings_type = LabelledSettings

    def build(self, work: Work) -> Iterator[Event]:
        settings, folder = self.settings, work.inputs[COLLECTION].folder
        collection = Collection(folder)
        if settings.split not in collection.splits:
            have = ", ".join(filter(None, collection.splits)) or "none"
            raise MissingError(
                f"labelled-pairs: the collection has no split {settings.split!r}; it has {have}", "choose one of these"
            )
        labelled, passage = pairs_of(folder, settings.split)
        chosen = [pair for pair in labelled if not settings.langs or pair.query.lang in settings.langs]
        counts = Counter(pair.query.lang for pair in chosen)
        for lang in settings.langs:
            if counts[lang] < max(1, settings.samples):
                yield self.event("warning", f"{lang} has {counts[lang]:,} labelled queries")
        if not chosen:
            have = ", ".join(sorted({pair.query.lang for pair in labelled})) or "none"
            raise InputError(
                f"labelled-pairs: no query of split {settings.split!r} in "
                f"{', '.join(settings.langs) or 'any language'} has an answer; languages with labels: {have}",
                "choose another split or languages",
            )
        with PairWriter(work.draft.folder) as writer:
            for pair in self._sampled(chosen):
                writer.add(Pair(pair.query, pair.positives, pair.negatives, "labelled", settings.weight, rule="grades"))
                writer.passages(passage(id) for id in (*pair.positives, *pair.negatives))
            work.draft.counts |= writer.counts
        work.draft.counts["languages"] = sorted(counts)

    def _sampled(self, pairs: list[Pair]) -> list[Pair]:
        queries = [pair.query for pair in pairs]
        kept = {query.id for query in sampled(queries, self.settings.samples, self.settings.seed)}
        return [pair for pair in pairs if pair.query.id in kept]
