"""What a generator's or reranker's weights are chosen by: what it thinks of queries that it has not learned from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from mdr.ports import Scores
from mdr.training.answered_source import Held
from mdr.training.batches import Ints
from mdr.training.pieces import PieceLearner, cut


class Likelihood:
    """The mean score of each query with its answer; mean over languages."""

    def __init__(self, learner: PieceLearner, held: Sequence[Held]) -> None:
        self._learner, self._held = learner, held

    def __call__(self) -> float:
        return _macro(
            (held.langs, _scores(self._learner, held, np.arange(len(held.langs)), np.arange(len(held.langs))))
            for held in self._held
        )


class AnswerRank:
    """MRR of the answer among its query's candidates; mean over languages."""

    def __init__(self, learner: PieceLearner, held: Sequence[Held]) -> None:
        self._learner, self._held = learner, held

    def __call__(self) -> float:
        return _macro((held.langs, 1 / self._ranks(held)) for held in self._held)

    def _ranks(self, held: Held) -> Scores:
        """Equal scores count half: a model that tells nothing apart should gain nothing."""
        candidates = held.batch.candidates
        assert candidates is not None
        count = candidates.shape[1]
        queries = np.repeat(np.arange(len(candidates)), count)
        scores = _scores(self._learner, held, queries, candidates.ravel()).reshape(-1, count)
        others, own = scores[:, 1:], scores[:, :1]
        ranks: Scores = 1 + (others > own).sum(1) + (others == own).sum(1) / 2
        return ranks


def _scores(learner: PieceLearner, held: Held, queries: Ints, passages: Ints) -> Scores:
    batch = held.batch
    found = np.zeros(len(queries))
    tokens = batch.queries.lengths[queries] + batch.passages.lengths[passages]
    order = np.argsort(-tokens, kind="stable")
    with torch.no_grad():
        for rows in cut(order, tokens, learner.piece):
            found[rows] = learner.judged(batch, queries[rows], passages[rows]).double().cpu().numpy()
    return found


def _macro(parts: Iterator[tuple[Sequence[str], Scores]]) -> float:
    by_lang: dict[str, list[float]] = {}
    for langs, values in parts:
        for lang, value in zip(langs, values.tolist(), strict=True):
            by_lang.setdefault(lang, []).append(value)
    return float(np.mean([np.mean(values) for values in by_lang.values()]))
