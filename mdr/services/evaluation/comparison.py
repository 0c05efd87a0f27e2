"""Two systems compared: on one question, passage by passage; on all that were evaluated, with the questions behind.

A system is one of the engines that search here (`bm25`, `dense`, `hybrid`), or an engine of a named run (`dense:NAME`).
A question that was evaluated shows what the evaluation found, so that pictures and numbers agree; others are searched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mdr.core.duels import Move, Outcome, Tally, differences, moves, outcome, tallies, total
from mdr.core.summary import Asked, Values, comparison
from mdr.errors import InputError, MismatchError, MissingError
from mdr.services.evaluation.grade_sources import Grading
from mdr.services.evaluation.measuring import Evaluated, MeasuringService
from mdr.services.search.service import MOST, SearchService
from mdr.types import Passage, Query, Ranking

HERE = ("bm25", "dense", "hybrid")
"""The engines that search here."""


class System(NamedTuple):
    """Something that ranks: an engine as it searches here (`run` ""), or with the model of a named run."""

    engine: str
    run: str = ""

    @property
    def key(self) -> str:
        """As people and addresses write it."""
        return f"{self.engine}:{self.run}" if self.run else self.engine


@dataclass(frozen=True)
class Ranked:
    """What a system found for a question. `evaluated`: the evaluation it was read from; None: searched just now."""

    system: System
    ranking: Ranking
    evaluated: Evaluated | None


@dataclass(frozen=True)
class OneQuestion:
    """A question in two systems: what each found, and where every passage moved. Grades where there are some."""

    query: Query
    first: Ranked
    second: Ranked
    depth: int
    moves: Sequence[Move]
    grades: Mapping[str, int]
    passages: Mapping[str, Passage]

    @property
    def shared(self) -> int:
        """How many passages both have among the first."""
        return sum(move.change(self.depth) not in ("in", "out") for move in self.moves)


class Row(NamedTuple):
    """A question with what each system is worth on it."""

    query: Query
    first: float
    second: float

    @property
    def difference(self) -> float:
        """How much better the second is."""
        return self.second - self.first


@dataclass(frozen=True)
class ManyQuestions:
    """Two systems on the questions both were asked. Everything is said of the second against the first.

    `test`: mean difference, interval and p-value of each language and of their mean, as `core.summary.comparison`.
    """

    first: System
    second: System
    evaluated: tuple[Evaluated, Evaluated]
    measure: str
    means: tuple[float, float]
    tallies: Mapping[str, Tally]
    test: Mapping[str, Any]
    rows: Sequence[Row]
    asked: Mapping[str, Asked]

    @property
    def total(self) -> Tally:
        """Over all languages."""
        return total(self.tallies)

    def behind(self, lang: str = "", result: Outcome | None = None) -> list[Row]:
        """The questions of a language ("": of all) with a result (None: any), the largest differences first."""
        chosen = [
            row
            for row in self.rows
            if lang in ("", row.query.lang) and (result is None or outcome(row.difference) == result)
        ]
        return sorted(chosen, key=lambda row: (-abs(row.difference), row.query.id))


class ComparisonService:
    """Comparisons within one collection."""

    def __init__(
        self,
        measuring: MeasuringService,
        searcher: Callable[[str], SearchService],
        models: Callable[[], Iterable[str]],
    ) -> None:
        self.measuring, self._searcher, self._models = measuring, searcher, models

    def systems(self) -> list[System]:
        """The engines that search here, then those of other runs: with a model to search by, or evaluated."""
        others = {name: ["dense", "hybrid"] for name in self._models() if name}
        evaluated = self.measuring.evaluations()
        others |= {its.name: its.systems for its in evaluated if not (its.usual and its is evaluated[0])}
        return [*map(System, HERE), *(System(engine, name) for name in sorted(others) for engine in others[name])]

    def system(self, key: str) -> System:
        """The system with a key."""
        known = {system.key: system for system in self.systems()}
        if key not in known:
            raise MissingError(f"there is no system {key[:200]!r}", f"there are {', '.join(known)}")
        return known[key]

    # -- one question -------------------------------------------------------------------------------------

    def question(
        self, first: str, second: str, text: str, *, id: str = "", depth: int = 10, grading: Grading | None = None
    ) -> OneQuestion:
        """What two systems find for a text, or for a question of the collection by its id."""
        if not 1 <= depth <= MOST:
            raise InputError(f"{depth} passages were asked for", f"ask for 1 to {MOST}")
        query = self._query(text, id)
        found = [self._ranked(self.system(key), query) for key in (first, second)]
        moved = moves(found[0].ranking, found[1].ranking, depth)
        grades = self.measuring.sources.graded(grading or Grading()).qrels.get(query.id, {}) if query.id else {}
        collection = self.measuring.collection
        passages = {move.id: collection.passage(move.id) for move in moved}
        return OneQuestion(query, found[0], found[1], depth, moved, grades, passages)

    def _query(self, text: str, id: str) -> Query:
        if not id:
            return self._searcher("").recognise(text)[0]
        if id not in self.measuring.queries:
            raise MissingError(f"the collection has no question {id[:200]!r}", "type the question itself")
        return self.measuring.queries[id]

    def _ranked(self, system: System, query: Query) -> Ranked:
        evaluated = self._evaluated(system)
        if evaluated and query.id in evaluated.evaluation.asked:
            return Ranked(system, self.measuring.run(evaluated, system.engine).get(query.id, ()), evaluated)
        if system.run not in ("", *self._models()):
            raise MissingError(
                f"{system.key} was never asked this question, and its index is not here to ask",
                "choose a question of its evaluation, or another system",
            )
        found = self._searcher(system.run).runs([query], MOST)[system.engine]
        return Ranked(system, list(found[query.id]), None)

    def _evaluated(self, system: System) -> Evaluated | None:
        """Where a system was evaluated."""
        return next(
            (
                its
                for its in self.measuring.evaluations()
                if system.engine in its.systems and (its.name == system.run if system.run else its.usual)
            ),
            None,
        )

    # -- all questions ------------------------------------------------------------------------------------

    def questions(self, first: str, second: str, measure: str, grading: Grading | None = None) -> ManyQuestions:
        """What the second adds to the first, on every question that both were asked."""
        systems = self.system(first), self.system(second)
        evaluated = [self._measurable(system) for system in systems]
        measured = [self.measuring.measured(its, measure, grading or Grading()) for its in evaluated]
        values = [its.values[system.engine] for its, system in zip(measured, systems, strict=True)]
        found = differences(values[1], values[0])
        if not found:
            raise MismatchError("the two systems share no question", "compare evaluations of the same questions")
        known = self.measuring.queries
        about = {**measured[1].asked, **measured[0].asked}
        return ManyQuestions(
            *systems,
            evaluated=(evaluated[0], evaluated[1]),
            measure=measured[0].measure,
            means=(_mean(values[0], found), _mean(values[1], found)),
            tallies=tallies(found, about),
            test=comparison(values[1], values[0], about),
            rows=[Row(known[id], values[0][id], values[1][id]) for id in found if id in known],
            asked=about,
        )

    def _measurable(self, system: System) -> Evaluated:
        found = self._evaluated(system)
        if found is None:
            raise MissingError(f"{system.key} has not been evaluated here", "`mdr evaluate NAME` does it, or the app")
        return found


def _mean(values: Values, queries: Mapping[str, float]) -> float:
    return sum(values[query] for query in queries) / len(queries)
