"""Encode texts into a `.npy` file: streaming, a chunk at a time, and continuing after a kill with the same bytes.

The file grows under another name, beside a small record of how many rows are safely on disk;
when all are, it is renamed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from mdr.errors import MismatchError, ModelError
from mdr.ports import Encoder
from mdr.storage.files import disk_errors, fsync_folder, read_json, write_json

_CHUNK = 2048
"""Rows encoded at once. Fixed, so that a continued file has the same batches, hence the same bytes."""


def write_vectors(encoder: Encoder, texts: Iterable[str], count: int, path: Path, dtype: str) -> Iterator[int]:
    """Rows for `count` texts; yields how many are done. A finished file is left as it is."""
    if path.exists():
        yield count
        return
    partial = path.with_name(f".{path.name}.partial")
    record = path.with_name(f".{path.name}.progress.json")
    plan = {
        "encoder": encoder.fingerprint,
        "shape": [count, encoder.dimension],
        "dtype": dtype,
        "chunk": _CHUNK,
    }
    done = _rows_done(record, partial, plan)
    source = iter(texts)
    if (skipped := sum(1 for _ in islice(source, done))) < done:
        raise _miscount(skipped, count)
    with disk_errors(path), _opened(partial, done, plan) as stream:
        while chunk := list(islice(source, min(_CHUNK, count - done))):
            stream.write(_encoded(encoder, chunk, done, dtype))
            done += len(chunk)
            _flush(stream)
            write_json(record, {"plan": plan, "rows": done})
            yield done
    if done < count or next(source, None) is not None:
        raise _miscount(done + (done == count), count)
    with disk_errors(path):
        os.replace(partial, path)
        record.unlink(missing_ok=True)
        fsync_folder(path.parent)


def _encoded(encoder: Encoder, texts: list[str], first: int, dtype: str) -> bytes:
    with np.errstate(over="ignore"):
        vectors = encoder.encode(texts, "passage").astype(dtype, copy=False)
    if vectors.shape != (len(texts), encoder.dimension):
        raise ModelError(f"the encoder made {vectors.shape} of {len(texts)} texts", "its folder is damaged")
    if not (finite := np.isfinite(vectors).all(axis=1)).all():
        raise ModelError(
            f"the vector of passage {first + int(np.argmin(finite)):,} holds an infinite or undefined value",
            "its weights are damaged, or its vectors too large for float16: keep them as float32",
        )
    return vectors.tobytes()


def _header(plan: dict[str, Any], stream: IO[bytes]) -> None:
    values = {"descr": np.dtype(plan["dtype"]).str, "fortran_order": False, "shape": tuple(plan["shape"])}
    np.lib.format.write_array_header_1_0(stream, values)


def _opened(partial: Path, done: int, plan: dict[str, Any]) -> IO[bytes]:
    """The growing file, positioned after the rows that are done; its full size is claimed at once."""
    row = plan["shape"][1] * np.dtype(plan["dtype"]).itemsize
    stream = partial.open("r+b" if done else "w+b")
    _header(plan, stream)
    start = stream.tell()
    if hasattr(os, "posix_fallocate") and plan["shape"][0]:
        os.posix_fallocate(stream.fileno(), 0, start + plan["shape"][0] * row)
    stream.seek(start + done * row)
    return stream


def _rows_done(record: Path, partial: Path, plan: dict[str, Any]) -> int:
    if not record.exists() or not partial.exists():
        return 0
    found = read_json(record)
    return int(found["rows"]) if found.get("plan") == plan else 0


def _flush(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _miscount(found: int, count: int) -> MismatchError:
    return MismatchError(
        f"{count:,} passages were announced, {'at least ' if found > count else ''}{found:,} came",
        "the collection changed while it was encoded; run again",
    )
