"""Rows dealt into pages: a page is one batch, of one language unless mixed. Which rows a turn gets is a function of the
seed and the turn's number, so nothing is kept between draws and training resumes exactly."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache

import numpy as np

from mdr.training.batches import Ints

MIXED = ""
"""The language of pages that mix languages."""
_BLOCK = 4_096
"""Turns whose languages are drawn at once."""
_PATIENCE = 8
"""Batches' worth of clashing rows after which a page stays short."""


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
        shares = (1 - mixed) * counts / counts.sum() if len(counts) else counts
        self._rows[MIXED] = np.arange(len(langs))
        self._names = list(self._rows)
        self._odds = np.append(shares, 1 - shares.sum())
        self._pages = lru_cache(maxsize=4 * len(self._rows))(self._dealt)
        self._before = lru_cache(maxsize=4)(self._counted)

    def page(self, turn: int, size: int) -> tuple[str, Ints]:
        """The language and the rows of a turn."""
        block, within = divmod(turn, _BLOCK)
        drawn = self._languages(block)
        lang = int(drawn[within])
        place = int(self._before(block)[lang] + (drawn[:within] == lang).sum())
        epoch = 0
        while True:  # an epoch has more or fewer pages, as rows clash; walk to the one wanted
            pages = self._pages(lang, epoch, size)
            if place < len(pages):
                return self._names[lang], pages[place]
            place -= len(pages)
            epoch += 1

    def _counted(self, block: int) -> Ints:
        """How often each language came in earlier blocks."""
        counts = np.zeros(len(self._odds), np.int64)
        for earlier in range(block):
            counts += np.bincount(self._languages(earlier), minlength=len(self._odds))
        return counts

    def _languages(self, block: int) -> Ints:
        return np.random.default_rng([self._seed, 1, block]).choice(len(self._odds), _BLOCK, p=self._odds)

    def _dealt(self, lang: int, epoch: int, size: int) -> list[Ints]:
        """One shuffle of a language, in pages."""
        rows = self._rows[self._names[lang]]
        waiting = deque(np.random.default_rng([self._seed, 2, lang, epoch]).permutation(rows).tolist())
        pages: list[Ints] = []
        while waiting:
            page: list[int] = []
            there: set[Hashable] = set()
            clashing: list[int] = []
            while waiting and len(page) < size and len(clashing) < _PATIENCE * size:
                row = waiting.popleft()
                if there.isdisjoint(taken := self._taken(row)):
                    there |= taken
                    page.append(row)
                else:
                    clashing.append(row)
            waiting.extendleft(reversed(clashing))
            rows_of_page = np.array(page, np.int64)
            if not pages or self._enough(rows_of_page):
                pages.append(rows_of_page)
        return pages
