"""Pairs as a source of batches: one language at a time, no answer twice, hard negatives beside it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mdr.errors import InputError
from mdr.ports import Mask
from mdr.training.batches import Batch, Ints, Random, bags

MIXED = ""
"""The language of batches that mix languages."""


@dataclass(frozen=True)
class TokenPairs:
    """Pairs by place: texts are token ids, each kept once; `positives` and `negatives` are places among passages."""

    queries: Sequence[Ints]
    langs: Sequence[str]
    positives: Sequence[Sequence[int]]
    negatives: Sequence[Sequence[int]]
    weights: Sequence[float]
    passages: Sequence[Ints]
    passage_langs: Sequence[str]

    def __len__(self) -> int:
        return len(self.queries)


class PairSource:
    """Reads pairs in pages: a page is one batch, of one language unless drawn mixed.

    A language's pairs are shuffled, dealt into pages and read through before they are shuffled again. `temperature`
    says how languages share the batches: 1 by their pairs, towards 0 all alike. `mixed` is the share of batches that
    mix languages; pairs whose query and answer are in different languages count as the query's.
    """

    def __init__(
        self, pairs: TokenPairs, *, seed: int, negatives: int = 0, temperature: float = 1.0, mixed: float = 0.0
    ) -> None:
        if not len(pairs):
            raise InputError("there are no pairs to train on", "check what the steps before kept, and why they dropped")
        self._pairs, self._seed, self._negatives, self._mixed = pairs, seed, negatives, mixed
        langs = np.array(pairs.langs)
        groups = {lang: np.flatnonzero(langs == lang) for lang in sorted(set(pairs.langs))}
        self._rows = {lang: rows for lang, rows in groups.items() if self._enough(rows)}
        self.lonely = {lang: len(rows) for lang, rows in groups.items() if lang not in self._rows}
        """Languages with too few pairs for a batch of their own: only mixed batches have them."""
        if self.lonely:
            self._mixed = max(mixed, sum(self.lonely.values()) / len(pairs))
        self._rows[MIXED] = np.arange(len(pairs))
        if not self._enough(self._rows[MIXED]):
            raise InputError(
                "all pairs have one answer, and none has a negative: nothing can be told apart",
                "give more pairs, or mine negatives for them",
            )
        counts = np.array([len(rows) for lang, rows in self._rows.items() if lang != MIXED], float) ** temperature
        shares = (1 - self._mixed) * counts / counts.sum() if len(counts) else counts
        self._odds = np.append(shares, 1 - shares.sum())
        self._deal = lru_cache(maxsize=4 * len(self._rows))(self._dealt)

    def _enough(self, rows: Ints) -> bool:
        """Whether there is something to tell apart: two answers, or a negative."""
        pairs = self._pairs
        answers = {answer for row in rows for answer in pairs.positives[row]}
        return (len(answers) > 1 and len(rows) > 1) or self._has_negatives(rows)

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        """The batch of a turn. Which language it has, and which page of it, follow from the turn's number."""
        lang, place = self._place(turn)
        page = 0
        while True:  # pages of an epoch differ in number, as answers fall; walk to the one wanted
            pages = self._deal(lang, page, size)
            if place < len(pages):
                return self._batch(pages[place], lang, random)
            place -= len(pages)
            page += 1

    def _place(self, turn: int) -> tuple[str, int]:
        """The language of a turn, and how many batches of it came before."""
        block, within = divmod(turn, _BLOCK)
        before, drawn = self._blocks(block)
        lang = drawn[within]
        return list(self._rows)[lang], int(before[lang] + (drawn[:within] == lang).sum())

    @lru_cache(maxsize=4)  # noqa: B019 - a source lives as long as its training
    def _blocks(self, block: int) -> tuple[Ints, Ints]:
        """How often each language came in earlier blocks of turns, and the languages of this one."""
        before = np.zeros(len(self._odds), np.int64)
        for earlier in range(block):
            before += np.bincount(self._languages(earlier), minlength=len(self._odds))
        return before, self._languages(block)

    def _languages(self, block: int) -> Ints:
        return np.random.default_rng([self._seed, 1, block]).choice(len(self._odds), _BLOCK, p=self._odds)

    def _dealt(self, lang: str, epoch: int, size: int) -> list[Ints]:
        """A shuffled language in pages without an answer or a query twice; what does not fit goes to a later page."""
        place = list(self._rows).index(lang)
        shuffled = np.random.default_rng([self._seed, 2, place, epoch]).permutation(self._rows[lang])
        waiting = deque(shuffled.tolist())
        pages: list[Ints] = []
        while waiting:
            page: list[int] = []
            answers: set[int] = set()
            clashing: list[int] = []
            while waiting and len(page) < size and len(clashing) < _PATIENCE * size:
                row = waiting.popleft()
                if answers.isdisjoint(self._pairs.positives[row]):
                    answers.update(self._pairs.positives[row])
                    page.append(row)
                else:
                    clashing.append(row)
            waiting.extendleft(reversed(clashing))
            if len(page) > 1 or not pages or self._has_negatives(page):
                pages.append(np.array(page, np.int64))
        return pages

    def _has_negatives(self, page: Iterable[int]) -> bool:
        return self._negatives > 0 and any(self._pairs.negatives[row] for row in page)

    def _batch(self, rows: Ints, lang: str, random: Random) -> Batch:
        pairs = self._pairs
        answers = [int(random.choice(pairs.positives[row])) for row in rows]
        wrong: list[int] = []
        for row in rows:
            choice = pairs.negatives[row]
            count = min(self._negatives, len(choice))
            wrong += [choice[place] for place in random.choice(len(choice), count, replace=False)] if count else []
        wrong = list(dict.fromkeys(place for place in wrong if place not in set(answers)))
        places = [*answers, *wrong]
        return Batch(
            bags([pairs.queries[row] for row in rows]),
            bags([pairs.passages[place] for place in places]),
            masked=self._also_right(rows, places),
            weights=np.array([pairs.weights[row] for row in rows], np.float32),
            lang=lang,
        )

    def _also_right(self, rows: Ints, places: Sequence[int]) -> Mask:
        """Other answers of a query that happen to be in the batch are not wrong."""
        masked = np.zeros((len(rows), len(places)), bool)
        at: dict[int, list[int]] = {}
        for column, place in enumerate(places):
            at.setdefault(place, []).append(column)
        for number, row in enumerate(rows):
            for answer in self._pairs.positives[row]:
                masked[number, at.get(answer, [])] = True
        masked[np.arange(len(rows)), np.arange(len(rows))] = False
        return masked


_PATIENCE = 8
"""Batches' worth of clashing answers after which a page stays short."""

_BLOCK = 4_096
"""Turns whose languages are drawn at once."""
