"""Scores from judgements with holes: by every way of treating what nobody judged, and whether the winner depends on it.

Where the grades are those of one campaign, which drew what to judge by chance, there is an estimate besides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from mdr.core.campaign_sample import sample_of
from mdr.core.campaigns import Campaign
from mdr.core.holes import BEST, CONDENSED, FORGIVING, JUDGED, WORST, Verdict, holes, verdict
from mdr.core.ideals import is_linear
from mdr.core.judged import Floats
from mdr.core.measures import evaluate_run
from mdr.core.resampling import DRAWS
from mdr.core.sampled import Drawn, Estimated, Sample, differences, estimated, means
from mdr.core.significance import Intervals, bootstrap
from mdr.core.summary import MACRO, Asked, Values, by_language, plain
from mdr.errors import MissingError
from mdr.services.campaigns.service import CampaignService
from mdr.services.evaluation.grade_sources import Grading
from mdr.services.evaluation.measuring import Evaluated, MeasuringService
from mdr.services.evaluation.tables import Cell
from mdr.services.judging.service import GRADES
from mdr.types import Qrels

ESTIMATE = "estimate"
TREATMENTS: Mapping[str, str] = {
    WORST: "what nobody judged counts as not relevant",
    ESTIMATE: "judged passages stand for the others that could have been drawn",
    BEST: "what nobody judged is as relevant as can be",
    CONDENSED: "what nobody judged is taken out of the ranking",
    JUDGED: "the share of the first hits that somebody judged",
    "bpref": "how seldom judged wrong passages stand above right ones",
    "infAP": "average precision, unjudged ones relevant as often as judged ones above",
}
"""The rows of a table of holes, in order; `estimate` only where a campaign drew what to judge."""

Cells = Mapping[str, Cell]
"""By query language, and `macro`."""


class Duel(NamedTuple):
    """Two systems, and what each treatment says of the first against the second. `estimate`: the difference from the
    sample, with its interval."""

    first: str
    second: str
    verdict: Verdict
    estimate: Cells | None


@dataclass(frozen=True)
class HolesReport:
    """A measure of every system by each treatment, with the values of the queries behind (an estimate has none).

    `outside`: of each system's first hits, the share that stands for nothing in the estimate: it could not be drawn.
    """

    measure: str
    cells: Mapping[str, Mapping[str, Cells]]
    values: Mapping[str, Mapping[str, Values]]
    duels: Sequence[Duel]
    asked: Mapping[str, Asked]
    outside: Mapping[str, float]


class HolesService:
    """The evaluations of one collection, looked at for holes."""

    def __init__(self, measuring: MeasuringService, campaigns: Callable[[], CampaignService], collection: str) -> None:
        self._measuring, self._campaigns, self._collection = measuring, campaigns, collection

    def report(self, evaluated: Evaluated, measure: str, grading: Grading) -> HolesReport:
        """Every system of an evaluation by one measure and the grades of a choice."""
        qrels = self._measuring.in_pool(evaluated, self._measuring.sources.graded(grading).qrels)
        asked = evaluated.evaluation.asked
        top = _highest(grading, qrels)
        values: dict[str, Mapping[str, Values]] = {}
        for system in evaluated.systems:
            values[system] = self._treated(evaluated, system, measure, qrels, top)
        if not values[evaluated.systems[0]][WORST]:
            raise MissingError(
                "none of the questions that were evaluated has a relevant passage by these grades",
                "grade some of its questions, or choose other grades",
            )
        sampled = self._estimated(evaluated, measure, grading)
        cells = {system: {name: _cells(its, asked) for name, its in values[system].items()} for system in values}
        for system, one in sampled.items():
            cells[system][ESTIMATE] = _shown(means(one, asked), _counts(one.queries, asked))
        return HolesReport(
            measure=measure,
            cells={system: {name: its[name] for name in TREATMENTS if name in its} for system, its in cells.items()},
            values=values,
            duels=[_duel(one, two, cells, sampled, asked) for one, two in combinations(evaluated.systems, 2)],
            asked=asked,
            outside={system: its.outside for system, its in sampled.items()},
        )

    def _treated(self, evaluated: Evaluated, system: str, measure: str, qrels: Qrels, top: int) -> dict[str, Values]:
        run = self._measuring.run(evaluated, system)
        filled, forgiving = holes(qrels, run, measure, top=top), evaluate_run(qrels, run, FORGIVING)
        found = {name: _by_query(filled.queries, its) for name, its in filled.values.items()}
        return found | {name: _by_query(forgiving.queries, its) for name, its in forgiving.values.items()}

    def _estimated(self, evaluated: Evaluated, measure: str, grading: Grading) -> dict[str, Estimated]:
        """What the sample of a campaign says of each system; nothing where there is none, or not for this measure."""
        campaign = self._campaign(grading)
        if campaign is None or not is_linear(measure):
            return {}
        sample = self._reachable(evaluated, sample_of(campaign, self._measuring.sources.graded(grading).qrels))
        if not sample:
            return {}
        return {
            system: estimated(sample, self._measuring.run(evaluated, system), measure) for system in evaluated.systems
        }

    def _campaign(self, grading: Grading) -> Campaign | None:
        if grading.source != "judged" or not grading.campaign:
            return None
        try:
            return self._campaigns().get(grading.campaign, self._collection)
        except MissingError:  # judgements can come from elsewhere, without the campaign
            return None

    def _reachable(self, evaluated: Evaluated, sample: Sample) -> Sample:
        """The sample without questions and passages that the evaluation leaves out."""
        pools = {query: dict.fromkeys(its.pool, 0) for query, its in sample.items()}
        return {
            query: Drawn(pool, {id: its for id, its in sample[query].graded.items() if id in pool})
            for query, pool in self._measuring.in_pool(evaluated, pools).items()
            if pool
        }


def _highest(grading: Grading, qrels: Qrels) -> int:
    """The highest grade that an unjudged passage could get: people have the whole scale."""
    scale = GRADES if grading.source in ("judged", "both") else ()
    return max((*scale, *(grade for its in qrels.values() for grade in its.values())), default=0)


def _by_query(queries: Sequence[str], values: Floats) -> Values:
    return dict(zip(queries, values.tolist(), strict=True))


def _cells(values: Values, asked: Mapping[str, Asked]) -> Cells:
    groups = by_language(values, asked)
    counts = {lang: len(group.values) for lang, group in groups.items()}
    return _shown(bootstrap(groups, repeats=DRAWS), counts)


def _shown(found: Intervals, counts: Mapping[str, int]) -> Cells:
    intervals = {**found.groups, MACRO: found.macro}
    counted = {**counts, MACRO: sum(counts.values())}
    return {
        name: Cell(plain(its.mean), plain(its.low), plain(its.high), counted[name]) for name, its in intervals.items()
    }


def _counts(queries: Sequence[str], asked: Mapping[str, Asked]) -> Mapping[str, int]:
    return Counter(asked[query].lang for query in queries)


def _duel(
    one: str,
    two: str,
    cells: Mapping[str, Mapping[str, Cells]],
    sampled: Mapping[str, Estimated],
    asked: Mapping[str, Asked],
) -> Duel:
    def mean(system: str, treatment: str) -> float:
        value = cells[system][treatment][MACRO].mean
        return math.nan if value is None else value

    treatments = [name for name in cells[one] if name not in (JUDGED, ESTIMATE)]
    found = {name: mean(one, name) - mean(two, name) for name in treatments}
    estimate = None
    if sampled:
        gap = differences(sampled[one], sampled[two], asked)
        found[ESTIMATE] = gap.macro.mean
        estimate = _shown(gap, _counts(sampled[one].queries, asked))
    bounds = ((mean(system, WORST), mean(system, BEST)) for system in (one, two))
    return Duel(one, two, verdict(found, *bounds), estimate)
