"""How sure a mean or a difference is: bootstrap intervals, paired permutation tests, Holm's correction.

Values come in groups, one per language; the macro mean is the mean of the groups' means. Values of one family are not
independent (the same question in many languages): families, not values, are drawn again and have their signs turned.
Everything is seeded: the same values give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np

from mdr.core.judged import Floats

REPEATS = 10_000
SEED = 20_221_110
_BLOCK = 500_000
"""Numbers drawn at a time: what fits a cache is several times faster than all at once."""


class Group(NamedTuple):
    """Values, and the family that each belongs to; families may reach across groups."""

    values: Floats
    families: Sequence[str]


class Interval(NamedTuple):
    """A mean and the bounds that hold it with the chosen confidence; NaN where nothing was measured."""

    mean: float
    low: float
    high: float


class Intervals(NamedTuple):
    """Of each group that is not empty, and of their macro mean."""

    groups: dict[str, Interval]
    macro: Interval


def bootstrap(
    groups: Mapping[str, Group], *, confidence: float = 0.95, repeats: int = REPEATS, seed: int = SEED
) -> Intervals:
    """Percentile intervals. The draws depend on a group's name, not on which other groups there are."""

    def interval(name: str, those: Sequence[Group]) -> Interval:
        mean = sum(float(group.values.mean()) for group in those) / len(those)
        # What each family adds to the error of the mean; where each is one value, this is the plain bootstrap.
        errors = _by_family([group._replace(values=group.values - group.values.mean()) for group in those])
        random = np.random.default_rng([seed, crc32(name.encode())])
        means = mean + len(errors) * _resampled(errors, repeats, random)
        return Interval(mean, *np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist())

    filled = {name: group for name, group in groups.items() if len(group.values)}
    found = {name: interval(name, [group]) for name, group in filled.items()}
    if len(found) == 1:
        return Intervals(found, *found.values())
    return Intervals(found, interval("macro mean", list(filled.values())) if filled else Interval(*[math.nan] * 3))


def _by_family(groups: Sequence[Group]) -> Floats:
    """What each family adds to the macro mean."""
    shares = [group.values / (len(group.values) * len(groups)) for group in groups]
    _, number = np.unique([family for group in groups for family in group.families], return_inverse=True)
    totals: Floats = np.bincount(number, np.concatenate(shares)).astype(np.float64)
    return totals


def _resampled(values: Floats, repeats: int, random: np.random.Generator) -> Floats:
    """Means of as many values, drawn again and again."""
    size = len(values)
    kind = np.uint16 if size <= 1 << 16 else np.uint32
    means = np.empty(repeats)
    for rows in _blocks(repeats, size):
        drawn = random.integers(0, size, size=(rows.stop - rows.start, size), dtype=kind)
        means[rows] = values.take(drawn).sum(axis=1) / size
    return means


def wilson(share: float, size: int, *, z: float = 1.96) -> Interval:
    """A share with Wilson's bounds, as sure as `size` independent observations make it; honest at 0 and 1 too.

    >>> [round(value, 2) for value in wilson(1.0, 10)]
    [1.0, 0.72, 1.0]
    """
    if not size:
        return Interval(*[math.nan] * 3)
    middle = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z * math.sqrt(share * (1 - share) / size + z * z / (4 * size * size)) / (1 + z * z / size)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def permutation_test(groups: Iterable[Group], *, repeats: int = REPEATS, seed: int = SEED) -> float:
    """Two-sided p-value of paired differences: how often random signs give a macro mean at least as far from 0.

    With few enough differences that are not 0, every choice of signs is tried and the p-value is exact.
    """
    filled = [group for group in groups if len(group.values)]
    differences = _by_family(filled) if filled else np.empty(0)
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    # What is equal on paper may differ in the last digits, depending on the order of adding.
    bound = abs(differences.sum()) - 1e-9 * np.abs(differences).sum()
    if 2 ** min(len(differences), 64) <= repeats:
        sums = np.zeros(1)
        for difference in differences:
            sums = np.concatenate([sums + difference, sums - difference])
        return float(np.mean(np.abs(sums) >= bound))
    random = np.random.default_rng(seed)
    words = -(-len(differences) // 64)
    reached = 0
    for rows in _blocks(repeats, len(differences)):
        drawn = random.integers(0, 1 << 64, size=(rows.stop - rows.start, words), dtype=np.uint64)
        kept = np.unpackbits(drawn.view(np.uint8), axis=1, count=len(differences))
        reached += int(np.sum(np.abs(2 * (kept @ differences) - differences.sum()) >= bound))
    return (reached + 1) / (repeats + 1)  # the observed signs are one of the choices


def _blocks(repeats: int, size: int) -> Iterator[slice]:
    step = max(1, _BLOCK // size)
    for start in range(0, repeats, step):
        yield slice(start, min(start + step, repeats))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted for testing several at once (Holm's step-down), under the same names.

    >>> holm({"fi": 0.01, "th": 0.04, "sw": 0.03})
    {'fi': 0.03, 'th': 0.06, 'sw': 0.06}
    """
    adjusted, reached = {}, 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        reached = max(reached, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = reached
    return {name: adjusted[name] for name in p_values}
