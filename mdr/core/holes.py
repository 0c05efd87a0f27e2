"""Holes: hits that nobody judged. What a run is worth whichever way they are filled, and whether the winner depends.

worst       what nobody judged is not relevant, as most tools count
condensed   what nobody judged is taken out of the ranking
best        the most that the score can be, whatever grades the run's own unjudged hits would get

`worst` is no lower bound of measures that divide by all that is relevant (nDCG, Recall, MAP): relevant passages that
no run found would make it lower still.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mdr.core.judged import Floats, Ints, Mask
from mdr.core.measures import Measure, evaluate_run
from mdr.core.measures import measure as measure_of
from mdr.errors import InputError
from mdr.types import Hit, Qrels, Ranking, Run

WORST, CONDENSED, BEST, JUDGED = "worst", "condensed", "best", "judged"
FORGIVING = ("bpref", "infAP")
"""Measures that are made for holes: each has one value only."""


class Holes(NamedTuple):
    """One measure of one run: its values by treatment, and the share of its hits that was judged, query by query.

    The queries are those of `evaluate_run`: with something relevant among what was judged.
    """

    queries: tuple[str, ...]
    values: Mapping[str, Floats]


def holes(qrels: Qrels, run: Run, name: str, *, top: int) -> Holes:
    """The treatments of a measure: nDCG, P, Recall, MRR or MAP. `top` is the highest grade there can be.

    Negative grades are taken for no judgement.
    """
    measure = measure_of(name)
    kind = measure.kind.name if measure.kind else ""
    if kind not in _BEST:
        raise InputError(f"{measure.name} cannot be filled", f"{', '.join(_BEST)} can, with a cutoff or without")
    known = {query: {id: grade for id, grade in its.items() if grade >= 0} for query, its in qrels.items()}
    share = f"judged@{measure.cutoff}" if measure.cutoff else "judged"
    plain = evaluate_run(known, run, [measure.name, share])
    condensed = evaluate_run(known, judged_only(known, run), [measure.name])
    best = [_BEST[kind](_List.of(run.get(query, ()), known[query], measure, top)) for query in plain.queries]
    return Holes(
        plain.queries,
        {
            WORST: plain.values[measure.name],
            CONDENSED: condensed.values[measure.name],
            BEST: np.maximum(np.array(best, dtype=np.float64), plain.values[measure.name]),
            JUDGED: plain.values[share],
        },
    )


def judged_only(qrels: Qrels, run: Run) -> dict[str, list[Hit]]:
    """The run without what nobody judged; queries that nobody judged stay as they are."""
    return {
        query: [hit for hit in ranking if hit.id in qrels[query]] if query in qrels else list(ranking)
        for query, ranking in run.items()
    }


# -- the most a score can be ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _List:
    """A ranking down to the cutoff, as grades, −1 where nobody judged; and every grade that is known."""

    grades: Ints
    known: Ints
    cutoff: int
    level: int
    top: int

    @staticmethod
    def of(ranking: Ranking, known: Mapping[str, int], measure: Measure, top: int) -> _List:
        hits = ranking[: measure.cutoff or None]
        grades = np.array([known.get(hit.id, -1) for hit in hits], dtype=np.int64)
        return _List(grades, np.array(list(known.values()), dtype=np.int64), measure.cutoff, measure.level, top)

    @property
    def filled(self) -> Mask:
        """Which hits are relevant if everything unjudged is."""
        return (self.grades >= self.level) | ((self.grades < 0) & (self.top >= self.level))

    @property
    def relevant(self) -> int:
        """How many known passages are relevant."""
        return int((self.known >= self.level).sum())


def _best_precision(its: _List) -> float:
    return float(its.filled.sum()) / (its.cutoff or max(len(its.grades), 1))


def _best_recall(its: _List) -> float:
    new = int((its.filled & (its.grades < 0)).sum())
    return float(its.filled.sum()) / max(its.relevant + new, 1)


def _best_reciprocal_rank(its: _List) -> float:
    return 1 / (int(its.filled.argmax()) + 1) if its.filled.any() else 0.0


def _best_average_precision(its: _List) -> float:
    """Of so many relevant ones, those at the first unjudged places are worth most; how many is tried out."""
    free = np.flatnonzero(its.filled & (its.grades < 0))
    ranks, best = np.arange(1, len(its.grades) + 1), 0.0
    relevant = its.grades >= its.level
    for more in range(len(free) + 1):
        if more:
            relevant[free[more - 1]] = True
        precision = (np.cumsum(relevant) / ranks)[relevant].sum()
        best = max(best, float(precision) / max(its.relevant + more, 1))
    return best


def _best_ndcg(its: _List) -> float:
    """The best grades, found exactly (Dinkelbach): for a ratio that is thought possible, choose the grades that gain
    most over it; that gives a higher ratio, until none does.

    Both the gain and the ideal are sums over grade levels, of passages that reach it. So each level is chosen alone:
    how many of the first unjudged hits reach it. Fewer judged ones reach higher levels, where the ideal grows faster,
    so the chosen are never more there than at the levels below.
    """
    size = len(its.grades) + len(its.known) + 1
    discounts = 1 / np.log2(np.arange(2, size + 2))
    ideal = np.concatenate([[0.0], np.cumsum(np.where(np.arange(size) < (its.cutoff or size), discounts, 0.0))])
    places = discounts[: len(its.grades)]
    free = np.concatenate([[0.0], np.cumsum(places[its.grades < 0])])
    levels = range(1, max(its.top, int(its.known.max(initial=0))) + 1)
    gains = {level: free + places[its.grades >= level].sum() for level in levels}
    ideals = {level: ideal[int((its.known >= level).sum()) + np.arange(len(free))] for level in levels}
    value = -1.0
    while True:
        chosen = {
            level: int(np.argmax(gains[level] - value * ideals[level])) if level <= its.top else 0 for level in levels
        }
        above, below = (sum(float(each[level][chosen[level]]) for level in levels) for each in (gains, ideals))
        if below <= 0 or above / below <= value + 1e-12:
            return max(value, 0.0)
        value = above / below


_BEST: Mapping[str, Callable[[_List], float]] = {
    "nDCG": _best_ndcg,
    "P": _best_precision,
    "Recall": _best_recall,
    "MRR": _best_reciprocal_rank,
    "MAP": _best_average_precision,
}


# -- who wins ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """How much more the first of two runs is worth than the second, by each treatment that could be made.

    `depends`: some say the first is better and some the second. `open`: the holes are wide enough that either could
    be, if those of one run were filled in the best way and those of the other in the worst.
    """

    differences: Mapping[str, float]
    depends: bool
    open: bool


def verdict(differences: Mapping[str, float], first: tuple[float, float], second: tuple[float, float]) -> Verdict:
    """From the differences by treatment, and the worst and best mean of each run."""
    known = {name: value for name, value in differences.items() if np.isfinite(value)}
    signs = {bool(value > 0) for value in known.values() if value}
    surely = first[0] > second[1] or second[0] > first[1]
    return Verdict(known, len(signs) > 1, not surely)
