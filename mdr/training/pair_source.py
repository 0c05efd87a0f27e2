"""Pairs as a source of batches: one language at a time, no answer twice, hard negatives beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mdr.errors import InputError
from mdr.ports import Mask
from mdr.training.batches import Batch, Ints, Random, bags
from mdr.training.deck import Deck


@dataclass(frozen=True)
class TokenPairs:
    """Pairs by place: texts are token ids, each kept once; `positives` and `negatives` are places among passages."""

    queries: Sequence[Ints]
    langs: Sequence[str]
    positives: Sequence[Sequence[int]]
    negatives: Sequence[Sequence[int]]
    weights: Sequence[float]
    passages: Sequence[Ints]

    def __len__(self) -> int:
        return len(self.queries)


class PairSource:
    """Batches of pairs, of one language unless drawn mixed: no query and no answer twice, `negatives` hard ones each.

    Pairs whose query and answer are in different languages count as the query's.
    """

    def __init__(
        self,
        pairs: TokenPairs,
        *,
        seed: int,
        negatives: int = 0,
        temperature: float = 1.0,
        mixed: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        if not len(pairs):
            raise InputError("there are no pairs to train on", "check what the steps before kept, and why they dropped")
        self._pairs, self._negatives, self._dropout = pairs, negatives, dropout
        if not self._enough(np.arange(len(pairs))):
            raise InputError(
                "all pairs have one answer, and none has a negative: nothing can be told apart",
                "give more pairs, or mine negatives for them",
            )
        numbers: dict[bytes, int] = {}
        asked = [-1 - numbers.setdefault(query.tobytes(), len(numbers)) for query in pairs.queries]
        self._deck = Deck(
            pairs.langs,
            lambda row: {asked[row], *pairs.positives[row]},
            self._enough,
            seed=seed,
            temperature=temperature,
            mixed=mixed,
        )
        self.lonely = self._deck.lonely

    def _enough(self, rows: Ints) -> bool:
        """Whether there is something to tell apart: two answers, or a negative."""
        pairs = self._pairs
        answers = {answer for row in rows for answer in pairs.positives[row]}
        return (len(answers) > 1 and len(rows) > 1) or (
            self._negatives > 0 and any(pairs.negatives[row] for row in rows)
        )

    def __len__(self) -> int:
        return len(self._pairs)

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        """The batch of a turn."""
        lang, rows = self._deck.page(turn, size)
        return self._batch(rows, lang, random)

    def _batch(self, rows: Ints, lang: str, random: Random) -> Batch:
        pairs = self._pairs
        answers = [int(random.choice(pairs.positives[row])) for row in rows]
        wrong: list[int] = []
        for row in rows:
            choice = pairs.negatives[row]
            count = min(self._negatives, len(choice))
            wrong += [choice[place] for place in random.choice(len(choice), count, replace=False)] if count else []
        places = list(dict.fromkeys([*answers, *wrong]))  # answers first; no page has one twice
        return Batch(
            bags([pairs.queries[row] for row in rows]).thinned(self._dropout, random),
            bags([pairs.passages[place] for place in places]).thinned(self._dropout, random),
            masked=self._also_right(rows, places),
            weights=np.array([pairs.weights[row] for row in rows], np.float32),
            lang=lang,
        )

    def _also_right(self, rows: Ints, places: Sequence[int]) -> Mask:
        """Other answers of a query that happen to be in the batch are not wrong."""
        masked = np.zeros((len(rows), len(places)), bool)
        columns = {place: column for column, place in enumerate(places)}
        for number, row in enumerate(rows):
            masked[number, [columns[answer] for answer in self._pairs.positives[row] if answer in columns]] = True
        masked[np.arange(len(rows)), np.arange(len(rows))] = False
        return masked
