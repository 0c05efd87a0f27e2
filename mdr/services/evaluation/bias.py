"""The language bias of an evaluated system: where the right answer in each language stands, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mdr.core.bias import Bias, language_bias, ranks_by_language
from mdr.core.significance import Group, Interval, bootstrap
from mdr.errors import MismatchError
from mdr.services.evaluation.grade_sources import Grading
from mdr.services.evaluation.measuring import Evaluated, MeasuringService
from mdr.stages.questions import language_of
from mdr.types import Query

REPEATS = 2_000
"""Draws for each cell: there are many cells, and two digits are shown."""


class Place(NamedTuple):
    """A question, and the rank of the best answer to it in one language; k + 1: not among the first k."""

    query: Query
    rank: int


@dataclass(frozen=True)
class BiasReport:
    """The bias, the mean reciprocal rank of each cell with its interval, and the questions behind each cell."""

    bias: Bias
    cells: Mapping[str, Mapping[str, Interval]]
    places: Mapping[tuple[str, str], list[Place]]


def bias_report(measuring: MeasuringService, evaluated: Evaluated, system: str, grading: Grading) -> BiasReport:
    """The bias of a system by some grades. Only a pool of several languages can show a preference for one."""
    if evaluated.pool != "all":
        raise MismatchError(
            f"{evaluated.name} searched each question's own language only, where there is no other to prefer",
            "measure over passages of every language: `mdr evaluate NAME --pool all`",
        )
    asked, k = evaluated.evaluation.asked, evaluated.depth

    def lang_of(id: str) -> str:
        return language_of(measuring.collection, id)

    grades = measuring.in_pool(evaluated, measuring.sources.graded(grading).qrels)
    qrels = {query: {id: grade for id, grade in its.items() if lang_of(id)} for query, its in grades.items()}
    run = measuring.run(evaluated, system)
    bias = language_bias(qrels, run, {query: its.lang for query, its in asked.items()}, lang_of, k)
    places: dict[tuple[str, str], list[Place]] = {}
    for query in sorted(qrels):
        ranking = list(run.get(query, ()))[:k]
        for other, rank in ranks_by_language(qrels[query], ranking, lang_of, k).items():
            if query in measuring.queries:
                places.setdefault((asked[query].lang, other), []).append(Place(measuring.queries[query], rank))
    cells: dict[str, dict[str, Interval]] = {}
    for (lang, other), its in sorted(places.items()):
        values = np.array([1 / place.rank if place.rank <= k else 0.0 for place in its])
        group = Group(values, [asked[place.query.id].family for place in its])
        cells.setdefault(lang, {})[other] = bootstrap({f"{lang} {other}": group}, repeats=REPEATS).macro
    return BiasReport(bias, cells, places)
