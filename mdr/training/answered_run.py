"""A training that judges every query for itself: of a generator or a reranker."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mdr.training.answered_source import AnsweredSources, Reader, drawn_as_lists
from mdr.training.held_out import AnswerRank, Likelihood
from mdr.training.pieces import PieceLearner
from mdr.training.plan import Plan
from mdr.training.run import Run
from mdr.training.settings import DrawSettings, Objective


class AnsweredRun(Run):
    """Learns from pairs and from lists that begin with the answer."""

    _learner: PieceLearner

    def read(self, reader: Reader, settings: DrawSettings, slots: Mapping[str, Path]) -> None:
        """Open what objectives draw from."""
        self._sources = AnsweredSources(reader, settings)
        self._sources.add(slots, self.objectives)
        self.found, self.counts, self.notes = self._sources.found, self._sources.counts, self._sources.notes

    @property
    def objectives(self) -> Sequence[Objective]:
        return [drawn_as_lists(each) for each in self._settings.objectives]

    @abstractmethod
    def taught(self, plan: Plan) -> PieceLearner:
        """What learns by a plan."""

    def learner(self, plan: Plan) -> PieceLearner:
        self._learner = self.taught(plan)
        return self._learner

    def measure(self) -> Callable[[], float] | None:
        """What ranks is measured by ranking, as its likelihoods may fall; what only writes, by likelihood."""
        sources = self._sources
        if sources.held_lists:
            return AnswerRank(self._learner, sources.held_lists)
        return Likelihood(self._learner, sources.held_pairs) if sources.held_pairs else None
