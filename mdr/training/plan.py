"""What each step trains on, decided beforehand: a function of the seed and the step's number, so resuming is exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mdr.errors import InputError
from mdr.training.batches import Batch, Source
from mdr.training.settings import Mix, Objective


class Plan:
    """Objectives and the sources they draw from, step by step."""

    def __init__(
        self, objectives: Sequence[Objective], sources: Mapping[str, Source], *, steps: int, seed: int, mix: Mix = "sum"
    ) -> None:
        for objective in objectives:
            for name in objective.sources:
                if name not in sources:
                    have = ", ".join(sorted(sources)) or "none"
                    raise InputError(
                        f"{objective.loss} draws from {name!r}; the sources are {have}",
                        "give this input to the step, or name another source",
                    )
        self.objectives = objectives
        self.steps = steps
        self._sources = sources
        self._seed = seed
        weights = np.array([objective.weight for objective in objectives])
        if not objectives or weights.min() < 0 or weights.sum() <= 0:
            raise InputError("training needs an objective with a weight above zero", "list at least one objective")
        random = np.random.default_rng([seed, 0])
        drawn = random.choice(len(objectives), steps, p=weights / weights.sum())
        self._active = [np.full(steps, True) if mix == "sum" else drawn == row for row in range(len(objectives))]
        self._factors = weights if mix == "sum" else np.ones(len(objectives))
        self._chosen = [self._choices(objective, random) for objective in objectives]
        self._turns = self._count_turns()

    def _choices(self, objective: Objective, random: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        odds = np.array(list(objective.sources.values()), float)
        return random.choice(len(odds), self.steps, p=odds / odds.sum())

    def _count_turns(self) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """How often an objective drew from its source before, step by step: where in the source's pages it reads on."""
        turns = []
        for active, chosen in zip(self._active, self._chosen, strict=True):
            turn = np.zeros(self.steps, np.int64)
            for source in np.unique(chosen):
                here = active & (chosen == source)
                turn[here] = np.arange(int(here.sum()))
            turns.append(turn)
        return turns

    def step(self, step: int) -> list[tuple[Objective, float, Batch]]:
        """The objectives of a step (from 0), each with its factor in the sum and its batch."""
        found = []
        for row, objective in enumerate(self.objectives):
            if not self._active[row][step] or step < objective.start * self.steps or not self._factors[row]:
                continue
            name = list(objective.sources)[self._chosen[row][step]]
            random = np.random.default_rng([self._seed, 1 + row, step])
            batch = self._sources[name].draw(objective.batch, int(self._turns[row][step]), random)
            if len(batch) > 1 or batch.candidates is not None or len(batch.passages.offsets) > 1:
                found.append((objective, float(self._factors[row]), batch))
        return found
