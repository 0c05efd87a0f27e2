"""How good rankings are: measures by name, and their values for each query of a run.

A ranking is read by place, never by score, so no tie can be broken another way here. Common measures are own code
on arrays of judged hits (`benchmarks/measures.py` shows why); any other that ir-measures knows is left to it.
To add a measure, add a row to `MEASURES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mdr.core.judged import Floats, Ints, Judged, judged_hits
from mdr.errors import InputError
from mdr.types import Qrels, Run

# -- what a measure computes: hits down to the cutoff, the cutoff (0: none), the lowest relevant grade → per query ---


def _ndcg(judged: Judged, cutoff: int, level: int) -> Floats:
    """The gain of a hit is its grade, discounted by log2(rank + 1); divided by that of the best order."""
    gained = judged.total(np.maximum(judged.grade, 0) / np.log2(judged.rank + 1.0))
    order = np.lexsort((-judged.known_grade, judged.known_query))
    query, grade = judged.known_query[order], judged.known_grade[order]
    rank = np.arange(1, len(query) + 1) - np.searchsorted(query, query)
    gains = np.maximum(grade, 0) / np.log2(rank + 1.0)
    # `query` equals `known_query`, which is sorted, so the gains line up with it again
    return _ratio(gained, judged.known(gains * (rank <= cutoff) if cutoff else gains))


def _reciprocal_rank(judged: Judged, cutoff: int, level: int) -> Floats:
    relevant = judged.grade >= level
    return judged.total((relevant & (judged.above(relevant) == 0)) / judged.rank)


def _recall(judged: Judged, cutoff: int, level: int) -> Floats:
    return _ratio(judged.total(judged.grade >= level), judged.known(judged.known_grade >= level))


def _precision(judged: Judged, cutoff: int, level: int) -> Floats:
    found = judged.total(judged.grade >= level)
    return found / cutoff if cutoff else _ratio(found, judged.lengths)


def _average_precision(judged: Judged, cutoff: int, level: int) -> Floats:
    relevant = judged.grade >= level
    precision = relevant * (judged.above(relevant) + 1) / judged.rank
    return _ratio(judged.total(precision), judged.known(judged.known_grade >= level))


def _bpref(judged: Judged, cutoff: int, level: int) -> Floats:
    """How seldom judged others stand above relevant passages; what nobody judged plays no part."""
    others = judged.known((judged.known_grade >= 0) & (judged.known_grade < level))
    relevant = judged.known(judged.known_grade >= level)
    above = judged.above((judged.grade >= 0) & (judged.grade < level))
    share = _ratio(np.minimum(above, relevant[judged.query]), np.minimum(relevant, others)[judged.query])
    return _ratio(judged.total((judged.grade >= level) * (1 - share)), relevant)


def _inferred_ap(judged: Judged, cutoff: int, level: int) -> Floats:
    """AP where what is pooled but not judged is taken to be relevant as often as what is judged above that rank."""
    relevant = judged.grade >= level
    right, wrong = judged.above(relevant), judged.above((judged.grade >= 0) & ~relevant)
    pooled = right + wrong + judged.above(judged.grade < 0)
    smooth = 1e-5  # as trec_eval: with nothing judged above, half is taken to be relevant
    precision = (1 + pooled * (right + smooth) / (right + wrong + 2 * smooth)) / judged.rank
    return _ratio(judged.total(relevant * precision), judged.known(judged.known_grade >= level))


def _judged_share(judged: Judged, cutoff: int, level: int) -> Floats:
    """How much of the top somebody judged; where that is low, doubt the other measures."""
    return _ratio(judged.total(np.ones(len(judged.query))), judged.lengths)


def _ratio(above: Floats | Ints, below: Floats | Ints) -> Floats:
    """Division where nothing by nothing is 0."""
    result: Floats = np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
    return result


# -- their names ---------------------------------------------------------------------------------------------------


class Kind(NamedTuple):
    """A family of measures."""

    name: str
    alias: str
    values: Callable[[Judged, int, int], Floats]


MEASURES = (
    Kind("nDCG", "", _ndcg),
    Kind("MRR", "RR", _reciprocal_rank),
    Kind("Recall", "R", _recall),
    Kind("P", "Precision", _precision),
    Kind("MAP", "AP", _average_precision),
    Kind("bpref", "", _bpref),
    Kind("infAP", "", _inferred_ap),
    Kind("judged", "", _judged_share),
)
_KINDS = {name.lower(): kind for kind in MEASURES for name in (kind.name, kind.alias) if name}
_NAME = re.compile(r"([A-Za-z]+)(?:\(rel=([1-9]\d{0,8})\))?(?:@([1-9]\d{0,8}))?", re.ASCII)


class Measure(NamedTuple):
    """A measure ready to compute; `name` is the same however it was written. Without `kind`: ir-measures has it."""

    name: str
    kind: Kind | None
    cutoff: int = 0
    level: int = 1


def measure(name: str) -> Measure:
    """The measure of a name: `MRR@100` or `RR@100`, `MAP` or `AP`, `P(rel=2)@5` with grades from 2 as relevant.

    >>> measure("RR@100").name, measure("recall(rel=2)@20").name
    ('MRR@100', 'Recall(rel=2)@20')
    """
    match = _NAME.fullmatch(name.strip())
    kind = _KINDS.get(match[1].lower()) if match else None
    if not match or not kind:
        return Measure(str(_foreign(name)), None)
    level, cutoff = int(match[2] or 1), int(match[3] or 0)
    shown = kind.name + (f"(rel={level})" if level > 1 else "") + (f"@{cutoff}" if cutoff else "")
    return Measure(shown, kind, cutoff, level)


def _foreign(name: str) -> object:
    import ir_measures

    try:
        if len(name) > 100:  # the parser below is Python's own, and recursive
            raise ValueError("too long")
        found = ir_measures.parse_measure(name.strip())
        found.validate_params()
        if not all(0 < found.params.get(key, 1) < 10**9 for key in ("cutoff", "rel")):
            raise ValueError("out of range")
        return found
    except (ValueError, NameError, AssertionError, TypeError, AttributeError) as error:
        known = ", ".join(kind.name for kind in MEASURES)
        raise InputError(
            f"there is no measure {name[:100]!r}",
            f"measures are {known}, with @k for a cutoff (nDCG@10), and those of ir-measures",
        ) from error


# -- runs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scores:
    """Values of measures per query, and the queries that have none or a 0 for a reason other than a bad ranking."""

    queries: tuple[str, ...]
    values: Mapping[str, Floats]
    missing: tuple[str, ...]
    """Judged, but the run has no hits: they count as 0."""
    unanswerable: tuple[str, ...]
    """Judged without anything relevant: left out."""
    unjudged: tuple[str, ...]
    """In the run without judgements: left out."""

    def mean(self, measure: str) -> float:
        """Over all queries; NaN where there are none."""
        values = self.values[measure]
        return float(values.mean()) if len(values) else float("nan")


def evaluate_run(qrels: Qrels, run: Run, measures: Iterable[str]) -> Scores:
    """Every measure for every query that has something relevant to find."""
    wanted = {each.name: each for each in map(measure, measures)}
    queries = tuple(query for query in sorted(qrels) if max(qrels[query].values(), default=0) > 0)
    judged = judged_hits(queries, qrels, run)
    return Scores(
        queries,
        {name: _values(each, judged, queries, qrels, run) for name, each in wanted.items()},
        missing=tuple(query for query in queries if not run.get(query)),
        unanswerable=tuple(sorted(set(qrels) - set(queries))),
        unjudged=tuple(sorted(set(run) - set(qrels))),
    )


def _values(measure: Measure, judged: Judged, queries: Sequence[str], qrels: Qrels, run: Run) -> Floats:
    if measure.kind:
        return measure.kind.values(judged.at(measure.cutoff), measure.cutoff, measure.level)
    return _foreign_values(measure.name, queries, qrels, run)


def _foreign_values(name: str, queries: Sequence[str], qrels: Qrels, run: Run) -> Floats:
    import ir_measures

    # Scores by place: ir-measures would break ties of the engine's scores its own way.
    by_place = {
        query: {hit.id: -float(place) for place, hit in enumerate(run[query])} for query in queries if run.get(query)
    }
    try:
        found = ir_measures.iter_calc([_foreign(name)], {query: dict(qrels[query]) for query in queries}, by_place)
        values = {each.query_id: each.value for each in found}
    except Exception as error:  # its providers fail in their own ways: programs not installed, values not served
        raise InputError(f"ir-measures cannot compute {name}: {error}", "choose another measure") from error
    return np.array([values.get(query, 0.0) for query in queries], dtype=np.float64)
