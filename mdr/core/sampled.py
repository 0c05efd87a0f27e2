"""What a run is worth by judgements of a sample: passages drawn from a pool with known probabilities.

Each judged passage stands for 1 / probability passages of the pool. For sums over passages that is unbiased. Two
things are done about what is left (`benchmarks/sampled_judgements.py` holds both against full judgements):

- nDCG and recall divide by what the ideal ranking has, which the same few judgements must tell. Weighing it too makes
  both err together: scores came out by a tenth to a half too low. Here each relevant passage is divided by an ideal in
  which itself counts exactly once, the others by weight; then others are counted exactly too, one at a time and two at
  a time, with the signs that make it unbiased. The sums of none, one and two err in turn to either side, so they are
  averaged, as Euler did with alternating series.
- The weights of those drawn rarely add up to the pool they stand for. The mean is divided by what they add up to at
  the run's places, and multiplied by what is known to be there (the ratio, or Hájek, estimate). Not so in differences
  of two runs: there passages that both rank alike cancel out exactly as long as nothing is divided.

A query without anything relevant counts as 0: from a sample nobody can know that it has nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from mdr.core.ideals import Linear, linear, shares
from mdr.core.judged import Floats
from mdr.core.resampling import DRAWS, Statistic, intervals, ratio
from mdr.core.significance import Interval, Intervals
from mdr.core.summary import Asked
from mdr.errors import InputError
from mdr.types import Run

_MACRO = "macro"


class Drawn(NamedTuple):
    """The pool of a query: what could have been drawn; and what was drawn and graded, with grade and probability."""

    pool: Collection[str]
    graded: Mapping[str, tuple[int, float]]


Sample: TypeAlias = Mapping[str, Drawn]


class Estimated(NamedTuple):
    """For each query the estimated score, the estimated weight of the run's places, and their known weight.

    `outside`: the share of all places, by weight, that passages hold which could not have been drawn. Of these nothing
    is known; they count as not relevant.
    """

    queries: tuple[str, ...]
    rows: Floats
    outside: float


def estimated(sample: Sample, run: Run, measure: str) -> Estimated:
    """A run by nDCG, P or Recall, with or without a cutoff, on every query of the sample."""
    its = linear(measure)
    queries = tuple(sorted(sample))
    rankings = [[hit.id for hit in run.get(query, ())[: its.cutoff or None]] for query in queries]
    discounts = its.discount(np.arange(1, max(map(len, rankings), default=0) + 1)).tolist()
    rows, outside = np.zeros((len(queries), 3)), 0.0
    found: list[tuple[int, float, float, int]] = []
    for number, (query, ids) in enumerate(zip(queries, rankings, strict=True)):
        pool, graded = sample[query]
        places = dict(zip(ids, discounts, strict=False))
        for passage, (grade, inclusion) in graded.items():
            if not 0 < inclusion <= 1:
                raise InputError(f"the probability of {passage!r} is {inclusion}", "they are above 0, at most 1")
            place = places.get(passage, 0.0)
            rows[number, 1] += place / inclusion
            if grade >= its.level:
                found.append((number, place, 1 / inclusion, grade))
        rows[number, 2] = sum(place for passage, place in places.items() if passage in pool)
        outside += sum(places.values()) - rows[number, 2]
    rows[:, 0] = _scores(found, len(queries), its)
    whole = float(rows[:, 2].sum()) + outside
    return Estimated(queries, rows, outside / whole if whole else 0.0)


def _scores(found: list[tuple[int, float, float, int]], size: int, its: Linear) -> Floats:
    """Per query, the sum over relevant passages of gain · place · weight / ideal."""
    if not found:
        return np.zeros(size)
    query, place, weight, grade = (np.array(column) for column in zip(*found, strict=True))
    gain = its.gain(grade)
    score = gain * place * weight
    if its.best:
        score *= shares(query, gain, weight, its.best)
    return np.bincount(query, score, minlength=size).astype(np.float64)


# -- means ---------------------------------------------------------------------------------------------------------


def means(one: Estimated, asked: Mapping[str, Asked], *, draws: int = DRAWS) -> Intervals:
    """The mean of each query language, and their mean, with intervals from families of queries drawn again."""
    return _averaged([one], asked, draws)


def differences(first: Estimated, second: Estimated, asked: Mapping[str, Asked], *, draws: int = DRAWS) -> Intervals:
    """How much more the first run is worth than the second by the same sample."""
    return _averaged([first, second], asked, draws)


def _averaged(runs: list[Estimated], asked: Mapping[str, Asked], draws: int) -> Intervals:
    queries = runs[0].queries
    table = np.concatenate([np.ones((len(queries), 1)), *(run.rows for run in runs)], axis=1)
    langs = sorted({asked[query].lang for query in queries})
    number = np.array([langs.index(asked[query].lang) for query in queries], dtype=np.int64)
    families = [asked[query].family for query in queries]
    groups = {}
    for place, lang in enumerate(langs):
        its = np.flatnonzero(number == place)
        groups[lang] = _interval(table[its], [families[at] for at in its], 1, draws)
    if len(groups) == 1:
        return Intervals(groups, *groups.values())
    wide = np.zeros((len(queries), len(langs), table.shape[1]))
    wide[np.arange(len(queries)), number] = table
    return Intervals(groups, _interval(wide.reshape(len(queries), -1), families, len(langs), draws))


def _interval(rows: Floats, families: list[str], langs: int, draws: int) -> Interval:
    statistic: Statistic = partial(_mean, langs=langs)
    return intervals(rows, families, {_MACRO: statistic}, draws=draws)[_MACRO]


def _mean(sums: Floats, langs: int) -> Floats:
    """The mean over languages, from sums (draws, langs · (count, then score, estimated and known weight of each run)).
    Of one run the ratio estimate; of two the plain difference, in which passages that both rank alike cancel out,
    however much each of them stands for. A language without any weight plays no part."""
    parts = sums.reshape(len(sums), langs, -1)
    count, score, weight, known = (parts[..., at] for at in range(4))
    if parts.shape[2] == 4:
        value = ratio(score * known, weight * count)
    else:
        value = ratio(score - parts[..., 4], count)
        value[weight + parts[..., 5] == 0] = np.nan
    told = np.isfinite(value)
    return ratio(np.where(told, value, 0).sum(axis=1), told.sum(axis=1).astype(np.float64))
