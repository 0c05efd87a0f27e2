"""Language bias of a mixed pool: does a system prefer passages for their language rather than for what they say?

Looked at on queries whose best answers stand in several languages. An answer below the cutoff k counts as rank k + 1,
so a spread is a lower bound where answers are missing; how many are is told beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mdr.types import Qrels, Ranking, Run

TOP = 10
"""The hits a person looks at, for the same-language share."""


class Cell(NamedTuple):
    """Queries of one language against their answers in another: the mean rank of the best answer, and 1/rank."""

    queries: int
    missing: int
    mean_rank: float
    mrr: float


@dataclass(frozen=True)
class Bias:
    """`rank_spread`: worst minus best rank among the languages of an answer, mean over queries with parallel answers.
    `same_language`: how much of the top ten is in the query's own language. `matrix`: query × passage language."""

    k: int
    queries: int
    missing: float
    rank_spread: float
    same_language: float
    matrix: Mapping[str, Mapping[str, Cell]]


def language_bias(
    qrels: Qrels, run: Run, query_lang: Mapping[str, str], passage_lang: Callable[[str], str], k: int
) -> Bias:
    """All three views of the bias of a run over judged queries."""
    spreads: list[int] = []
    shares: list[float] = []
    ranks: dict[tuple[str, str], list[int]] = {}
    for query in sorted(qrels):
        lang, ranking = query_lang[query], list(run.get(query, ()))[:k]
        if ranking:
            top = ranking[:TOP]
            shares.append(sum(passage_lang(hit.id) == lang for hit in top) / len(top))
        best = ranks_by_language(qrels[query], ranking, passage_lang, k)
        for other, rank in best.items():
            ranks.setdefault((lang, other), []).append(rank)
        if len(best) > 1:
            spreads.append(max(best.values()) - min(best.values()))
    return Bias(
        k,
        len(spreads),
        _mean([float(rank > k) for cell in ranks.values() for rank in cell]),
        _mean(spreads),
        _mean(shares),
        _matrix(ranks, k),
    )


def ranks_by_language(
    grades: Mapping[str, int], ranking: Ranking, passage_lang: Callable[[str], str], k: int
) -> dict[str, int]:
    """The rank of the best answer in each language that has one. Answers are the passages with the highest grade."""
    highest = max(grades.values(), default=0)
    answers = {id for id, grade in grades.items() if grade == highest > 0}
    best = {passage_lang(id): k + 1 for id in sorted(answers)}
    for rank, hit in enumerate(ranking, 1):
        if hit.id in answers:
            lang = passage_lang(hit.id)
            best[lang] = min(best[lang], rank)
    return best


def _matrix(ranks: Mapping[tuple[str, str], list[int]], k: int) -> dict[str, dict[str, Cell]]:
    matrix: dict[str, dict[str, Cell]] = {}
    for (query, passage), cell in sorted(ranks.items()):
        found = [rank for rank in cell if rank <= k]
        mrr = sum(1 / rank for rank in found) / len(cell)
        matrix.setdefault(query, {})[passage] = Cell(len(cell), len(cell) - len(found), _mean(cell), mrr)
    return matrix


def _mean(values: list[int] | list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
