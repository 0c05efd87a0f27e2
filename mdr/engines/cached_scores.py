"""Scores that are remembered: nothing is judged twice, not even by another run or process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mdr.errors import InputError
from mdr.ports import Scores
from mdr.storage.likelihoods import LikelihoodFile, likelihood_key
from mdr.types import Passage, Query

_KEPT_AT_ONCE = 512
"""Pairs that are lost at most when scoring is killed."""


class CachedScores:
    """Scores of queries and passages in a file, by the fingerprint of who judged."""

    def __init__(self, path: Path) -> None:
        self._file = LikelihoodFile(path)

    def of(
        self,
        fingerprint: str,
        judge: Callable[[Sequence[Query], Sequence[Passage]], Scores],
        queries: Sequence[Query],
        passages: Sequence[Passage],
    ) -> Scores:
        """What the file knows, and what the judge says of the rest."""
        if len(queries) != len(passages):
            raise InputError(
                f"{len(queries):,} queries are given with {len(passages):,} passages", "give one beside each"
            )
        keys = [likelihood_key(fingerprint, *pair) for pair in zip(queries, passages, strict=True)]
        places = dict(zip(reversed(keys), reversed(range(len(keys))), strict=True))  # the first of equal pairs
        known = self._file.get(list(places))
        # Long passages first, as engines do: chunks of like lengths cost least.
        missing = sorted(
            (place for key, place in places.items() if key not in known),
            key=lambda place: (-len(passages[place].full_text), passages[place].full_text, place),
        )
        for start in range(0, len(missing), _KEPT_AT_ONCE):
            chunk = missing[start : start + _KEPT_AT_ONCE]
            scores = judge([queries[place] for place in chunk], [passages[place] for place in chunk])
            new = {keys[place]: float(score) for place, score in zip(chunk, scores, strict=True)}
            self._file.put(new)
            known |= new
        return np.array([known[key] for key in keys], dtype=np.float64)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
