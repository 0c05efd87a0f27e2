"""FAISS structures by factory string, for collections that exact search is too slow for.

`Flat`, `HNSW32`, `IVF1024,Flat`, `IVF1024,PQ48`, `OPQ48,IVF1024,PQ48` …, by inner product. All but Flat are
approximate: they may miss hits, and how many they miss is for `mdr evaluate` to say.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdr.engines.topk import (
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
from mdr.errors import ArtefactError, InputError, UnavailableError
from mdr.ports import Mask, Matrix, TopK
from mdr.storage.files import disk_errors

_SAMPLE = 1 << 18
_BLOCK = 1 << 16
_HELP = "give 'exact', or a FAISS factory string such as Flat, HNSW32 or IVF256,Flat"


def check(factory: str, dimension: int) -> None:
    """Whether FAISS knows the factory string, before hours go into encoding."""
    _new(factory, dimension)


def write(vectors: NDArray[Any], factory: str, path: Path) -> None:
    """Train on a sample, add every row, save."""
    index = _new(factory, vectors.shape[1])
    try:
        if not index.is_trained:
            sample = np.random.default_rng(0).permutation(len(vectors))[:_SAMPLE]
            index.train(vectors[np.sort(sample)].astype(np.float32))
        for start in range(0, len(vectors), _BLOCK):
            index.add(np.ascontiguousarray(vectors[start : start + _BLOCK], dtype=np.float32))
    except RuntimeError as error:
        raise InputError(
            f"{factory} cannot be made of {len(vectors):,} vectors: {_reason(error)}",
            "use a smaller structure, or 'exact'",
        ) from error
    temporary = path.with_name(f".{path.name}.partial")
    with disk_errors(path):
        _faiss().write_index(index, str(temporary))
        temporary.replace(path)


class FaissIndex:
    """A saved FAISS structure."""

    def __init__(self, path: Path, *, fingerprint: str, made_by: str) -> None:
        try:
            self._index: Any = _faiss().read_index(str(path))
        except RuntimeError as error:
            raise ArtefactError(
                f"{path} cannot be read: {_reason(error)}", "delete its folder and run again"
            ) from error
        self.fingerprint, self.made_by = fingerprint, made_by

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, queries: Matrix, k: int, *, allowed: Mask | None = None) -> TopK:
        """The best rows that the structure finds; fewer than k where it finds fewer."""
        rows = checked_queries(queries, self._index.d)
        k = checked_k(k, len(self))
        mask = checked_mask(allowed, len(self))
        if not k or not len(rows) or (mask is not None and not mask.any()):
            return nothing(len(rows), k)
        scores, positions = self._index.search(rows, k, params=self._parameters(k, mask))
        hits = np.nonzero((positions >= 0) & np.isfinite(scores))
        keys = best_keys(no_keys(len(rows), k), hits[0], keys_of(scores[hits], positions[hits]))
        return TopK(positions_of(keys), scores_of(keys))

    def _parameters(self, k: int, mask: Mask | None) -> Any:
        """Effort that grows with k, and the filter. `selector` lives as long as the parameters that point to it."""
        faiss = _faiss()
        inner = faiss.downcast_index(self._index)
        wrapped = isinstance(inner, faiss.IndexPreTransform)
        if wrapped:
            inner = faiss.downcast_index(inner.index)
        make = next((made for kind, made in _parameter_kinds(faiss) if isinstance(inner, kind)), None)
        if make is None:
            if mask is not None:
                raise UnavailableError(f"{type(inner).__name__} cannot filter", "index with HNSW or IVF, or exactly")
            return None
        values = make(inner, k)
        if mask is not None:
            values.sel = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        return faiss.SearchParametersPreTransform(index_params=values) if wrapped else values


def _parameter_kinds(faiss: Any) -> list[tuple[Any, Any]]:
    return [
        (faiss.IndexIVF, lambda index, k: faiss.SearchParametersIVF(nprobe=max(8, math.isqrt(index.nlist)))),
        (faiss.IndexHNSW, lambda index, k: faiss.SearchParametersHNSW(efSearch=max(64, 2 * k))),
        (faiss.IndexFlat, lambda index, k: faiss.SearchParameters()),
        (faiss.IndexScalarQuantizer, lambda index, k: faiss.SearchParameters()),
    ]


def _new(factory: str, dimension: int) -> Any:
    faiss = _faiss()
    try:
        return faiss.index_factory(dimension, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        problem = f"FAISS cannot make {factory!r} with {dimension} dimensions: {_reason(error)}"
        raise InputError(problem, _HELP) from error


def _faiss() -> Any:
    """Loaded only when asked for: beside torch it brings a second OpenMP, which some systems do not forgive."""
    import faiss

    return faiss


def _reason(error: Exception) -> str:
    """FAISS puts the C++ function and file before what happened."""
    return str(error).strip().splitlines()[-1].rsplit(": ", 1)[-1][:200]
