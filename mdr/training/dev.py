"""What weights are chosen by: how well held-out queries find their answers among the answers of all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mdr.core.languages import code_of
from mdr.training.batches import Ints, bags
from mdr.training.dual import DualEncoder
from mdr.training.sources import HeldOut, Tokens
from mdr.types import Role

_CUTOFF = 10
_PIECE = 16_384
"""Tokens encoded at once."""


class DevMeasure:
    """MRR@10, each query among the passages in its own language; mean over languages."""

    def __init__(
        self, model: DualEncoder, tokens: Tokens, held: Sequence[HeldOut], precision: torch.dtype | None = None
    ) -> None:
        self._model, self._precision = model, precision
        self._parts = [
            (
                tokens([query.text for query in part.queries], "query"),
                tokens([passage.full_text for passage in part.passages], "passage"),
                part,
            )
            for part in held
        ]

    def __call__(self) -> float:
        ranks: dict[str, list[float]] = {}
        for queries, passages, part in self._parts:
            asked, told = self._encode(queries, "query"), self._encode(passages, "passage")
            langs = np.array([code_of(passage.lang) for passage in part.passages])
            for query, vector, answers in zip(part.queries, asked, part.answers, strict=True):
                lang = code_of(query.lang)
                own = (langs == lang) | np.isin(np.arange(len(langs)), answers)
                scores = told @ vector
                rank = 1 + int((scores[own] > scores[answers].max()).sum())
                ranks.setdefault(lang, []).append(1 / rank if rank <= _CUTOFF else 0.0)
        return float(np.mean([np.mean(values) for values in ranks.values()]))

    def _encode(self, texts: Sequence[Ints], role: Role) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        device = next(self._model.parameters()).device
        found = np.zeros((len(texts), self._model.dimension), np.float32)
        for rows in _pieces(texts):
            with torch.no_grad(), torch.autocast(device.type, self._precision, enabled=self._precision is not None):
                vectors = self._model(bags([texts[row] for row in rows]), role)
            found[rows] = vectors.float().cpu().numpy()
        return found


def _pieces(texts: Sequence[Ints]) -> list[Ints]:
    rows = np.argsort([-len(text) for text in texts], kind="stable")
    pieces = []
    while len(rows):
        size = max(1, _PIECE // max(1, len(texts[rows[0]])))
        pieces.append(rows[:size])
        rows = rows[size:]
    return pieces

