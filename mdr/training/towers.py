"""Trainable encoders: token ids to vectors. Transformers and static tables are one kind of thing here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, normalize

from mdr.ports import Matrix
from mdr.training.batches import Bags


class StaticTower(nn.Module):
    """A row per token, added up: only the direction counts. With `damped` repeats, a token that comes n times counts
    1 + ln n times, as a word does in lexical search."""

    in_pieces = False
    """Activations are a vector a text; but each backward pass goes over the whole table."""

    def __init__(self, table: Tensor, *, damped: bool = False) -> None:
        super().__init__()
        self.table = nn.Parameter(table)
        self.dimension = int(table.shape[1])
        self._damped = damped

    def forward(self, texts: Bags) -> Tensor:
        counts = None
        if self._damped:
            texts, counts = distinct(texts, len(self.table))
        device = self.table.device
        tokens, offsets = torch.from_numpy(texts.tokens).to(device), torch.from_numpy(texts.offsets).to(device)
        weights = None if counts is None else torch.from_numpy(counts).to(device)
        return normalize(embedding_bag(tokens, self.table, offsets, mode="sum", per_sample_weights=weights), dim=-1)

    def rows(self) -> Matrix:
        """The row per token."""
        found: Matrix = self.table.detach().cpu().numpy()
        return found


def distinct(texts: Bags, size: int) -> tuple[Bags, Matrix]:
    """Every token of a text once, and 1 + ln of how often it was there."""
    owners = np.repeat(np.arange(len(texts.offsets)), texts.lengths)
    keys, counts = np.unique(owners * size + texts.tokens, return_counts=True)
    offsets = np.searchsorted(keys // size, np.arange(len(texts.offsets)))
    return Bags(keys % size, offsets.astype(np.int64)), (1 + np.log(counts)).astype(np.float32)


class TransformerTower(nn.Module):
    """A transformers network with a pooling; texts come with the special tokens their model wants."""

    in_pieces = True
    """Activations grow with every token, so many texts are encoded a part at a time."""

    def __init__(self, network: nn.Module, *, pooling: str = "mean", normalise: bool = True, padding: int = 0) -> None:
        super().__init__()
        self.network = network
        self.pooling = pooling
        self.normalise = normalise
        self._padding = padding
        self.dimension = int(network.config.hidden_size)  # type: ignore[union-attr,arg-type]

    def forward(self, texts: Bags) -> Tensor:
        device = next(self.parameters()).device
        ids, there = texts.padded(self._padding)
        mask = torch.from_numpy(there).to(device)
        tokens = self.network(input_ids=torch.from_numpy(ids).to(device), attention_mask=mask).last_hidden_state.float()
        vectors = _POOLINGS[self.pooling](tokens, mask)
        return normalize(vectors, dim=-1) if self.normalise else vectors


def _mean(tokens: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).float()
    return (tokens * weights).sum(1) / weights.sum(1)


def _cls(tokens: Tensor, mask: Tensor) -> Tensor:
    return tokens[:, 0]


def _last(tokens: Tensor, mask: Tensor) -> Tensor:
    return tokens[torch.arange(len(tokens), device=tokens.device), mask.sum(1) - 1]


_POOLINGS = {"mean": _mean, "cls": _cls, "lasttoken": _last}
POOLINGS: Sequence[str] = tuple(_POOLINGS)
"""Those that can be trained; others are for models trained elsewhere."""
