"""The generator as a learner: taught to write queries, and to prefer the passages that they ask of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mdr.engines.language_models import Decoder
from mdr.training.batches import Bags, Batch, Ints
from mdr.training.losses import sequence_likelihood, token_likelihood
from mdr.training.pieces import Parts, PieceLearner
from mdr.training.plan import Plan
from mdr.training.settings import Objective

IGNORED = -100
"""The label of a place that is no token."""


class WriterLearner(PieceLearner):
    """A batch's passages are what the network reads (instruction and all), its queries what it should write. A causal
    network reads on: it writes behind what it reads. `start` is what a decoder of its own begins with, if not as its
    config says."""

    learner = "a generator"

    def __init__(self, model: nn.Module, plan: Plan, *, padding: int, start: int | None = None, **options: Any) -> None:
        super().__init__(model, plan, **options)
        config: Any = model.config
        self._padding = padding
        self._decoder = None if config.is_encoder_decoder else Decoder(model)
        self._start: Any = getattr(config, "decoder_start_token_id", None) if start is None else start

    def losses(self) -> Mapping[str, Parts]:
        return {"likelihood": self._likelihood, "ranking": self.ranked}

    def judged(self, batch: Batch, queries: Ints, passages: Ints) -> Tensor:
        """The mean log-probability of each query's tokens."""
        return token_likelihood(*self._run(batch.passages.take(passages), batch.queries.take(queries)))

    def _likelihood(self, objective: Objective, batch: Batch) -> Iterator[Tensor]:
        """−log P(token), mean over the tokens of the whole batch; those of a query count by its weight."""
        lengths, weights = batch.queries.lengths, batch.weights
        total = max(1e-9, float(lengths.sum() if weights is None else (lengths * weights).sum()))
        for piece in self.pieces(batch.passages.lengths, batch.passages.lengths + lengths):
            logits, labels = self._run(batch.passages.take(piece), batch.queries.take(piece))
            its = None if weights is None else torch.from_numpy(weights[piece])
            yield sequence_likelihood(logits, labels, its) / total

    def _run(self, read: Bags, written: Bags) -> tuple[Tensor, Tensor]:
        labels, _ = written.padded(IGNORED)
        wanted = torch.from_numpy(labels).to(self._device)
        with torch.autocast(self._device.type, self.precision, enabled=self.precision is not None):
            if self._decoder is not None:
                return self._decoder.score(read.lists(), range(len(labels)), written.lists()), wanted
            ids, there = read.padded(self._padding)
            reading, mask = (torch.from_numpy(each).to(self._device) for each in (ids, there))
            # Without labels: the network would compute a loss of its own, and the softmax is the dearest part.
            shifted = wanted.roll(1, dims=1)
            shifted[:, 0] = self._start
            shifted.masked_fill_(shifted == IGNORED, self._padding)
            found = self.model(input_ids=reading, attention_mask=mask, decoder_input_ids=shifted)
        return found.logits, wanted
