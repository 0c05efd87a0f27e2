"""Measures that are a sum over relevant passages, divided by what the ideal ranking has; and that ideal, estimated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from mdr.core.judged import Floats, Ints
from mdr.core.measures import Measure
from mdr.core.measures import measure as measure_of
from mdr.errors import InputError

Best = Callable[[Floats], Floats]
"""What so many relevant passages are worth in the best order; counts need not be whole."""

ONE_EXACT, TWO_EXACT = 0.84, 0.36
"""Weights of the terms that count one and two other passages exactly: Euler's, 1 − (1 − p)² and p², with p = .6, at
which the estimates erred least in simulations. With .5 or .7 they erred little more."""
MANY = 30
"""Relevant passages drawn for a query, above which two exact ones add nothing to one."""
_BLOCK = 400_000
"""Triples of passages at a time."""


class Linear(NamedTuple):
    """A measure: gain · discount, added over the passages, divided by the best sum; None: by nothing."""

    cutoff: int
    """0: the whole ranking."""
    level: int
    discount: Callable[[Ints], Floats]
    """By rank."""
    graded: bool
    best: Best | None

    def gain(self, grade: Ints) -> Floats:
        """What passages of these grades are worth at the first rank, 0 below the level."""
        gains = grade if self.graded else np.ones(len(grade))
        return np.where(grade >= self.level, gains, 0).astype(np.float64)


def _discounted(count: Floats, cutoff: int) -> Floats:
    """The sum of the first discounts, in between by straight lines."""
    last = cutoff or int(np.max(count, initial=0)) + 1
    sums = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, last + 2)))])
    value: Floats = np.interp(count, np.arange(last + 1), sums)
    return value


def _counted(count: Floats, cutoff: int) -> Floats:
    return count


class _Shape(NamedTuple):
    discount: Callable[[Ints, int], Floats]
    graded: bool
    best: Callable[[Floats, int], Floats] | None


_SHAPES: Mapping[str, _Shape] = {
    "nDCG": _Shape(lambda ranks, cutoff: 1 / np.log2(ranks + 1), True, _discounted),
    "Recall": _Shape(lambda ranks, cutoff: np.ones(len(ranks)), False, _counted),
    "P": _Shape(lambda ranks, cutoff: np.full(len(ranks), 1 / cutoff), False, None),
}


def is_linear(name: str) -> bool:
    """Whether the measure of a name can be estimated from a sample."""
    return _shape(measure_of(name)) is not None


def linear(name: str) -> Linear:
    """The measure of a name, as `core.measures` names them."""
    measure = measure_of(name)
    shape = _shape(measure)
    if shape is None:
        raise InputError(
            f"{measure.name} cannot be estimated from a sample", "nDCG, Recall, and P with a cutoff can, such as P@10"
        )
    cutoff, best = measure.cutoff, shape.best
    return Linear(
        cutoff,
        measure.level,
        lambda ranks: shape.discount(ranks, cutoff),
        shape.graded,
        (lambda count: best(count, cutoff)) if best else None,
    )


def _shape(measure: Measure) -> _Shape | None:
    name = measure.kind.name if measure.kind else ""
    return None if name == "P" and not measure.cutoff else _SHAPES.get(name)


# -- the ideal, from weights ---------------------------------------------------------------------------------------


class _Pool(NamedTuple):
    """Relevant passages that were drawn: weight, and place among the gains; and how to divide by an ideal."""

    weight: Floats
    unit: Floats
    """(passages, gains): a one where the passage's gain stands."""
    steps: Floats
    best: Best

    def over(self, counts: Floats) -> Floats:
        """1 / what passages of each gain, (…, gains), are worth in the best order."""
        at_least = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
        return 1 / (self.best(at_least) @ self.steps)

    def exactly(self, counts: Floats, one: Ints) -> Floats:
        """The same, where `one`, counted by weight so far, is counted exactly: as if it were drawn with certainty, in
        the mean over all draws."""
        weight = self.weight[one]
        without = counts - weight[:, None] * self.unit[one]
        return (1 - weight) * self.over(without) + weight * self.over(without + self.unit[one])

    def both_exactly(self, counts: Floats, one: Ints, two: Ints) -> Floats:
        """The same for two."""
        weight = self.weight[one]
        without = counts - weight[:, None] * self.unit[one]
        return (1 - weight) * self.exactly(without, two) + weight * self.exactly(without + self.unit[one], two)


def shares(query: Ints, gain: Floats, weight: Floats, best: Best) -> Floats:
    """For each relevant passage that was drawn, about 1 / the ideal of its query, counting itself exactly once.

    Queries stand together. With all weights 1 the share is exact, whatever the order of the terms.
    """
    gains = np.unique(gain)
    unit = (gain[:, None] == gains[None, :]).astype(np.float64)
    pool = _Pool(weight, unit, np.diff(gains, prepend=0.0), best)
    counts = np.zeros((int(query.max()) + 1, len(gains)))
    np.add.at(counts, query, weight[:, None] * unit)
    start, size = np.searchsorted(query, query), np.bincount(query)[query]
    found = np.empty(len(query))
    for ones in _blocks(size):
        around = counts[query[ones]] + (1 - weight[ones])[:, None] * unit[ones]
        found[ones] = _share(pool, np.arange(len(query))[ones], start[ones], size[ones], around)
    return found


def _share(pool: _Pool, ones: Ints, start: Ints, size: Ints, around: Floats) -> Floats:
    value = pool.over(around)
    at, other = _each(start, size)
    keep = other != ones[at]
    at, other = at[keep], other[keep]
    first = pool.exactly(around[at], other)
    total = value + ONE_EXACT * np.bincount(at, first - value[at], minlength=len(ones))

    pair, third = _each(start[at], np.where(size[at] > MANY, 0, size[at]))
    keep = (third > other[pair]) & (third != ones[at[pair]])
    pair, third = pair[keep], third[keep]
    item, two = at[pair], other[pair]
    counts = around[item]
    second = pool.both_exactly(counts, two, third) - first[pair] - pool.exactly(counts, third) + value[item]
    result: Floats = total + TWO_EXACT * np.bincount(item, second, minlength=len(ones))
    return result


def _each(start: Ints, size: Ints) -> tuple[Ints, Ints]:
    """For ranges that begin and are so long: the number of the range and each of its members."""
    number = np.repeat(np.arange(len(start)), size)
    within = np.arange(len(number)) - np.repeat(np.cumsum(size) - size, size)
    return number, start[number] + within


def _blocks(size: Ints) -> Iterator[slice]:
    """Passages so many at a time that their pairs with pairs of others are not too many; at least one."""
    ends = np.cumsum(size.astype(np.float64) ** 2)
    start = 0
    while start < len(size):
        before = ends[start - 1] if start else 0.0
        stop = max(start + 1, int(np.searchsorted(ends, before + _BLOCK, "right")))
        yield slice(start, stop)
        start = stop
