"""Pairs and lists as a generator or reranker takes them up: what is read depends on a passage and on the language asked
in, what is written on the query alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mdr.storage.pairs import Pair
from mdr.training.batches import Batch, Ints, Random, Source, bags
from mdr.training.deck import Deck
from mdr.training.list_source import ListSource, TokenLists
from mdr.training.opening import Opened, open_answered, open_pairs
from mdr.training.settings import DrawSettings, Objective
from mdr.types import Passage

LISTS = " lists"
"""Follows the name of a slot where its answers are drawn among wrong ones."""


class Reader(NamedTuple):
    """How texts become tokens: passages with the language that is asked in beside each, and queries."""

    passages: Callable[[Sequence[Passage], Sequence[str]], Sequence[Sequence[int] | Ints]]
    queries: Callable[[Sequence[str]], Sequence[Sequence[int] | Ints]]


class Held(NamedTuple):
    """What is kept from training: a batch with everything, and the language of each query."""

    batch: Batch
    langs: Sequence[str]


def drawn_as_lists(objective: Objective) -> Objective:
    """A ranking draws lists, whatever the slot holds: pairs with their negatives are lists, too."""
    if objective.loss != "ranking":
        return objective
    sources = {f"{slot}{LISTS}": odds for slot, odds in objective.sources.items()}
    return objective.model_copy(update={"sources": sources})


class AnsweredSources:
    """Opens the slots that objectives draw from, each as pairs, as lists, or as both."""

    def __init__(self, reader: Reader, settings: DrawSettings) -> None:
        self._reader, self._settings = reader, settings
        self.found: dict[str, Source] = {}
        self.counts: dict[str, int] = {}
        self.notes: list[str] = []
        self.held_pairs: list[Held] = []
        self.held_lists: list[Held] = []

    def add(self, slots: Mapping[str, Path], objectives: Iterable[Objective]) -> None:
        """Whatever is drawn of what is given; a slot that nobody draws from is said."""
        drawn = {name for objective in objectives for name in objective.sources}
        for slot, folder in slots.items():
            names = [name for name in (slot, f"{slot}{LISTS}") if name in drawn]
            for name in names:
                self._add(name, slot, folder)
            if not names:
                self.notes.append(f"{slot} is given, but no objective draws from it")

    def _add(self, name: str, slot: str, folder: Path) -> None:
        settings = self._settings
        listed = name.endswith(LISTS)
        opened = (open_answered if listed else open_pairs)(slot, folder, settings)
        self.notes += opened.notes
        self.counts[name] = len(opened.pairs)
        if listed:
            self.found[name] = ListSource(
                self._lists(opened, opened.pairs),
                seed=settings.seed,
                count=settings.candidates,
                first=True,
                temperature=settings.temperature,
                mixed=settings.mixed,
            )
            if opened.held:
                self.held_lists.append(self._held_lists(opened))
        else:
            self.found[name] = WritingSource(self._written(opened, opened.pairs), settings)
            if opened.held:
                held = self._written(opened, opened.held)
                self.held_pairs.append(Held(held.first(), held.langs))

    def _written(self, opened: Opened, pairs: Sequence[Pair]) -> TokenWritten:
        passages, places = self._passages(opened, [(pair.query.lang, pair.positives) for pair in pairs])
        return TokenWritten(
            self._queries(pairs),
            [pair.query.lang for pair in pairs],
            [[places[pair.query.lang, id] for id in pair.positives] for pair in pairs],
            [pair.weight for pair in pairs],
            passages,
        )

    def _lists(self, opened: Opened, pairs: Sequence[Pair]) -> TokenLists:
        listed = [(pair.query.lang, (pair.positives[0], *pair.negatives)) for pair in pairs]
        passages, places = self._passages(opened, listed)
        candidates = [np.array([places[lang, id] for id in ids], np.int64) for lang, ids in listed]
        return TokenLists(self._queries(pairs), [pair.query.lang for pair in pairs], candidates, passages)

    def _held_lists(self, opened: Opened) -> Held:
        """Of each list the answer and those that come next."""
        lists = self._lists(opened, opened.held)
        places = np.stack([each[: self._settings.candidates] for each in lists.candidates])
        return Held(Batch(bags(lists.queries), bags(lists.passages), candidates=places), lists.langs)

    def _queries(self, pairs: Sequence[Pair]) -> list[Ints]:
        return [np.asarray(ids, np.int64) for ids in self._reader.queries([pair.query.text for pair in pairs])]

    def _passages(
        self, opened: Opened, named: Iterable[tuple[str, Sequence[str]]]
    ) -> tuple[list[Ints], dict[tuple[str, str], int]]:
        """Every passage once for each language that is asked in, and where."""
        places: dict[tuple[str, str], int] = {}
        for lang, ids in named:
            for id in ids:
                places.setdefault((lang, id), len(places))
        langs = [lang for lang, _ in places]
        read = self._reader.passages([opened.passage(id) for _, id in places], langs)
        return [np.asarray(ids, np.int64) for ids in read], places


@dataclass(frozen=True)
class TokenWritten:
    """Queries to write, and the places of the passages that each may be written for."""

    queries: Sequence[Ints]
    langs: Sequence[str]
    positives: Sequence[Sequence[int]]
    weights: Sequence[float]
    passages: Sequence[Ints]

    def batch(self, rows: Iterable[int], chosen: Iterable[int], lang: str = "") -> Batch:
        """These queries, each with the passage at the place beside it."""
        rows = list(rows)
        return Batch(
            bags([self.queries[row] for row in rows]),
            bags([self.passages[place] for place in chosen]),
            weights=np.array([self.weights[row] for row in rows], np.float32),
            lang=lang,
        )

    def first(self) -> Batch:
        """All of them, each with its best passage."""
        return self.batch(range(len(self.queries)), [places[0] for places in self.positives])


class WritingSource:
    """Queries to write, of one language unless drawn mixed, each with one of its passages."""

    def __init__(self, written: TokenWritten, settings: DrawSettings) -> None:
        self._written = written
        self._deck = Deck(
            written.langs,
            lambda row: {row},
            lambda rows: len(rows) > 0,
            seed=settings.seed,
            temperature=settings.temperature,
            mixed=settings.mixed,
        )

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        """The batch of a turn."""
        lang, rows = self._deck.page(turn, size)
        return self._written.batch(rows, [int(random.choice(self._written.positives[row])) for row in rows], lang)
