"""Learners that judge every query for itself: a batch is cut into pieces that fit, and their gradients are added up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from mdr.errors import InputError
from mdr.training.batches import Batch, Ints
from mdr.training.losses import listwise_likelihood
from mdr.training.plan import Plan
from mdr.training.processes import Processes
from mdr.training.settings import Objective

Parts: TypeAlias = Callable[[Objective, Batch], Iterator[Tensor]]
"""The loss of a batch, in parts that add up to it."""


class PieceLearner(ABC):
    """Turns a step's batches into gradients. `piece` tokens go through the network at once."""

    learner: ClassVar[str]
    """What it is, as messages say it."""

    def __init__(
        self,
        model: nn.Module,
        plan: Plan,
        *,
        piece: int = 8_192,
        precision: torch.dtype | None = None,
        processes: Processes | None = None,
    ) -> None:
        self._losses = self.losses()
        for objective in plan.objectives:
            if objective.loss not in self._losses:
                raise InputError(
                    f"{self.learner} cannot learn {objective.loss!r}", f"it learns {' and '.join(self._losses)}"
                )
        self.model = model
        self.precision = precision
        self.piece = piece
        self._plan = plan
        self._processes = processes or Processes()
        self._device = next(model.parameters()).device

    @abstractmethod
    def losses(self) -> Mapping[str, Parts]:
        """What it learns, by the names of losses."""

    @abstractmethod
    def judged(self, batch: Batch, queries: Ints, passages: Ints) -> Tensor:
        """A score for each of these queries with the passage beside it."""

    def backward(self, step: int, scale: float = 1.0) -> dict[str, float]:
        """Add the gradients of a step, times `scale`, to the parameters; the sum of the losses, and each beside it."""
        told: dict[str, float] = {"loss": 0.0}
        parts = self._plan.step(step)
        for objective, factor, batch in parts:
            value = 0.0
            for loss in self._losses[objective.loss](objective, batch):
                (scale * factor * loss).backward()  # type: ignore[no-untyped-call]
                value += float(loss.detach())
            told[objective.name] = self._processes.total(value)
            told["loss"] += factor * told[objective.name]
        self._processes.sum_gradients(self.model.parameters())
        return told | {"texts": float(sum(len(batch) for _, _, batch in parts))}

    def describe(self, step: int) -> dict[str, Any]:
        """The texts of a step as token ids, objective by objective."""
        return {
            "objectives": [
                {"objective": objective.name, "read": batch.passages.lists(), "written": batch.queries.lists()}
                for objective, _, batch in self._plan.step(step)
            ]
        }

    def ranked(self, objective: Objective, batch: Batch) -> Iterator[Tensor]:
        """−log softmax over a query's candidates of their scores; the first is right."""
        if batch.candidates is None:
            raise InputError(f"{objective.loss} needs candidates for each query", "draw it from lists")
        count = batch.candidates.shape[1]
        lengths = batch.passages.lengths[batch.candidates].max(1) + batch.queries.lengths
        for piece in self.pieces(lengths, lengths * count):
            scores = self.judged(batch, np.repeat(piece, count), batch.candidates[piece].ravel()).view(-1, count)
            first = torch.zeros(len(piece), dtype=torch.long, device=self._device)
            yield listwise_likelihood(scores, first) * (len(piece) / len(batch))

    def pieces(self, order: Ints, tokens: Ints) -> Iterator[Ints]:
        """This process' rows, the longest by `order` first, in pieces of so many `tokens`."""
        return cut(self._processes.own(np.argsort(-order, kind="stable")), tokens, self.piece)


def cut(rows: Ints, tokens: Ints, most: int) -> Iterator[Ints]:
    """Rows, the longest first, in pieces of at most so many tokens, or of one row."""
    while len(rows):
        size = max(1, most // max(1, int(tokens[rows[0]])))
        yield rows[:size]
        rows = rows[size:]
