"""Which rows may be among the best: a fast, inexact product of queries and rows, with a bound on its error.

A candidate is every row whose inexact score is not provably too low. So the candidates always hold the true best, and
how the product was made (numpy or torch, bf16 or fp32, CPU or GPU, in which blocks) cannot be seen in the result.
"""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdr.ports import Mask, Matrix

_FP32, _BF16 = 2.0**-24, 2.0**-9
"""How far rounding moves a number, relative to it."""
_TILE = 4096
"""Rows multiplied at once: their scores stay in the cache."""
_LEAST = np.finfo(np.float32).min
"""Below every score but that of a row that is masked out."""


class Pairs(NamedTuple):
    """Candidates: query, row and inexact score of each."""

    queries: NDArray[np.int64]
    rows: NDArray[np.int64]
    scores: Matrix


class NumpyProducts:
    """A batch of queries that is multiplied with blocks of rows, in fp32 on the CPU.

    For few queries it runs at the speed of memory, and it needs no torch. `longest` is the length of the longest row.
    """

    def __init__(self, queries: Matrix, k: int, longest: float) -> None:
        self._queries = queries
        self._reached = np.full((len(queries), k), -np.inf, dtype=np.float32)
        lengths = np.sqrt(np.einsum("qd,qd->q", queries, queries))
        # Summed up in any order, fused or not; and one more rounding, of the true score.
        self._input_error = lengths * np.float32(longest * (queries.shape[1] + 4) * 2 * _FP32)
        self._output_error = np.float32(0)

    def candidates(self, block: NDArray[Any], mask: Mask | None, floor: Matrix) -> Pairs:
        """Rows of the block that may be among a query's k best so far, and truly score its `floor` or more."""
        scores = self._product(block)
        if mask is not None:
            scores[:, ~mask] = -np.inf
        cut = self._cut(scores, floor)
        found = np.flatnonzero(scores >= cut[:, None])
        return Pairs(*np.divmod(found, len(block)), scores.ravel()[found])

    def _product(self, block: NDArray[Any]) -> Matrix:
        scores = np.empty((len(self._queries), len(block)), dtype=np.float32)
        wide = block.dtype == np.float32
        product = _numpy_product if wide or "torch" not in sys.modules else _torch_product
        piece = len(block) if wide else _TILE  # widened rows stay in the cache
        for start in range(0, len(block), piece):
            scores[:, start : start + piece] = product(self._queries, block[start : start + piece])
        return scores

    def among_best(self, pairs: Pairs, floor: Matrix) -> NDArray[np.bool_]:
        """Which of earlier candidates still are, after what was seen since."""
        still: NDArray[np.bool_] = pairs.scores >= self._least(floor)[pairs.queries]
        return still

    def _cut(self, scores: Matrix, floor: Matrix) -> Matrix:
        """The least inexact score of a candidate, knowing some more rows' scores."""
        k = self._reached.shape[1]
        known = np.concatenate([self._reached, scores], axis=1)
        self._reached = np.partition(known, -k, axis=1)[:, -k:]
        return self._least(floor)

    def _least(self, floor: Matrix) -> Matrix:
        reached = self._reached.min(axis=1)
        least = np.maximum(self._less_error(reached, 2), self._less_error(floor, 1))
        cut: Matrix = np.maximum(least, _LEAST)
        return cut

    def _less_error(self, scores: Matrix, times: int) -> Matrix:
        size = np.minimum(np.abs(scores), np.float32(1e30)) + self._input_error
        less: Matrix = scores - times * (self._input_error + self._output_error * size)
        return less


