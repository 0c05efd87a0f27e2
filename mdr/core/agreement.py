"""How far judges agree: weighted kappa for two, Krippendorff's alpha for many with gaps, and their intervals.

Both say how much of the disagreement that chance would make is avoided: 1 is perfect, 0 is chance, below 0 is worse.
They do not exist (NaN) where everybody gives everything one grade: then there is no chance to agree better than.
Intervals draw families of questions again, since grades of one question depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdr.core.judged import Floats, Ints
from mdr.core.resampling import DRAWS, intervals, ratio
from mdr.core.significance import Interval, wilson

# -- two judges ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Accord:
    """What two judges, or one judge twice, said of the same things.

    `same`: the share of equal grades, `near`: of those at most one apart; `shift`: how much higher the second one
    grades. `linear` and `quadratic` are kappas: differences of two grades weigh twice, or four times, those of one.
    """

    things: int
    same: Interval
    near: float
    shift: Interval
    linear: Interval
    quadratic: Interval


def accord(first: Sequence[int], second: Sequence[int], families: Sequence[str], *, draws: int = DRAWS) -> Accord:
    """The grades of two judges for the same things, side by side, and the family that each thing belongs to."""
    one, two = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    levels = np.unique(np.concatenate([one, two])).astype(np.float64)
    rows = _pairs(one, two, levels)
    apart = levels[None, :] - levels[:, None]
    statistics = {
        "shift": partial(_mean, weights=apart),
        "linear": partial(kappa, distance=np.abs(apart)),
        "quadratic": partial(kappa, distance=apart**2),
    }
    size = len(one)
    return Accord(
        things=size,
        same=wilson(float((one == two).mean()) if size else math.nan, size),
        near=float((np.abs(one - two) <= 1).mean()) if size else math.nan,
        **intervals(rows, families, statistics, draws=draws),
    )


def _pairs(first: Ints, second: Ints, levels: Floats) -> Floats:
    """For each thing a table with a one where the two grades meet, laid out flat."""
    size = len(levels)
    rows = np.zeros((len(first), size * size))
    rows[np.arange(len(first)), np.searchsorted(levels, first) * size + np.searchsorted(levels, second)] = 1
    return rows


def kappa(tables: Floats, distance: Floats) -> Floats:
    """Cohen's weighted kappa of tables that count how often grades met, (…, size²), by how far grades are apart."""
    size = len(distance)
    counts = tables.reshape(-1, size, size)
    expected = counts.sum(axis=2)[:, :, None] * counts.sum(axis=1)[:, None, :]
    seen, chance = (counts * distance).sum(axis=(1, 2)), (expected * distance).sum(axis=(1, 2))
    found: Floats = 1 - ratio(seen * counts.sum(axis=(1, 2)), chance)
    return found


def _mean(tables: Floats, weights: Floats) -> Floats:
    return ratio(tables @ weights.ravel(), tables.sum(axis=-1))


# -- many judges ---------------------------------------------------------------------------------------------------

Distance = Callable[[Floats, Floats], Floats]
"""Squared distances of all grades, (…, size, size), from how often each is given, (…, size), and the grades."""


def _nominal(counts: Floats, levels: Floats) -> Floats:
    return np.broadcast_to(1 - np.eye(len(levels)), (*counts.shape, len(levels)))


def _interval(counts: Floats, levels: Floats) -> Floats:
    return np.broadcast_to((levels[:, None] - levels[None, :]) ** 2, (*counts.shape, len(levels)))


def _ordinal(counts: Floats, levels: Floats) -> Floats:
    """Grades are as far apart as there are given ones between them, those at both ends counting half."""
    middle = np.cumsum(counts, axis=-1) - counts / 2
    apart: Floats = (middle[..., :, None] - middle[..., None, :]) ** 2
    return apart


DISTANCES: Mapping[str, Distance] = {"ordinal": _ordinal, "interval": _interval, "nominal": _nominal}


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha over `things` that two or more judges graded, with `grades` grades in all.

    `ordinal` only asks which grade is higher; `interval` takes the grades as numbers, `nominal` as mere names.
    """

    things: int
    grades: int
    ordinal: Interval
    interval: Interval
    nominal: Interval


def alpha(things: Sequence[Sequence[int]], families: Sequence[str], *, draws: int = DRAWS) -> Alpha:
    """The grades of each thing, by whomever and however many, and the family that each thing belongs to."""
    shared = [(grades, family) for grades, family in zip(things, families, strict=True) if len(grades) > 1]
    levels = np.unique([grade for grades, _ in shared for grade in grades]).astype(np.float64)
    rows = _coincidences([grades for grades, _ in shared], levels)
    statistics = {name: partial(_alpha, distance=distance, levels=levels) for name, distance in DISTANCES.items()}
    return Alpha(
        things=len(shared),
        grades=sum(len(grades) for grades, _ in shared),
        **intervals(rows, [family for _, family in shared], statistics, draws=draws),
    )


def _coincidences(things: Sequence[Sequence[int]], levels: Floats) -> Floats:
    """For each thing, how often grades of two of its judges meet, each judge counting once; laid out flat."""
    size = len(levels)
    counts = np.zeros((len(things), size))
    for place, level in enumerate(levels):
        counts[:, place] = [grades.count(level) for grades in things]
    met = counts[:, :, None] * counts[:, None, :]
    met[:, np.arange(size), np.arange(size)] -= counts
    others = counts.sum(axis=1) - 1
    rows: Floats = (met / others[:, None, None]).reshape(len(things), size * size)
    return rows


def _alpha(tables: Floats, distance: Distance, levels: Floats) -> Floats:
    """1 − the distance of grades that met / that of grades put together at random."""
    met = tables.reshape(-1, len(levels), len(levels))
    counts = met.sum(axis=2)
    total, apart = counts.sum(axis=1), distance(counts, levels)
    chance = (counts[:, :, None] * counts[:, None, :] * apart).sum(axis=(1, 2))
    found: Floats = 1 - ratio((total - 1) * (met * apart).sum(axis=(1, 2)), chance)
    return found


# -- one judge over time -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drift:
    """One judge against the mean of the others, on `things` that others graded too, in the order of judging.

    `level`: how much higher this judge grades; `change`: how much higher at the end than at the beginning.
    """

    things: int
    level: Interval
    change: Interval

    @property
    def certain(self) -> bool:
        """Whether the change is more than chance explains."""
        return self.change.low > 0 or self.change.high < 0


def drift(own: Sequence[float], others: Sequence[float], families: Sequence[str], *, draws: int = DRAWS) -> Drift:
    """Own grades in the order they were given, and the mean of what others say of each of these things.

    `change` is the slope of the difference over the time from the first to the last of them.
    """
    above = np.asarray(own, dtype=np.float64) - np.asarray(others, dtype=np.float64)
    time = np.linspace(0, 1, len(above))
    rows = np.stack([np.ones(len(above)), time, above, time * time, time * above], axis=1)
    return Drift(len(above), **intervals(rows, families, {"level": _level, "change": _slope}, draws=draws))


def _level(sums: Floats) -> Floats:
    return ratio(sums[:, 2], sums[:, 0])


def _slope(sums: Floats) -> Floats:
    count, time, above, squared, both = sums.T
    spread = count * squared - time * time
    spread[spread < 1e-9 * count * count] = 0  # rounding, where all times are one
    return ratio(count * both - time * above, spread)
