"""Lists beside a counterpart of their query, which asks the same in another language: good ones first, then more.

A counterpart is admitted where its quality reaches a percentile of all in its language. The bar falls linearly while
training goes on, in steps of five, each with a deck of its own: so a batch is as large as it is asked to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from mdr.training.batches import Batch, Ints, Random, Source, bags
from mdr.training.deck import Deck
from mdr.training.list_source import ListSource

_STEP = 5


@dataclass(frozen=True)
class Counterparts:
    """Of one list's query: token ids, and the percentile of each counterpart's quality within its language."""

    texts: Sequence[Ints]
    percentiles: Sequence[float]


class AlignedSource:
    """`counterparts` has one entry for each list; those of some may be empty. `admit`: the bar at the beginning and
    at the end of training."""

    def __init__(
        self,
        lists: ListSource,
        langs: Sequence[str],
        counterparts: Sequence[Counterparts],
        *,
        seed: int,
        admit: tuple[float, float],
        temperature: float = 1.0,
        mixed: float = 0.0,
    ) -> None:
        self._lists, self._langs, self._counterparts, self._admit = lists, langs, counterparts, admit
        self._best = np.array([max(each.percentiles, default=-1.0) for each in counterparts])
        self._options = {"temperature": temperature, "mixed": mixed}
        self._seed = seed
        self._level = lru_cache(maxsize=2)(self._opened)

    def at(self, progress: float) -> Source:
        """The source as it is when so much (0 to 1) of training is done."""
        first, last = self._admit
        bar = round((first + (last - first) * progress) / _STEP) * _STEP
        return self._level(min(float(bar), float(self._best.max())))  # the best are admitted, whatever the bar

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        """As it is in the end."""
        return self.at(1.0).draw(size, turn, random)

    def _opened(self, bar: float) -> _Level:
        return _Level(self, bar)

    def deck(self, rows: Ints) -> Deck:
        """These lists, dealt."""
        langs = [self._langs[row] for row in rows]
        return Deck(langs, lambda row: {row}, lambda rows: len(rows) > 0, seed=self._seed, **self._options)

    def admitted(self, bar: float) -> Ints:
        """The lists with a counterpart that reaches the bar."""
        return np.flatnonzero(self._best >= bar)

    def batch(self, rows: Ints, lang: str, bar: float, random: Random) -> Batch:
        """Lists, each with one of the counterparts that reach the bar."""
        others = []
        for row in rows:
            own = self._counterparts[row]
            fits = [text for text, value in zip(own.texts, own.percentiles, strict=True) if value >= bar]
            others.append(fits[int(random.integers(len(fits)))])
        return replace(self._lists.batch(rows, lang, random), others=bags(others))


class _Level:
    """The source while the bar stays where it is."""

    def __init__(self, source: AlignedSource, bar: float) -> None:
        self._source, self._bar = source, bar
        self._rows = source.admitted(bar)
        self._deck = source.deck(self._rows)

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        lang, places = self._deck.page(turn, size)
        return self._source.batch(self._rows[places], lang, self._bar, random)
