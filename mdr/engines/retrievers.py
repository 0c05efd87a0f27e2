"""Retrievers made of other engines: dense (encoder and vectors) and hybrid (words and meaning together)."""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Mapping, Sequence

import numpy as np

from mdr.core.fusion import FUSIONS, no_collecting
from mdr.errors import MismatchError
from mdr.ports import Encoder, Mask, Matrix, Retriever, VectorIndex
from mdr.storage.collection import Collection
from mdr.storage.files import digest
from mdr.types import Hit, Passage, Query, Ranking


class DenseRetriever:
    """Passages whose vectors are nearest to the query's."""

    def __init__(self, encoder: Encoder, index: VectorIndex, collection: Collection, made_by: str) -> None:
        if made_by != encoder.fingerprint:
            raise MismatchError(
                f"these vectors were made by encoder {made_by}, the query encoder is {encoder.fingerprint}",
                "index the collection again with this encoder: `mdr index NAME --encoder …`",
            )
        if len(index) != len(collection):
            raise MismatchError(
                f"the index holds {len(index):,} vectors, the collection {len(collection):,} passages",
                "index the collection again: `mdr index NAME`",
            )
        self.encoder, self._index, self._collection = encoder, index, collection

    @property
    def fingerprint(self) -> str:
        """Encoder and vectors."""
        return digest(["dense", self.encoder.fingerprint, self._index.fingerprint])

    def search(
        self, queries: Sequence[Query], k: int, *, langs: Some[str] | None = None, subset: Some[str] | None = None
    ) -> list[Ranking]:
        """The k nearest passages for each query."""
        if k <= 0 or not queries or not len(self._collection):
            return [[] for _ in queries]
        vectors = self.encoder.encode([query.text for query in queries], "query")
        allowed = self._collection.mask(
            None if langs is None else list(langs), None if subset is None else list(subset)
        )
        with no_collecting():
            return self._nearest(vectors, k, k + 1, allowed)

    def like(self, passage: Passage, k: int, *, langs: Some[str] | None = None) -> Ranking:
        """The k passages nearest to a passage, itself included."""
        if k <= 0 or not len(self._collection):
            return []
        vectors = self.encoder.encode([passage.full_text], "passage")
        [ranking] = self._nearest(vectors, k, k + 1, self._collection.mask(None if langs is None else list(langs)))
        return ranking

    def _nearest(self, vectors: Matrix, k: int, depth: int, allowed: Mask | None) -> list[Ranking]:
        """The k nearest, ties by id. The index breaks ties by position: a query for which it finds equals on both
        sides of the cut is asked again, deeper."""
        ids = self._collection.ids
        found = self._index.search(vectors, min(depth, len(ids)), allowed=allowed)
        equals = (found.scores[:, 1:] == found.scores[:, :-1]).any(axis=1).tolist()  # or less than was asked for
        rankings: list[Ranking] = []
        for row, (positions, scores) in enumerate(zip(found.positions.tolist(), found.scores.tolist(), strict=True)):
            if not equals[row] and positions[-1] >= 0:
                rankings.append(list(map(Hit, [ids[at] for at in positions[:k]], scores)))
            elif depth < len(ids) and positions[-1] >= 0 and scores[k - 1] == scores[-1]:
                rankings += self._nearest(vectors[row : row + 1], k, 4 * depth, allowed)
            else:
                hits = [Hit(ids[at], score) for at, score in zip(positions, scores, strict=True) if at >= 0]
                rankings.append(sorted(hits, key=lambda hit: (-hit.score, hit.id))[:k])
        return rankings


class HybridRetriever:
    """Lexical and dense rankings fused. `alpha` weighs the dense side; it may differ by query language."""

    def __init__(
        self,
        lexical: Retriever,
        dense: Retriever,
        *,
        fusion: str = "mr-tydi",
        alpha: float | Mapping[str, float] = 1.0,
        depth: int = 100,
    ) -> None:
        self._lexical, self._dense = lexical, dense
        self._fuse = FUSIONS[fusion]
        self._name, self._alpha, self._depth = fusion, alpha, depth

    @property
    def fingerprint(self) -> str:
        """Both sides and how they are fused."""
        alpha = self._alpha if isinstance(self._alpha, float | int) else dict(self._alpha)
        return digest(["hybrid", self._lexical.fingerprint, self._dense.fingerprint, self._name, alpha, self._depth])

    def alpha(self, lang: str) -> float:
        """The weight of the dense side for queries in a language."""
        if isinstance(self._alpha, Mapping):
            return self._alpha.get(lang, float(np.mean(list(self._alpha.values()))) if self._alpha else 1.0)
        return self._alpha

    def search(
        self, queries: Sequence[Query], k: int, *, langs: Some[str] | None = None, subset: Some[str] | None = None
    ) -> list[Ranking]:
        """Both sides to the same depth, fused."""
        depth = max(k, self._depth)
        lexical = self._lexical.search(queries, depth, langs=langs, subset=subset)
        dense = self._dense.search(queries, depth, langs=langs, subset=subset)
        return [
            self._fuse(words, meaning, k, self.alpha(query.lang))
            for query, words, meaning in zip(queries, lexical, dense, strict=True)
        ]
