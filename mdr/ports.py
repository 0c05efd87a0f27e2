"""What the rest of the project needs from engines, as protocols. Implementations live in `mdr.engines`.

Every implementation of a port passes the same contract suite in `tests/contracts`.
A `fingerprint` names everything that can change an answer: weights, prompts, pooling, analyzer, text.
Two engines with one fingerprint give one answer; anything cached or indexed is keyed by it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mdr.types import Passage, Query, Ranking, Role, Term

Matrix: TypeAlias = NDArray[np.float32]
Scores: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]


class TopK(NamedTuple):
    """Row positions and scores of the best k, best first; short rows are padded with -1 and -inf."""

    positions: NDArray[np.int64]
    scores: Matrix


class Guess(NamedTuple):
    """A language, or "" where the text does not say; `confidence` in 0…1."""

    lang: str
    confidence: float


class Tokens(NamedTuple):
    """What an encoder reads of one text: a vector per token, and the characters (from, to) where it stands."""

    vectors: Matrix
    spans: tuple[tuple[int, int], ...]


@runtime_checkable
class Encoder(Protocol):
    """Texts to vectors, compared by inner product."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    def encode(self, texts: Sequence[str], role: Role) -> Matrix: ...
    def tokens(self, text: str, role: Role) -> Tokens:
        """The vectors that pooling makes the text's vector of, without those of prompts and special tokens."""
        ...


@runtime_checkable
class VectorIndex(Protocol):
    """Rows of vectors, searched by inner product. Ties go to the lower position."""

    @property
    def fingerprint(self) -> str: ...
    def __len__(self) -> int: ...
    def search(self, queries: Matrix, k: int, *, allowed: Mask | None = None) -> TopK: ...


@runtime_checkable
class Retriever(Protocol):
    """Queries to rankings: lexical, dense and hybrid alike.

    `langs` keeps passages in those languages, `subset` those with these ids; both apply before the top k.
    """

    @property
    def fingerprint(self) -> str: ...
    def search(
        self,
        queries: Sequence[Query],
        k: int,
        *,
        langs: Collection[str] | None = None,
        subset: Collection[str] | None = None,
    ) -> list[Ranking]: ...


class LexicalRetriever(Retriever, Protocol):
    """A retriever that can also say which words made it so."""

    def terms(self, query: str, passage: Passage) -> list[Term]: ...


class DenseRetriever(Retriever, Protocol):
    """A retriever that can also find passages like a passage, and lets its encoder be asked."""

    @property
    def encoder(self) -> Encoder: ...
    def like(self, passage: Passage, k: int, *, langs: Collection[str] | None = None) -> Ranking:
        """The k passages nearest to a passage, itself included."""
        ...


class LanguageIdentifier(Protocol):
    """Which language a text is in, among those it was made for."""

    def identify(self, text: str) -> Guess: ...


class Generator(Protocol):
    """Writes questions for passages, and says how likely a question is for one."""

    @property
    def fingerprint(self) -> str: ...
    def write(self, passages: Sequence[Passage], langs: Sequence[str], *, n: int, seed: int) -> list[list[str]]:
        """`n` questions for each passage, each in the language given beside the passage. Equal seeds write alike,
        whatever else is in the call."""
        ...

    def log_likelihood(self, queries: Sequence[Query], passages: Sequence[Passage]) -> Scores:
        """Mean log-probability per token of each query given the passage beside it."""
        ...


class Reranker(Protocol):
    """Reads a query and a passage together, and says how well the one answers the other."""

    @property
    def fingerprint(self) -> str: ...
    def score(self, queries: Sequence[Query], passages: Sequence[Passage]) -> Scores:
        """A score for each query with the passage beside it; higher is better."""
        ...


class Engines(Protocol):
    """How stages reach engines without constructing them; the workbench implements it.

    Builders write into a folder and yield how many passages are done; openers read what they wrote.
    """

    def encoder(self, name: str) -> Encoder: ...
    def generator(self, name: str) -> Generator: ...
    def reranker(self, name: str) -> Reranker: ...
    def language_identifier(self, langs: Collection[str]) -> LanguageIdentifier: ...
    def model_folder(self, name: str) -> Path:
        """Where a model lies; empty: the encoder that training begins from."""
        ...

    def generator_folder(self, name: str) -> Path:
        """Where a generator lies; empty: the default one."""
        ...

    def analyzer_fingerprint(self, langs: Collection[str]) -> str: ...
    def build_lexical(self, passages: Iterable[Passage], folder: Path, *, k1: float, b: float) -> Iterable[int]: ...
    def build_vectors(
        self, passages: Iterable[Passage], count: int, folder: Path, *, encoder: str, factory: str, dtype: str
    ) -> Iterable[int]: ...
    def open_lexical(self, folder: Path) -> LexicalRetriever: ...
    def open_dense(self, folder: Path, passages: Path, *, encoder: str) -> DenseRetriever: ...
