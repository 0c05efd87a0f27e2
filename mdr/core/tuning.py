"""The weight of the dense side in a hybrid, chosen per query language on queries that are not reported."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from mdr.core.fusion import SIDES
from mdr.core.judged import Floats, Ints, Judged
from mdr.core.measures import measure
from mdr.errors import InputError
from mdr.types import Qrels, Run

ALPHAS = tuple(step / 10 for step in range(21))
"""From words alone (0) to meaning counting twice as much (2)."""

OTHERS = ""
"""The key of the alpha for languages that nothing was tuned on."""


def tune_alpha(
    qrels: Qrels,
    lexical: Run,
    dense: Run,
    lang_of: Mapping[str, str],
    *,
    reported: Collection[str],
    fusion: str = "mr-tydi",
    by: str = "MRR@100",
    k: int = 100,
    alphas: Sequence[float] = ALPHAS,
) -> dict[str, float]:
    """The alpha with the best mean for each language of the dev queries in `qrels`, and under `OTHERS` the one with
    the best macro average. Among equals the one nearest to 1 wins. `reported`: the queries results are told of."""
    refuse_shared(qrels, reported)
    queries: dict[str, list[str]] = {}
    for query in sorted(qrels):
        if max(qrels[query].values(), default=0) > 0:
            queries.setdefault(lang_of[query], []).append(query)
    if not queries:
        raise InputError("no dev query has a relevant passage: nothing to tune on", "choose another dev split")
    tuned_by = measure(by)
    if not tuned_by.kind:
        raise InputError(f"alpha cannot be tuned by {by}", "MRR@100, nDCG@10 and MAP are common choices")
    curves = {}
    for lang, ids in sorted(queries.items()):
        judged = _judged_for_each(ids, qrels, lexical, dense, fusion, k, alphas).at(tuned_by.cutoff)
        values = tuned_by.kind.values(judged, tuned_by.cutoff, tuned_by.level)
        curves[lang] = values.reshape(len(ids), len(alphas)).mean(axis=0)
    curves[OTHERS] = np.mean(list(curves.values()), axis=0)
    return {lang: _best(curve, alphas) for lang, curve in curves.items()}


def refuse_shared(dev: Collection[str], reported: Collection[str]) -> None:
    """Queries that were tuned on say nothing of how good the tuned system is."""
    if shared := sorted(set(dev) & set(reported)):
        raise InputError(
            f"{len(shared):,} queries are both for tuning and for reporting, {shared[0]!r} among them",
            "choose a dev split that shares no query with the split that is evaluated",
        )


def _best(curve: Floats, alphas: Sequence[float]) -> float:
    pairs = zip(curve.round(12).tolist(), alphas, strict=True)  # rounded: sums that differ by order alone are equal
    return max(pairs, key=lambda pair: (pair[0], -abs(pair[1] - 1)))[1]


def _judged_for_each(
    queries: Iterable[str], qrels: Qrels, lexical: Run, dense: Run, fusion: str, k: int, alphas: Sequence[float]
) -> Judged:
    """The judged hits of every query fused with every alpha, as if each such pair were a query of its own.

    The same sums as `FUSIONS` makes, for all alphas in one matrix: fusing one by one takes many times longer.
    """
    side, weights = SIDES[fusion], np.array(alphas)[:, None]
    rows: list[Ints] = []
    lengths, known_query, known_grade = [], [], []
    for number, query in enumerate(queries):
        grades, first = qrels[query], number * len(alphas)
        words, meaning = side(lexical.get(query, ())), side(dense.get(query, ()))
        ids = sorted(words | meaning)
        grade = np.array([grades.get(id, 0) for id in ids], dtype=np.int64)
        is_judged = np.array([id in grades for id in ids], dtype=bool)
        scores = np.array([words.get(id, 0.0) for id in ids]) + weights * np.array([meaning.get(id, 0.0) for id in ids])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # stable: ties stay in the order of ids
        alpha, place = np.nonzero(is_judged[order])
        rows.append(np.stack([first + alpha, place + 1, grade[order[alpha, place]]]))
        lengths += [order.shape[1]] * len(alphas)
        known_query.append(np.repeat(first + np.arange(len(alphas)), len(grades)))
        known_grade.append(np.tile(list(grades.values()), len(alphas)))
    pair, rank, grade = np.concatenate(rows, axis=1)
    return Judged(np.array(lengths), pair, rank, grade, np.concatenate(known_query), np.concatenate(known_grade))
