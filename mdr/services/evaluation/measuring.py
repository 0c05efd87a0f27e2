"""Evaluations of a collection measured again: by any measure, with grades from anywhere; and the queries behind.

An evaluation keeps its runs. With other grades the same runs are measured anew, in moments; nothing is searched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mdr.core.answers import words_of
from mdr.core.measures import evaluate_run
from mdr.core.recent import Recent
from mdr.core.summary import Asked, Values, averages, comparison
from mdr.errors import InputError, MissingError
from mdr.formats.trec import read_run
from mdr.recipes.baselines import COLLECTION, DENSE, EVALUATION
from mdr.services.evaluation.grade_sources import GradeSources, Grading
from mdr.services.evaluation.tables import Table, known_measure, load, table_of
from mdr.stages.questions import language_of
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.evaluation import Evaluation
from mdr.types import Qrels, Query, Run

USUAL = ("nDCG@10", "MRR@10", "Recall@100", "MAP", "P@10")
"""Measures that make sense for any grades; an evaluation adds its own."""

_RUNS, _VALUES = 12, 64


@dataclass(frozen=True)
class Evaluated:
    """An evaluation by the name of its run. `usual`: of the very indexes that are searched here."""

    name: str
    artefact: Artefact
    evaluation: Evaluation
    usual: bool

    @property
    def pool(self) -> str:
        """Which passages a query searched: "own" language, or "all"."""
        return str(self.artefact.manifest.settings["pool"])

    @property
    def systems(self) -> list[str]:
        """The baseline first."""
        return self.evaluation.systems

    @property
    def depth(self) -> int:
        """Hits per query."""
        return int(self.artefact.manifest.settings["k"])

    def measures(self, grading: Grading) -> list[str]:
        """What can be measured; answers in texts only as it was done."""
        own = [name for name in self.evaluation.measures if grading.source == "collection" or not words_of(name)]
        return list(dict.fromkeys([*own, *USUAL]))


@dataclass(frozen=True)
class Measured:
    """One measure of every system of an evaluation: value by query; by reason, the graded queries that have none."""

    measure: str
    values: Mapping[str, Values]
    asked: Mapping[str, Asked]
    left_out: Mapping[str, Sequence[str]]

    @cached_property
    def table(self) -> Table:
        """Averages per language with intervals, marked where a system differs from the first."""
        baseline = next(iter(self.values))
        return table_of(
            self.measure,
            {system: averages(its, self.asked) for system, its in self.values.items()},
            {
                system: comparison(its, self.values[baseline], self.asked)
                for system, its in self.values.items()
                if system != baseline
            },
        )


class Behind(NamedTuple):
    """A query behind a number."""

    query: Query
    value: float


class MeasuringService:
    """The evaluations of one collection."""

    def __init__(self, store: ArtefactStore, name: str, sources: GradeSources) -> None:
        steps = store.run(name)
        self._made, self._dense = store.get(steps[COLLECTION]), steps.get(DENSE, "")
        self._store, self.sources = store, sources
        self.collection = sources.collection
        self._runs, self._measured = Recent(_RUNS), Recent(_VALUES)
        self._opened: dict[str, Evaluation] = {}

    # -- what there is ------------------------------------------------------------------------------------

    def evaluations(self) -> list[Evaluated]:
        """Every named evaluation of the collection as it is: of what is searched here first, over passages of all
        languages before those of one, newer before older."""
        found = {its.artefact.key: its for its in self._named()}
        by_age = sorted(found.values(), key=lambda its: its.artefact.manifest.made, reverse=True)
        return sorted(by_age, key=lambda its: (not its.usual, its.pool != "all"))

    def evaluated(self, name: str = "") -> Evaluated:
        """The evaluation with a name; "": the first."""
        found = self.evaluations()
        if not found:
            raise MissingError("nothing has been evaluated here yet", "`mdr evaluate NAME` does it, or the app's page")
        if not name:
            return found[0]
        known = [its for its in found if its.name == name]
        if not known:
            have = ", ".join(its.name for its in found)
            raise MissingError(f"there is no evaluation {name!r} of this collection", f"there are {have}")
        return known[0]

    def _named(self) -> Iterator[Evaluated]:
        for name in self._store.names():
            kind, _, recipe = self._store.run(name).get(EVALUATION, "").partition("/")
            made = self._store.find(kind, recipe) if recipe else None
            if made and made.manifest.inputs[COLLECTION]["content"] == self._made.manifest.content:
                opened = self._opened.setdefault(made.key, load(made))
                yield Evaluated(name, made, opened, usual=_key_of(made, DENSE) in ("", self._dense))

    def run(self, evaluated: Evaluated, system: str) -> Run:
        """The rankings of a system."""
        file = evaluated.evaluation.run_file(system)
        return self._runs.get((evaluated.artefact.key, system), lambda: read_run(file))

    # -- measuring ----------------------------------------------------------------------------------------

    def measured(self, evaluated: Evaluated, measure: str, grading: Grading) -> Measured:
        """Every system by one measure."""
        evaluation = evaluated.evaluation
        measure = known_measure(evaluation, measure)
        grades = self.sources.graded(grading)
        key = (evaluated.artefact.key, measure, grades.fingerprint)
        if grading.source == "collection" and measure in evaluation.measures:
            return self._measured.get(key, lambda: _as_evaluated(evaluation, measure))
        if words_of(measure):
            raise InputError(f"{measure} looks for answers in texts, not at grades", "choose another measure")
        return self._measured.get(key, lambda: self._anew(evaluated, measure, grades.qrels))

    def _anew(self, evaluated: Evaluated, measure: str, grades: Qrels) -> Measured:
        asked = evaluated.evaluation.asked
        qrels = self.in_pool(evaluated, grades)
        scores = {system: evaluate_run(qrels, self.run(evaluated, system), [measure]) for system in evaluated.systems}
        first = scores[evaluated.systems[0]]
        if not first.queries:
            raise MissingError(
                "none of the questions that were evaluated has a relevant passage by these grades",
                "grade some of its questions, or choose other grades",
            )
        return Measured(
            measure,
            {
                system: dict(zip(its.queries, its.values[measure].tolist(), strict=True))
                for system, its in scores.items()
            },
            asked,
            {
                "graded, but never asked in this evaluation": sorted(grades.keys() - asked.keys()),
                "without a relevant passage": sorted(first.unanswerable),
            },
        )

    def in_pool(self, evaluated: Evaluated, grades: Qrels) -> Qrels:
        """The grades of queries that were asked, for passages that they could find. Passages that the collection lacks
        stay: not finding those should show."""
        asked = evaluated.evaluation.asked
        qrels = {query: grades[query] for query in sorted(grades.keys() & asked.keys())}
        if evaluated.pool == "all":
            return qrels
        return {
            query: {id: grade for id, grade in its.items() if language_of(self.collection, id) in ("", asked[query][0])}
            for query, its in qrels.items()
        }

    # -- the queries behind a number ----------------------------------------------------------------------

    @cached_property
    def queries(self) -> Mapping[str, Query]:
        """Every query of the collection by id."""
        return {query.id: query for query in self.collection.queries()}

    def behind(self, measured: Measured, system: str, lang: str = "") -> list[Behind]:
        """The queries of a language ("": of all) that a system's mean is made of, worst first."""
        values = measured.values.get(system)
        if values is None:
            raise MissingError(f"there is no system {system!r}", f"there are {', '.join(measured.values)}")
        chosen = [
            Behind(self.queries[id], value)
            for id, value in values.items()
            if id in self.queries and lang in ("", measured.asked[id].lang)
        ]
        return sorted(chosen, key=lambda row: (row.value, row.query.id))


def _key_of(made: Artefact, slot: str) -> str:
    """The artefact that filled a slot; "": none did."""
    reference = made.manifest.inputs.get(slot)
    return f"{reference['kind']}/{reference['recipe']}" if reference else ""


def _as_evaluated(evaluation: Evaluation, measure: str) -> Measured:
    values = {system: evaluation.values(system, measure) for system in evaluation.systems}
    return Measured(measure, values, evaluation.asked, {})
