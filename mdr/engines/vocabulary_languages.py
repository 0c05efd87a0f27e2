"""Which tokens of a vocabulary a language uses, as counted in texts and kept beside a generator's weights.

A small generator that learned to ask in few languages begins a question in one and drifts into another of the same
script. Where its folder has these counts, it writes a language's own tokens and those of the passage only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mdr.core.languages import code_of
from mdr.ports import Mask
from mdr.storage.files import disk_errors

FILE = "languages.safetensors"
_FOREIGN = 0.05
"""A token is foreign to a language that uses it less than this share of what the language that uses it most does."""


def own_tokens(counts: Mapping[str, NDArray[np.int64]]) -> dict[str, Mask]:
    """By language, the tokens that are its own, from how often texts in each language have each token.

    >>> own_tokens({"en": np.array([90, 10, 0]), "fi": np.array([1, 60, 39])})["fi"].tolist()
    [False, True, True]
    """
    shares = {lang: its / max(1, its.sum()) for lang, its in counts.items()}
    most = np.max(list(shares.values()), axis=0)
    return {lang: (its > 0) & (its >= _FOREIGN * most) for lang, its in shares.items()}


def write_own_tokens(folder: Path, tokens: Mapping[str, Mask]) -> None:
    """Beside the weights, a bit for each token and language."""
    from safetensors.numpy import save

    with disk_errors(folder / FILE):
        (folder / FILE).write_bytes(save({lang: np.packbits(mask) for lang, mask in tokens.items()}))


def read_own_tokens(folder: Path, size: int) -> dict[str, Mask]:
    """What was written, cut or filled up to a vocabulary's size; empty where nothing was."""
    from safetensors.numpy import load_file

    if not (folder / FILE).is_file():
        return {}
    found = {}
    for lang, packed in load_file(folder / FILE).items():
        mask = np.zeros(size, dtype=bool)
        bits = np.unpackbits(packed)[:size].astype(bool)
        mask[: len(bits)] = bits
        found[code_of(lang)] = mask
    return found
