"""Lists as a source of batches: some of each query's candidates, with what a teacher thinks of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mdr.errors import InputError
from mdr.training.batches import Batch, Ints, Random, bags
from mdr.training.deck import Deck


@dataclass(frozen=True)
class TokenLists:
    """Lists by place: texts are token ids, each kept once; `candidates` are places among passages.

    Without `scores` nobody has judged them: the first answers, and that is all that is known.
    """

    queries: Sequence[Ints]
    langs: Sequence[str]
    candidates: Sequence[Ints]
    passages: Sequence[Ints]
    scores: Sequence[Sequence[float]] = ()

    def __len__(self) -> int:
        return len(self.queries)


class ListSource:
    """`count` candidates of each query, drawn evenly; with `first`, the list's first is always one and comes first."""

    def __init__(
        self,
        lists: TokenLists,
        *,
        seed: int,
        count: int = 16,
        first: bool = False,
        temperature: float = 1.0,
        mixed: float = 0.0,
    ) -> None:
        if not len(lists):
            raise InputError("there are no lists to train on", "check what the scoring step kept, and why")
        self._lists, self._first = lists, first
        self._count = count
        if count < 2 or min(len(each) for each in lists.candidates) < count:
            raise InputError(
                f"a list has fewer than {max(2, count)} candidates",
                "ask for fewer of each, retrieve more, or leave such queries out",
            )
        self._deck = Deck(
            lists.langs, lambda row: {row}, lambda rows: len(rows) > 0, seed=seed, temperature=temperature, mixed=mixed
        )

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        """The batch of a turn."""
        lang, rows = self._deck.page(turn, size)
        return self.batch(rows, lang, random)

    def batch(self, rows: Ints, lang: str, random: Random) -> Batch:
        """Some of the candidates of these lists."""
        lists = self._lists
        chosen = np.stack([self._choose(len(lists.candidates[row]), random) for row in rows])
        places = np.stack([np.asarray(lists.candidates[row])[own] for row, own in zip(rows, chosen, strict=True)])
        different, columns = np.unique(places, return_inverse=True)
        teacher = None
        if lists.scores:
            judged = zip(rows, chosen, strict=True)
            teacher = np.stack([np.asarray(lists.scores[row], np.float32)[own] for row, own in judged])
        return Batch(
            bags([lists.queries[row] for row in rows]),
            bags([lists.passages[place] for place in different]),
            candidates=columns.reshape(places.shape).astype(np.int64),
            teacher=teacher,
            lang=lang,
        )

    def _choose(self, length: int, random: Random) -> Ints:
        if not self._first:
            return random.choice(length, self._count, replace=False)
        return np.concatenate([[0], 1 + random.choice(length - 1, self._count - 1, replace=False)])
