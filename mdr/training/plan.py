"""What each step trains on, decided beforehand: a function of the seed and the step's number, so resuming is exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mdr.errors import InputError
from mdr.ports import Mask
from mdr.training.batches import Batch, Ints, Paced, Random, Source
from mdr.training.settings import Mix, Objective


class Plan:
    """Objectives and the sources they draw from, step by step."""

    def __init__(
        self, objectives: Sequence[Objective], sources: Mapping[str, Source], *, steps: int, seed: int, mix: Mix = "sum"
    ) -> None:
        if not objectives:
            raise InputError("training needs an objective", "list at least one")
        for objective in objectives:
            _check(objective, sources)
        self.objectives = objectives
        self.steps = steps
        self._sources = sources
        self._seed = seed
        weights = np.array([objective.weight for objective in objectives])
        self._factors = weights if mix == "sum" else np.ones(len(weights))
        random = np.random.default_rng([seed, 0])
        odds = self._odds(weights)
        self._active = odds > 0 if mix == "sum" else _drawn(odds, random)
        self._chosen = [self._choices(objective, random) for objective in objectives]
        self._turns = self._count_turns()

    def _odds(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weights of objectives (rows) in each step: zero before they join."""
        starts = np.array([objective.start for objective in self.objectives])
        odds = np.where(np.arange(self.steps) >= starts[:, None] * self.steps, weights[:, None], 0.0)
        if not odds.any(axis=0).all():
            raise InputError(
                "training begins with no objective that has a weight above zero",
                "give one of them start = 0 and a weight",
            )
        return odds

    def _choices(self, objective: Objective, random: Random) -> Ints:
        odds = np.array(list(objective.sources.values()), float)
        return random.choice(len(odds), self.steps, p=odds / odds.sum())

    def _count_turns(self) -> list[Ints]:
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
            if not self._active[row][step]:
                continue
            name = list(objective.sources)[self._chosen[row][step]]
            random = np.random.default_rng([self._seed, 1 + row, step])
            source = self._sources[name]
            if isinstance(source, Paced):
                source = source.at(step / self.steps)
            batch = source.draw(objective.batch, int(self._turns[row][step]), random)
            if len(batch):
                found.append((objective, float(self._factors[row]), batch))
        return found


def _drawn(odds: NDArray[np.float64], random: Random) -> Mask:
    """One objective for each step."""
    bars = np.cumsum(odds, axis=0)
    chosen = (bars[:-1] <= bars[-1] * random.random(odds.shape[1])).sum(0)
    found: Mask = chosen == np.arange(len(odds))[:, None]
    return found


def _check(objective: Objective, sources: Mapping[str, Source]) -> None:
    odds = objective.sources.values()
    if min(odds, default=0) < 0 or sum(odds) <= 0:
        raise InputError(
            f"{objective.loss} draws from its sources by {dict(objective.sources)}",
            "odds are numbers from 0 on, one of them above 0",
        )
    for name in objective.sources:
        if name not in sources:
            have = ", ".join(sorted(sources)) or "none"
            raise InputError(
                f"{objective.loss} draws from {name!r}; the sources are {have}",
                "give this input to the step, or name another source",
            )
