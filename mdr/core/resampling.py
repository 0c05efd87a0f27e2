"""Bootstrap of anything that is computed from sums over questions: families of questions are drawn again and again.

Statistics of judgements (kappa, alpha, slopes, ratios) are functions of sums of small tables, one table per question.
So a draw is a weighting of the families' tables, and all draws are one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mdr.core.judged import Floats
from mdr.core.significance import SEED, Interval

Statistic = Callable[[Floats], Floats]
"""From sums, (draws, columns), to a value for each draw; NaN where there is none."""

DRAWS = 2_000
FEWEST = 5
"""Families below which no bounds are told: too few to stand for others."""
_BLOCK = 2_000_000
"""Weights at a time."""
_ALIKE = 8
"""So many families of one kind, on average, are drawn faster by how often a kind comes than one by one."""


def intervals(
    rows: Floats,
    families: Sequence[str],
    statistics: Mapping[str, Statistic],
    *,
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = SEED,
) -> dict[str, Interval]:
    """Statistics of the column sums of `rows`, with percentile intervals.

    Draws that have no value are left out; where they are more than half, or the families are few, there are no bounds.
    """
    if not len(rows):
        return {name: Interval(math.nan, math.nan, math.nan) for name in statistics}
    totals = by_family(rows, families)
    whole = totals.sum(axis=0, keepdims=True)
    sums = redrawn(totals, draws, seed) if len(totals) >= FEWEST else whole * math.nan
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    found = {}
    for name, statistic in statistics.items():
        value, drawn = float(statistic(whole)[0]), statistic(sums)
        drawn = drawn[np.isfinite(drawn)]
        known = math.isfinite(value) and len(drawn) > draws / 2
        found[name] = Interval(value, *(np.quantile(drawn, ends).tolist() if known else (math.nan, math.nan)))
    return found


def by_family(rows: Floats, families: Sequence[str]) -> Floats:
    """The rows of each family, added."""
    numbers: dict[str, int] = {}
    number = [numbers.setdefault(family, len(numbers)) for family in families]
    totals = np.zeros((len(numbers), rows.shape[1]))
    np.add.at(totals, np.array(number, dtype=np.int64), rows)
    return totals


def redrawn(totals: Floats, draws: int, seed: int) -> Floats:
    """Sums over as many families, drawn with replacement: a row per draw."""
    kinds, times = np.unique(totals, axis=0, return_counts=True)
    random, size = np.random.default_rng(seed), len(totals)
    alike = _ALIKE * len(kinds) < size
    sums = np.empty((draws, totals.shape[1]))
    step = max(1, _BLOCK // (len(kinds) if alike else size))
    for start in range(0, draws, step):
        count = min(step, draws - start)
        if alike:
            drawn = random.multinomial(size, times / size, size=count)
        else:
            which = random.integers(0, size, size=(count, size)) + np.arange(count)[:, None] * size
            drawn = np.bincount(which.ravel(), minlength=count * size).reshape(count, size)
        sums[start : start + step] = drawn.astype(np.float64) @ (kinds if alike else totals)
    return sums


def ratio(above: Floats, below: Floats) -> Floats:
    """Division where what has nothing below it has no value."""
    result: Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return result
