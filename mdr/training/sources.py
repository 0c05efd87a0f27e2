"""Folders as sources of batches: what stages wrote, tokenized for the model that is to learn from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mdr.errors import InputError
from mdr.storage.pairs import LISTS, Pair, Pairs, Scored
from mdr.training.aligned_source import AlignedSource, Counterparts
from mdr.training.batches import Ints, Source
from mdr.training.list_source import ListSource, TokenLists
from mdr.training.opening import open_pairs, open_scored, pairs_of, placed, split_off
from mdr.training.pair_source import PairSource, TokenPairs
from mdr.training.self_supervised import SelfSupervised, TokenTexts
from mdr.training.settings import SourceSettings
from mdr.training.texts import load_texts
from mdr.types import Passage, Query, Role

__all__ = ["HeldOut", "Sources", "Tokens", "pairs_of", "split_off"]

ALIGNED = "aligned"
"""Lists whose queries have a counterpart."""
LISTED = ("scored", "posed")
"""Slots of scored lists. Counterparts stand beside the last of them that there is."""

Tokens: TypeAlias = Callable[[Sequence[str], Role], list[Ints]]


@dataclass(frozen=True)
class HeldOut:
    """Queries with the places of their answers among passages; what a dev measure needs."""

    queries: Sequence[Query]
    answers: Sequence[Sequence[int]]
    passages: Sequence[Passage]


class Sources:
    """Reads folders, slot by slot, with one tokenizer."""

    def __init__(self, tokens: Tokens, settings: SourceSettings) -> None:
        self._tokens, self._settings = tokens, settings
        self.found: dict[str, Source] = {}
        self.counts: dict[str, int] = {}
        self.notes: list[str] = []
        self.held_out: list[HeldOut] = []
        self._lists: dict[str, tuple[list[Scored], ListSource]] = {}

    def add(self, slot: str, folder: Path) -> None:
        """Whatever a folder holds, under the name of its slot."""
        if (folder / LISTS).is_file() and slot in LISTED:
            self._add_lists(slot, folder)
        elif slot == "texts":
            self._add_texts(folder)
        else:
            self._add_pairs(slot, folder)

    def add_counterparts(self, folder: Path) -> None:
        """The lists that came before, as far as their queries are asked in another language, too: those of `posed`, or
        else of `scored`."""
        if not self._lists:
            raise InputError(
                "counterparts are given without the lists of their queries", "give `scored` or `posed` as well"
            )
        settings, (lists, source) = self._settings, self._lists[max(self._lists, key=LISTED.index)]
        found: dict[str, list[Pair]] = {}
        for pair in Pairs(folder):
            found.setdefault(str(pair.evidence["of"]), []).append(pair)
        own = [found.get(each.query.id, []) for each in lists]
        if not any(own):
            raise InputError(
                f"none of {len(lists):,} lists has a counterpart of its query",
                "make the counterparts from the very lists that are trained on",
            )
        tokens = iter(self._tokens([pair.query.text for pairs in own for pair in pairs], "query"))
        self.counts["counterparts"] = sum(map(len, own))
        self.found[ALIGNED] = AlignedSource(
            source,
            [each.query.lang for each in lists],
            [
                Counterparts([next(tokens) for _ in pairs], [float(pair.evidence["percentile"]) for pair in pairs])
                for pairs in own
            ],
            seed=settings.seed,
            admit=settings.admit,
            temperature=settings.temperature,
            mixed=settings.mixed,
        )

    def _add_pairs(self, slot: str, folder: Path) -> None:
        settings = self._settings
        opened = open_pairs(slot, folder, settings)
        pairs, passage = opened.pairs, opened.passage
        if held := opened.held:
            texts, places = placed(passage, (pair.positives for pair in held))
            answers = [[places[id] for id in pair.positives] for pair in held]
            self.held_out.append(HeldOut([pair.query for pair in held], answers, texts))
        passages, places = placed(passage, ((*pair.positives, *pair.negatives) for pair in pairs))
        source = PairSource(
            TokenPairs(
                queries=self._tokens([pair.query.text for pair in pairs], "query"),
                langs=[pair.query.lang for pair in pairs],
                positives=[[places[id] for id in pair.positives] for pair in pairs],
                negatives=[[places[id] for id in pair.negatives] for pair in pairs],
                weights=[pair.weight for pair in pairs],
                passages=self._tokens([each.full_text for each in passages], "passage"),
            ),
            seed=settings.seed,
            negatives=settings.negatives,
            temperature=settings.temperature,
            mixed=settings.mixed,
        )
        self.found[slot], self.counts[slot] = source, len(pairs)
        for lang, count in source.lonely.items():
            self.notes.append(
                f"{slot}: {lang or 'no language'} has {count} pairs that cannot fill a batch; mixed ones have them"
            )

    def _add_lists(self, slot: str, folder: Path) -> None:
        settings = self._settings
        lists, notes = open_scored(slot, folder, settings.candidates)
        self.notes += notes
        passages, places = placed(Pairs(folder).passages.__getitem__, (each.candidates for each in lists))
        texts = TokenLists(
            queries=self._tokens([each.query.text for each in lists], "query"),
            langs=[each.query.lang for each in lists],
            candidates=[np.array([places[id] for id in each.candidates], np.int64) for each in lists],
            passages=self._tokens([each.full_text for each in passages], "passage"),
            scores=[each.scores for each in lists],
        )
        source = ListSource(
            texts,
            seed=settings.seed,
            count=settings.candidates,
            first=settings.first,
            temperature=settings.temperature,
            mixed=settings.mixed,
        )
        self.found[slot], self.counts[slot] = source, len(lists)
        self._lists[slot] = lists, source

    def _add_texts(self, folder: Path) -> None:
        texts = load_texts(folder)
        tokens = TokenTexts(texts, [each.astype(np.int32) for each in self._tokens(texts.texts, "passage")])
        self.counts["texts"] = len(texts.texts)
        for task in tokens.tasks:
            self.found[task] = SelfSupervised(tokens, task, self._settings.dropout)
