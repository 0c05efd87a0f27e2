"""What every vector index does with what it is asked and what it found."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdr.errors import InputError, MismatchError
from mdr.ports import Mask, Matrix, TopK


def checked_queries(queries: Matrix, dimension: int) -> Matrix:
    """Queries as contiguous fp32 rows, or an error that says what is wrong with them."""
    array = np.asarray(queries)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise InputError(f"queries are {array.ndim}-dimensional {array.dtype}", "give one row of numbers per query")
    if array.shape[1] != dimension:
        raise MismatchError(
            f"queries have {array.shape[1]} dimensions, the index {dimension}",
            "search with the encoder that made the index, or index again with this one",
        )
    rows = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(rows).all():
        raise InputError("a query vector holds an infinite or undefined value", "check the encoder's weights")
    return rows


def checked_k(k: int, rows: int) -> int:
    """At most as many as there are rows."""
    if k < 0:
        raise InputError(f"{k} hits were asked for", "ask for 0 or more")
    return min(int(k), rows)


def checked_mask(allowed: Mask | None, rows: int) -> Mask | None:
    """The mask, or None where it allows everything."""
    if allowed is None:
        return None
    mask = np.asarray(allowed)
    if mask.dtype != np.bool_ or mask.shape != (rows,):
        raise MismatchError(
            f"the filter is {mask.dtype} of shape {mask.shape}, the index has {rows} rows", "give one bool per row"
        )
    return None if mask.all() else mask


def nothing(queries: int, k: int) -> TopK:
    """A result without hits."""
    return TopK(np.full((queries, k), -1, dtype=np.int64), np.full((queries, k), -np.inf, dtype=np.float32))


Keys: TypeAlias = NDArray[np.int64]
"""Hits as integers, larger is better: the score's bits above, the complement of the position below."""
_NONE = np.iinfo(np.int64).min
_LOW = np.int64(0xFFFFFFFF)
_MAGNITUDE = 0x7FFFFFFF


def no_keys(queries: int, k: int) -> Keys:
    """Rows of k hits that are none."""
    return np.full((queries, k), _NONE)


def keys_of(scores: Matrix, positions: NDArray[np.int64]) -> Keys:
    """Finite scores and positions as keys: sorting them breaks ties to the lower position."""
    bits = (scores + np.float32(0)).view(np.int32).astype(np.int64)  # + 0: no negative zero
    keys: Keys = (np.where(bits < 0, bits ^ _MAGNITUDE, bits) << 32) | (_LOW - positions)
    return keys


def scores_of(keys: Keys) -> Matrix:
    """The scores in keys; -inf where there is no hit."""
    bits = (keys >> 32).astype(np.int32)
    scores = np.where(bits < 0, bits ^ np.int32(_MAGNITUDE), bits).view(np.float32)
    return np.where(keys == _NONE, np.float32(-np.inf), scores)


def positions_of(keys: Keys) -> NDArray[np.int64]:
    """The positions in keys; -1 where there is no hit."""
    return np.where(keys == _NONE, np.int64(-1), _LOW - (keys & _LOW))


def best_keys(keys: Keys, queries: NDArray[np.int64], new: Keys) -> Keys:
    """For each query the best of its keys and of the new ones, which are grouped by query."""
    k = keys.shape[1]
    counts = np.bincount(queries, minlength=len(keys))
    table = no_keys(len(keys), k + int(counts.max(initial=0)))
    table[:, :k] = keys
    table[queries, k + np.arange(len(new)) - np.repeat(np.cumsum(counts) - counts, counts)] = new
    table.sort(axis=1)
    return np.ascontiguousarray(table[:, : -k - 1 : -1])
