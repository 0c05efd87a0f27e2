"""A reranker that remembers: no pair is judged twice, not even by another run or process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mdr.engines.cached_scores import CachedScores
from mdr.ports import Reranker, Scores
from mdr.types import Passage, Query


class CachedReranker:
    """Another reranker, with its scores kept in a file."""

    def __init__(self, reranker: Reranker, path: Path) -> None:
        self._reranker = reranker
        self._scores = CachedScores(path)

    @property
    def fingerprint(self) -> str:
        """The reranker's own: it would answer the same without the file."""
        return self._reranker.fingerprint

    def score(self, queries: Sequence[Query], passages: Sequence[Passage]) -> Scores:
        """What the file knows, and what the reranker says of the rest."""
        return self._scores.of(self.fingerprint, self._reranker.score, queries, passages)

    def close(self) -> None:
        """Let go of the file."""
        self._scores.close()