class TorchProducts(NumpyProducts):
    """The same for many queries: on all cores, in bf16 where that is faster, or on a GPU."""

    def __init__(self, queries: Matrix, k: int, longest: float, device: str) -> None:
        import torch

        from mdr.engines.probe import low_precision

        super().__init__(queries, k, longest)
        self._torch, self._device = torch, device
        # GPUs may add up bf16 in bf16, which the bound on errors does not allow for; their fp32 is fast enough.
        low = low_precision(device, queries.shape[1]) if device == "cpu" else None
        self._precision = low or torch.float32
        rounded = torch.from_numpy(queries).to(self._precision)
        if self._precision == torch.bfloat16:
            used = rounded.float().numpy()
            lost = np.linalg.norm(queries - used, axis=1) + _BF16 * np.linalg.norm(used, axis=1)
            self._input_error += (lost * longest * 1.01).astype(np.float32)
            self._output_error = np.float32(_BF16 * 1.01)
        self._on_device = rounded.to(device)
        self._buffer = torch.empty(0)

    def candidates(self, block: NDArray[Any], mask: Mask | None, floor: Matrix) -> Pairs:
        """Rows lie in groups; only groups whose best row is good enough are looked into."""
        group = _group_size(len(block), self._reached.shape[1])
        tiles = self._scores(block, mask)
        best = np.stack([tile.unflatten(1, (group, -1)).amax(1).float().cpu().numpy() for tile in tiles])
        _, queries, groups = best.shape
        cut = self._cut(best.transpose(1, 0, 2).reshape(queries, -1), floor)
        found = [self._inside(tile, places, group, cut) for tile, places in zip(tiles, best, strict=True)]
        rows = [pairs.rows + number * groups * group for number, pairs in enumerate(found)]
        return Pairs(
            np.concatenate([pairs.queries for pairs in found]),
            np.concatenate(rows),
            np.concatenate([pairs.scores for pairs in found]),
        )

    def _inside(self, tile: Any, best: Matrix, group: int, cut: Matrix) -> Pairs:
        """Rows of a tile that score enough, by way of the groups whose best does."""
        query, column = np.divmod(np.flatnonzero(best >= cut[:, None]), best.shape[1])
        where = [self._torch.from_numpy(index).to(self._device) for index in (query, column)]
        scores = tile.unflatten(1, (group, -1))[where[0], :, where[1]].float().cpu().numpy()
        hit, member = np.divmod(np.flatnonzero(scores >= cut[query, None]), group)
        return Pairs(query[hit], member * best.shape[1] + column[hit], scores[hit, member])

    def _scores(self, block: NDArray[Any], mask: Mask | None) -> Any:
        """Scores in tiles: tile, query, row. What is no row, or masked out, scores -inf."""
        torch = self._torch
        width = min(_TILE, 1 << (len(block) - 1).bit_length())
        shape = (-(-len(block) // width), len(self._on_device), width)
        size = math.prod(shape)
        if size > self._buffer.numel():  # kept from block to block
            self._buffer = self._empty(size)
        scores = self._buffer[:size].view(shape)
        for tile, start in zip(scores, range(0, len(block), width), strict=True):
            rows = self._rows(block[start : start + width])
            if len(rows) == width:
                torch.mm(self._on_device, rows.T, out=tile)
            else:
                tile[:, : len(rows)] = self._on_device @ rows.T
                tile[:, len(rows) :] = -torch.inf
            if mask is not None:
                out = torch.from_numpy(~mask[start : start + width]).to(self._device)
                tile[:, : len(rows)].masked_fill_(out, -torch.inf)
        return scores

    def _empty(self, size: int) -> Any:
        """Memory for scores. Fresh memory takes a good part of the time; numpy's is on large pages, which helps."""
        if self._device != "cpu":
            return self._torch.empty(size, dtype=self._precision, device=self._device)
        plain = np.empty(size, dtype=np.uint16 if self._precision == self._torch.bfloat16 else np.float32)
        return self._torch.from_numpy(plain).view(self._precision)

    def _rows(self, rows: NDArray[Any]) -> Any:
        return self._torch.from_numpy(_writable(rows)).to(device=self._device, dtype=self._precision)


def _numpy_product(queries: Matrix, rows: NDArray[Any]) -> Matrix:
    rows = np.asarray(rows, dtype=np.float32)
    if len(queries) == 1:  # several times faster than the same as a matrix product
        product: Matrix = np.matmul(rows, queries[0])[None]
    else:
        product = queries @ rows.T
    return product


def _torch_product(queries: Matrix, rows: NDArray[Any]) -> Matrix:
    """For rows that must be widened: torch does that ten times faster. It multiplies as well, since its waiting
    threads would stand in the way of numpy's."""
    import torch

    wide, asked = torch.from_numpy(_writable(rows)).float(), torch.from_numpy(_writable(queries))
    product: Matrix = (torch.mv(wide, asked[0])[None] if len(asked) == 1 else asked @ wide.T).numpy()
    return product


def _writable(rows: NDArray[Any]) -> NDArray[Any]:
    """Itself, or a copy: torch has no read-only tensors."""
    return rows if rows.flags.writeable else rows.copy()


def _group_size(rows: int, k: int) -> int:
    """The largest power of two up to 32 that leaves several groups for each of the k best."""
    return 1 << max(0, min(5, (rows // (4 * k)).bit_length() - 1))
