"""An encoder of two: one network for queries, another for passages, in one space."""

from __future__ import annotations

from collections.abc import Sequence

from mdr.errors import MismatchError
from mdr.ports import Encoder, Matrix, Tokens
from mdr.storage.files import digest
from mdr.types import Role


class TwoTowers:
    """Each side by its own encoder."""

    def __init__(self, query: Encoder, passage: Encoder) -> None:
        if query.dimension != passage.dimension:
            raise MismatchError(
                f"queries have {query.dimension} dimensions, passages {passage.dimension}",
                "the two towers were not trained together; save the model again",
            )
        self._towers = {"query": query, "passage": passage}
        self.device = getattr(query, "device", "cpu")

    @property
    def dimension(self) -> int:
        """Of the vectors, of either side."""
        return self._towers["query"].dimension

    @property
    def fingerprint(self) -> str:
        """Of both networks, and which reads what."""
        return digest([tower.fingerprint for tower in self._towers.values()])

    def encode(self, texts: Sequence[str], role: Role) -> Matrix:
        """One row per text."""
        return self._towers[role].encode(texts, role)

    def tokens(self, text: str, role: Role) -> Tokens:
        """As the side's own encoder reads them."""
        return self._towers[role].tokens(text, role)
