"""Folders as sources of batches: what stages wrote, tokenized for the model that is to learn from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mdr.errors import InputError
from mdr.storage.collection import Collection
from mdr.storage.pairs import LISTS, PAIRS, Pair, Pairs
from mdr.training.batches import Ints, Source
from mdr.training.list_source import ListSource, TokenLists
from mdr.training.pair_source import PairSource, TokenPairs
from mdr.training.self_supervised import SelfSupervised, TokenTexts
from mdr.training.settings import SourceSettings
from mdr.training.texts import load_texts
from mdr.types import Passage, Query, Role

Tokens: TypeAlias = Callable[[Sequence[str], Role], list[Ints]]


@dataclass(frozen=True)
class HeldOut:
    """Queries with the places of their answers among passages; what a dev measure needs."""

    queries: Sequence[Query]
    answers: Sequence[Sequence[int]]
    passages: Sequence[Passage]


def pairs_of(folder: Path, split: str) -> tuple[list[Pair], Callable[[str], Passage]]:
    """The pairs of a folder, and its passages by id. Of a collection: a split's queries with what was graded above 0
    as answers, and what was graded 0 as negatives."""
    if (folder / PAIRS).is_file():
        pairs = Pairs(folder)
        return list(pairs), pairs.passages.__getitem__
    collection = Collection(folder)
    qrels = collection.qrels(split)
    found = []
    for query in collection.queries(split):
        grades = {id: grade for id, grade in qrels.get(query.id, {}).items() if id in collection.positions}
        right = sorted((id for id, grade in grades.items() if grade > 0), key=lambda id: (-grades[id], id))
        if right:
            found.append(Pair(query, tuple(right), tuple(sorted(id for id, grade in grades.items() if grade <= 0))))
    return found, collection.passage


def split_off(pairs: Sequence[Pair], share: float) -> tuple[list[Pair], list[Pair]]:
    """Pairs to train on and pairs held out: by the query's id, so that the same are out in every run and round."""
    out = [_chance(pair.query.id) < share for pair in pairs]
    return (
        [pair for pair, held in zip(pairs, out, strict=True) if not held],
        [pair for pair, held in zip(pairs, out, strict=True) if held],
    )


def _chance(id: str) -> float:
    return int.from_bytes(blake2b(id.encode(errors="surrogatepass"), digest_size=7).digest()) / (1 << 56)


class Sources:
    """Reads folders, slot by slot, with one tokenizer."""

    def __init__(self, tokens: Tokens, settings: SourceSettings) -> None:
        self._tokens, self._settings = tokens, settings
        self.found: dict[str, Source] = {}
        self.counts: dict[str, int] = {}
        self.notes: list[str] = []
        self.held_out: list[HeldOut] = []

    def add(self, slot: str, folder: Path) -> None:
        """Whatever a folder holds, under the name of its slot."""
        if (folder / LISTS).is_file() and slot == "scored":
            self._add_lists(slot, folder)
        elif slot == "texts":
            self._add_texts(folder)
        else:
            self._add_pairs(slot, folder)

    def _add_pairs(self, slot: str, folder: Path) -> None:
        settings = self._settings
        pairs, passage = pairs_of(folder, settings.split)
        pairs = [pair for pair in pairs if pair.positives and pair.query.text.strip() and pair.weight > 0]
        pairs, held = split_off(pairs, settings.holdout)
        if not pairs:
            split = f" in split {settings.split!r}" if not (folder / PAIRS).is_file() else ""
            raise InputError(
                f"the source {slot!r} has no pairs to train on{split}",
                "check what the step before kept and why it dropped the rest, or leave this source out",
            )
        if held:
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
        pairs = Pairs(folder)
        settings = self._settings
        every = [each for each in pairs.lists() if each.query.text.strip()]
        lists = [each for each in every if len(each.candidates) >= settings.candidates]
        if not lists:
            longest = max((len(each.candidates) for each in every), default=0)
            raise InputError(
                f"the source {slot!r} has no list of {settings.candidates} candidates; the longest has {longest}",
                "set sources.candidates to less, or retrieve more candidates before scoring",
            )
        if len(lists) < len(every):
            self.notes.append(
                f"{slot}: {len(every) - len(lists):,} of {len(every):,} lists have fewer than {settings.candidates} "
                "candidates and are left out"
            )
        if any(not np.isfinite(each.scores).all() for each in lists):
            raise InputError(
                f"the source {slot!r} has scores that are no numbers", "score again; the teacher may be broken"
            )
        passages, places = placed(pairs.passages.__getitem__, (each.candidates for each in lists))
        texts = TokenLists(
            queries=self._tokens([each.query.text for each in lists], "query"),
            langs=[each.query.lang for each in lists],
            candidates=[np.array([places[id] for id in each.candidates], np.int64) for each in lists],
            scores=[each.scores for each in lists],
            passages=self._tokens([each.full_text for each in passages], "passage"),
        )
        self.counts[slot] = len(lists)
        self.found[slot] = ListSource(
            texts,
            seed=settings.seed,
            count=settings.candidates,
            first=settings.first,
            temperature=settings.temperature,
            mixed=settings.mixed,
        )

    def _add_texts(self, folder: Path) -> None:
        texts = load_texts(folder)
        tokens = TokenTexts(texts, [each.astype(np.int32) for each in self._tokens(texts.texts, "passage")])
        self.counts["texts"] = len(texts.texts)
        for task in tokens.tasks:
            self.found[task] = SelfSupervised(tokens, task, self._settings.dropout)


def placed(
    passage: Callable[[str], Passage], named: Iterable[Iterable[str]]
) -> tuple[list[Passage], dict[str, int]]:
    """Every passage once, in the order it is first named, and where."""
    places: dict[str, int] = {}
    for ids in named:
        for id in ids:
            places.setdefault(id, len(places))
    return [passage(id) for id in places], places
