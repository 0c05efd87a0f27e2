"""Rows dealt into pages: a page is one batch, of one language unless mixed. Which rows a turn gets is a function of the
seed and the turn's number, so nothing is kept between draws and training resumes exactly."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache

import numpy as np

from mdr.training.batches import Ints

MIXED = ""
"""The language of pages that mix languages."""
_BLOCK = 4_096
"""Turns whose languages are drawn at once."""


class Deck:
    """A language's rows are shuffled, dealt into pages and read through before they are shuffled again.

    `taken` names what a row takes up: no page has anything twice. `temperature` says how languages share the turns: 1
    by their rows, towards 0 all alike. `mixed` is the share of pages that mix languages. `enough` says whether rows
    make a page; languages without enough are in mixed pages only.
    """

    def __init__(
        self,
        langs: Sequence[str],
        taken: Callable[[int], AbstractSet[Hashable]],
        enough: Callable[[Ints], bool],
        *,
        seed: int,
        temperature: float = 1.0,
        mixed: float = 0.0,
    ) -> None:
        self._taken, self._enough, self._seed = taken, enough, seed
        every = np.array(langs)
        groups = {lang: np.flatnonzero(every == lang) for lang in sorted(set(langs))}
        self._rows = {lang: rows for lang, rows in groups.items() if enough(rows)}
        self.lonely = {lang: len(rows) for lang, rows in groups.items() if lang not in self._rows}
        """Languages with too few rows for a page of their own, and how many they have."""
        if self.lonely:
            mixed = max(mixed, sum(self.lonely.values()) / len(langs))
        counts = np.array([len(rows) for rows in self._rows.values()], float) ** temperature
        self._odds = np.append((1 - mixed) * counts / counts.sum(), mixed) if len(counts) else np.ones(1)
        self._rows[MIXED] = np.arange(len(langs))
        self._names = list(self._rows)
        self._ends: dict[tuple[int, int], list[int]] = {}
        """By language and size, the number of pages up to the end of each epoch, as far as known."""
        self._pages = lru_cache(maxsize=2 * len(self._rows))(self._dealt)
        self._before = lru_cache(maxsize=4)(self._counted)

    def page(self, turn: int, size: int) -> tuple[str, Ints]:
        """The language and the rows of a turn."""
        block, within = divmod(turn, _BLOCK)
        drawn = self._languages(block)
        lang = int(drawn[within])
        place = int(self._before(block)[lang] + (drawn[:within] == lang).sum())
        ends = self._ends.setdefault((lang, size), [0])
        while ends[-1] <= place:  # an epoch has more or fewer pages, as rows clash; walk to the one wanted, once
            ends.append(ends[-1] + len(self._pages(lang, len(ends) - 1, size)))
        epoch = bisect_right(ends, place) - 1
        return self._names[lang], self._pages(lang, epoch, size)[place - ends[epoch]]

    def _counted(self, block: int) -> Ints:
        """How often each language came in earlier blocks."""
        counts = np.zeros(len(self._odds), np.int64)
        for earlier in range(block):
            counts += np.bincount(self._languages(earlier), minlength=len(self._odds))
        return counts

    def _languages(self, block: int) -> Ints:
        return np.random.default_rng([self._seed, 1, block]).choice(len(self._odds), _BLOCK, p=self._odds)

    def _dealt(self, lang: int, epoch: int, size: int) -> list[Ints]:
        """One shuffle of a language, in pages: each row is on the first with room, behind all that have what it has.
        Pages without enough are left out."""
        shuffled = np.random.default_rng([self._seed, 2, lang, epoch]).permutation(self._rows[self._names[lang]])
        pages: list[list[int]] = []
        behind: dict[Hashable, int] = {}
        onward = [0]  # from a full page, one that may have room; from others, themselves
        for row in shuffled.tolist():
            taken = self._taken(row)
            place = max((behind.get(thing, 0) for thing in taken), default=0)
            while onward[place] != place:
                onward[place] = place = onward[onward[place]]
            if place == len(pages):
                pages.append([])
                onward.append(len(pages))
            pages[place].append(row)
            if len(pages[place]) == size:
                onward[place] = place + 1
            behind |= dict.fromkeys(taken, place + 1)
        dealt = [np.array(page, np.int64) for page in pages]
        return [page for page in dealt if self._enough(page)] or dealt[:1]
