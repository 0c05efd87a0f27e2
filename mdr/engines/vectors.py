"""Vectors of passages in a folder: encode them there, open them for search.

`vectors.npy` holds one row per passage, `vectors.json` how they were made, `index.faiss` a structure over them where
one was asked for. Encoding goes to a file with another name, chunk by chunk, and continues after a kill.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mdr.engines.exact import ExactIndex, longest_row
from mdr.engines.vector_file import write_vectors
from mdr.errors import ArtefactError, InputError
from mdr.ports import Encoder
from mdr.storage.files import digest, read_json, sha256_file, write_json
from mdr.types import Passage

if TYPE_CHECKING:
    from mdr.engines.faiss_index import FaissIndex

EXACT = "exact"
DTYPES = ("float32", "float16")
_VECTORS, _FACTS, _FAISS = "vectors.npy", "vectors.json", "index.faiss"


def build(
    encoder: Encoder,
    passages: Iterable[Passage],
    count: int,
    folder: Path,
    *,
    factory: str = EXACT,
    dtype: str = "float32",
) -> Iterator[int]:
    """Encode `count` passages into a folder and make them searchable; yields how many are done."""
    if dtype not in DTYPES:
        raise InputError(f"vectors cannot be kept as {dtype!r}", f"give one of {', '.join(DTYPES)}")
    if factory != EXACT:
        from mdr.engines import faiss_index

        faiss_index.check(factory, encoder.dimension)
    yield from write_vectors(encoder, (passage.full_text for passage in passages), count, folder / _VECTORS, dtype)
    content = {_VECTORS: sha256_file(folder / _VECTORS)}
    if factory != EXACT:
        faiss_index.write(np.load(folder / _VECTORS, mmap_mode="r"), factory, folder / _FAISS)
        content[_FAISS] = sha256_file(folder / _FAISS)
    facts = {
        "made_by": encoder.fingerprint,
        "factory": factory,
        "rows": count,
        "dimension": encoder.dimension,
        "dtype": dtype,
        "longest": longest_row(np.load(folder / _VECTORS, mmap_mode="r")),
        "content": digest(content),
    }
    write_json(folder / _FACTS, facts)
    yield count


def open_index(folder: Path, *, device: str = "auto") -> ExactIndex | FaissIndex:
    """What `build` wrote. Vectors stay on disk, memory-mapped, until they are searched."""
    facts = read_json(folder / _FACTS)
    try:
        vectors = np.load(folder / _VECTORS, mmap_mode="c")  # to torch, read-only memory is none
        expected = (facts["rows"], facts["dimension"])
        names = {"fingerprint": digest([facts["content"], facts["factory"]]), "made_by": str(facts["made_by"])}
        factory, longest = facts["factory"], float(facts["longest"])
    except (OSError, ValueError, KeyError) as error:
        raise ArtefactError(f"{folder} cannot be opened: {error}", "delete it; the next run makes it again") from error
    if vectors.shape != expected or str(vectors.dtype) != facts["dtype"]:
        raise ArtefactError(
            f"{folder / _VECTORS} holds {vectors.shape} of {vectors.dtype}, expected {expected} of {facts['dtype']}",
            "delete the folder; the next run makes it again",
        )
    if factory == EXACT:
        return ExactIndex(vectors, device=device, longest=longest, **names)
    from mdr.engines.faiss_index import FaissIndex

    return FaissIndex(folder / _FAISS, **names)
