"""The generator as a learner: teaches a sequence-to-sequence network to write queries, and to prefer their passages.

Every query is judged for itself, so a batch is cut into pieces that fit and their gradients are added up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mdr.errors import InputError
from mdr.training.batches import Bags, Batch, Ints
from mdr.training.losses import listwise_likelihood, token_likelihood
from mdr.training.plan import Plan
from mdr.training.processes import Processes

IGNORED = -100
"""The label of a place that is no token."""


class WriterLearner:
    """Turns a step's batches into gradients of a generator.

    A batch's passages are what the network reads (instruction and all), its queries what it should write. `piece`
    tokens go through the network at once.
    """

    def __init__(
        self,
        model: nn.Module,
        plan: Plan,
        *,
        padding: int,
        piece: int = 8_192,
        precision: torch.dtype | None = None,
        processes: Processes | None = None,
    ) -> None:
        for objective in plan.objectives:
            if objective.loss not in ("likelihood", "ranking"):
                raise InputError(f"a generator cannot learn {objective.loss!r}", "it learns likelihood and ranking")
        self.model = model
        self.precision = precision
        self._plan, self._padding, self._piece = plan, padding, piece
        self._processes = processes or Processes()
        self._device = next(model.parameters()).device

    def backward(self, step: int, scale: float = 1.0) -> dict[str, float]:
        """Add the gradients of a step, times `scale`, to the parameters; the sum of the losses, and each beside it."""
        told: dict[str, float] = {"loss": 0.0}
        parts = self._plan.step(step)
        for objective, factor, batch in parts:
            run = self._ranking if objective.loss == "ranking" else self._likelihood
            value = 0.0
            for loss in run(batch):
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

    def _likelihood(self, batch: Batch) -> Iterator[Tensor]:
        """−log P(token), mean over the tokens of the whole batch."""
        total = max(1, len(batch.queries.tokens))
        rows = self._processes.own(np.argsort(-batch.passages.lengths, kind="stable"))
        for piece in self._pieces(rows, batch.passages.lengths + batch.queries.lengths):
            logits, labels = self._run(batch.passages.take(piece), batch.queries.take(piece))
            kept = labels != IGNORED
            yield cross_entropy(logits[kept].float(), labels[kept], reduction="sum") / total

    def _ranking(self, batch: Batch) -> Iterator[Tensor]:
        """−log softmax over a query's candidates of the likelihood of the query; the first is right."""
        if batch.candidates is None:
            raise InputError("ranking needs candidates for each query", "give it a scored source")
        count = batch.candidates.shape[1]
        lengths = batch.passages.lengths[batch.candidates].max(1) + batch.queries.lengths
        for piece in self._pieces(self._processes.own(np.argsort(-lengths, kind="stable")), lengths * count):
            read = batch.passages.take(batch.candidates[piece].ravel())
            logits, labels = self._run(read, batch.queries.take(np.repeat(piece, count)))
            likelihood = token_likelihood(logits, labels).view(len(piece), count)
            first = torch.zeros(len(piece), dtype=torch.long, device=self._device)
            yield listwise_likelihood(likelihood, first) * (len(piece) / len(batch))

    def _pieces(self, rows: Ints, lengths: Ints) -> Iterator[Ints]:
        while len(rows):
            size = max(1, self._piece // max(1, int(lengths[rows[0]])))
            yield rows[:size]
            rows = rows[size:]

    def _run(self, read: Bags, written: Bags) -> tuple[Tensor, Tensor]:
        ids, there = read.padded(self._padding)
        labels, _ = written.padded(IGNORED)
        reading, mask, wanted = (torch.from_numpy(each).to(self._device) for each in (ids, there, labels))
        with torch.autocast(self._device.type, self.precision, enabled=self.precision is not None):
            # Without labels: the network would compute a loss of its own, and the softmax is the dearest part.
            shifted = self.model.prepare_decoder_input_ids_from_labels(labels=wanted)  # type: ignore[operator]
            found = self.model(input_ids=reading, attention_mask=mask, decoder_input_ids=shifted)
        return found.logits, wanted
