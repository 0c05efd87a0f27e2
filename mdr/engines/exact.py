"""Exact search: every row compared with every query, blocks at a time, so that rows may be larger than memory.

Two steps. A fast product finds candidates, provably all that matter (see `products`). Their inner products are then
summed in fp64 and rounded to fp32 once, which gives each row one score, whatever machine, block or batch it was
compared in; equal rows get equal scores, and the lower position goes first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdr.core.stopping import still_wanted
from mdr.engines.devices import pick_device
from mdr.engines.products import NumpyProducts, Pairs, TorchProducts
from mdr.engines.topk import (
    Keys,
    best_keys,
    checked_k,
    checked_mask,
    checked_queries,
    keys_of,
    no_keys,
    nothing,
    positions_of,
    scores_of,
)
from mdr.errors import InputError
from mdr.ports import Mask, Matrix, TopK

_QUERIES = 1024
"""Queries searched together."""
_SCORES = 1 << 25
"""Scores held at once: queries times rows of a block, where blocks have at least `_ROWS`."""
_ROWS = 1 << 14
_PENDING = 1 << 23
"""Candidates held at once."""
_TOGETHER = 1 << 14
"""Rows whose true scores are computed at once."""
_FEW = 16
"""Queries for which a product is bound by memory, not by arithmetic."""
_WORTH = {True: 4e9, False: 4e11}
"""Multiplications from which torch is worth it, when it is loaded already and when it is not (2 seconds)."""
_GATHER = 1 / 3
"""Where a smaller share of the rows is allowed, only they are multiplied."""


class ExactIndex:
    """Vectors in memory or memory-mapped. `longest` may be given where it is known already."""

    def __init__(
        self,
        vectors: NDArray[Any],
        *,
        fingerprint: str = "",
        made_by: str = "",
        longest: float | None = None,
        device: str = "auto",
    ) -> None:
        if vectors.ndim != 2 or vectors.dtype not in (np.float32, np.float16):
            raise InputError(f"vectors are {vectors.ndim}-dimensional {vectors.dtype}", "give float32 or float16 rows")
        self._vectors = vectors
        self.fingerprint, self.made_by = fingerprint, made_by
        self._device = device if device == "auto" else pick_device(device)
        if longest is not None:
            self.longest = longest

    @cached_property
    def longest(self) -> float:
        """The length of the longest row; it bounds what rounding can do to a score."""
        return longest_row(self._vectors)

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, queries: Matrix, k: int, *, allowed: Mask | None = None) -> TopK:
        """The k best rows for each query, among those allowed."""
        rows = checked_queries(queries, self._vectors.shape[1])
        k = checked_k(k, len(self))
        mask = checked_mask(allowed, len(self))
        found = nothing(len(rows), k)
        for start in range(0, len(rows) if k else 0, _QUERIES):
            part = slice(start, start + _QUERIES)
            keys = self._search(rows[part], k, mask)
            found.positions[part], found.scores[part] = positions_of(keys), scores_of(keys)
        return found

    def _search(self, queries: Matrix, k: int, mask: Mask | None) -> Keys:
        products = self._products(queries, k)
        keys = no_keys(len(queries), k)
        pending: list[Pairs] = []
        for start, block, inside in self._blocks(max(_ROWS, _SCORES // len(queries)), mask):
            still_wanted()
            places = _few(inside)
            if places is not None:
                block, inside = block[places], None
            pairs = products.candidates(block, inside, scores_of(keys[:, -1]))
            rows = pairs.rows if places is None else places[pairs.rows]
            pending.append(pairs._replace(rows=rows + start))
            if sum(len(some.rows) for some in pending) > _PENDING:  # as when most rows are the same
                keys, pending = self._settle(products, queries, keys, pending), []
        return self._settle(products, queries, keys, pending)

    def _products(self, queries: Matrix, k: int) -> NumpyProducts:
        work = len(queries) * self._vectors.size
        if self._device == "cuda" or (len(queries) > _FEW and work > _WORTH["torch" in sys.modules]):
            return TorchProducts(queries, k, self.longest, pick_device(self._device))
        return NumpyProducts(queries, k, self.longest)

    def _blocks(self, rows: int, mask: Mask | None) -> Iterator[tuple[int, NDArray[Any], Mask | None]]:
        """First position, rows, and which of them are allowed (None: all); blocks without any are left out."""
        for start in range(0, len(self), rows):
            inside = None if mask is None else mask[start : start + rows]
            if inside is None or inside.any():
                yield start, self._vectors[start : start + rows], inside

    def _settle(self, products: NumpyProducts, queries: Matrix, keys: Keys, pending: list[Pairs]) -> Keys:
        """The best of the keys so far and the candidates, by their true scores."""
        floor = scores_of(keys[:, -1])
        kept = [products.among_best(some, floor) for some in pending]
        if not kept:
            return keys
        query = np.concatenate([some.queries[still] for some, still in zip(pending, kept, strict=True)])
        position = np.concatenate([some.rows[still] for some, still in zip(pending, kept, strict=True)])
        order = np.argsort(query.astype(np.uint16), kind="stable")  # a radix sort, for 16 bits
        query, position = query[order], position[order]
        return best_keys(keys, query, keys_of(_true_scores(queries, self._vectors, query, position), position))


def _few(inside: Mask | None) -> NDArray[np.int64] | None:
    """Where the allowed rows of a block are, if they are few enough to take them out."""
    if inside is None or inside.mean() > _GATHER:
        return None
    return np.flatnonzero(inside)


def longest_row(vectors: NDArray[Any]) -> float:
    """The length of the longest row, or an error where a row is not finite."""
    longest = 0.0
    for start in range(0, len(vectors), _TOGETHER):
        rows = vectors[start : start + _TOGETHER].astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.einsum("rd,rd->r", rows, rows)
        if not (finite := np.isfinite(squares)).all():
            raise InputError(
                f"vector {start + int(np.argmin(finite)):,} holds an infinite, undefined or huge value",
                "encode the passages again; if it repeats, the encoder's weights are damaged",
            )
        longest = max(longest, float(squares.max()) ** 0.5)
    return longest * 1.0001  # the squares were rounded too


def _true_scores(
    queries: Matrix, vectors: NDArray[Any], query: NDArray[np.int64], position: NDArray[np.int64]
) -> Matrix:
    """The inner product of each pair, grouped by query."""
    scores = np.empty(len(position), dtype=np.float32)
    bounds = np.searchsorted(query, np.arange(len(queries) + 1)).tolist()
    for number, (first, last) in enumerate(pairwise(bounds)):
        exact = queries[number].astype(np.float64)
        for start in range(first, last, _TOGETHER):
            part = slice(start, min(last, start + _TOGETHER))
            # einsum adds in one order for every row; matrix products do not.
            scores[part] = np.einsum("rd,d->r", vectors[position[part]].astype(np.float64), exact)
    return scores
