"""A generator that remembers: no likelihood is computed twice, not even by another run or process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mdr.engines.cached_scores import CachedScores
from mdr.ports import Generator, Scores
from mdr.types import Passage, Query


class CachedGenerator:
    """Another generator, with its likelihoods kept in a file."""

    def __init__(self, generator: Generator, path: Path) -> None:
        self._generator = generator
        self._scores = CachedScores(path)

    @property
    def fingerprint(self) -> str:
        """The generator's own: it would answer the same without the file."""
        return self._generator.fingerprint

    def write(self, passages: Sequence[Passage], langs: Sequence[str], *, n: int, seed: int) -> list[list[str]]:
        """As the generator does; questions are not kept."""
        return self._generator.write(passages, langs, n=n, seed=seed)

    def log_likelihood(self, queries: Sequence[Query], passages: Sequence[Passage]) -> Scores:
        """What the file knows, and what the generator says of the rest."""
        return self._scores.of(self.fingerprint, self._generator.log_likelihood, queries, passages)

    def close(self) -> None:
        """Let go of the file."""
        self._scores.close()
