"""What one objective sees in one step: texts as token ids, who answers whom, and what a teacher thinks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mdr.ports import Mask, Matrix

Ints = NDArray[np.int64]
Random = np.random.Generator


class Bags(NamedTuple):
    """Token ids of many texts end to end, and where each begins."""

    tokens: Ints
    offsets: Ints

    @property
    def lengths(self) -> Ints:
        """Tokens of each text."""
        lengths: Ints = np.diff(self.offsets, append=len(self.tokens))
        return lengths

    def take(self, rows: Ints) -> Bags:
        """Some of the texts, in this order."""
        lengths = self.lengths[rows]
        offsets = np.cumsum(lengths) - lengths
        at = np.arange(int(lengths.sum())) + np.repeat(self.offsets[rows] - offsets, lengths)
        return Bags(self.tokens[at], offsets)

    def padded(self, padding: int) -> tuple[Ints, Mask]:
        """A row per text, and which places are its own; an empty text has one place of padding."""
        lengths = self.lengths
        there = np.arange(max(1, int(lengths.max(initial=0))))[None, :] < lengths[:, None]
        ids = np.full(there.shape, padding, np.int64)
        ids[there] = self.tokens
        there[:, 0] = True  # a network cannot attend to nothing
        return ids, there

    def thinned(self, share: float, random: Random) -> Bags:
        """Without a share of the tokens, so that no text leans on one."""
        if not share:
            return self
        kept = random.random(len(self.tokens)) >= share
        before = np.concatenate([[0], np.cumsum(kept)])
        return Bags(self.tokens[kept], before[self.offsets])

    def lists(self) -> list[list[int]]:
        """As plain values."""
        return [each.tolist() for each in np.split(self.tokens, self.offsets[1:])] if len(self.offsets) else []


def bags(texts: Sequence[Sequence[int] | Ints]) -> Bags:
    """Texts as one array."""
    lengths = np.array([len(text) for text in texts], np.int64)
    tokens = np.concatenate([np.asarray(text, np.int64) for text in texts]) if len(texts) else np.empty(0, np.int64)
    return Bags(tokens, np.cumsum(lengths) - lengths)


def joined(parts: Sequence[Bags]) -> Bags:
    """The texts of several bags after each other."""
    sizes = np.array([len(part.tokens) for part in parts], np.int64)
    starts = np.cumsum(sizes) - sizes
    return Bags(
        np.concatenate([part.tokens for part in parts]),
        np.concatenate([part.offsets + start for part, start in zip(parts, starts, strict=True)]),
    )


NONE = Bags(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True)
class Batch:
    """Passage i answers query i; passages behind these are further negatives.

    `masked` marks passages that are no negatives of a query, though they are not its answer here.
    `candidates` are each query's own list, as places among the passages, and `teacher` the scores of these.
    `others` are more texts an objective needs: the queries in another language, or sentences without translation.
    """

    queries: Bags
    passages: Bags
    others: Bags = NONE
    masked: Mask | None = None
    candidates: Ints | None = None
    teacher: Matrix | None = None
    weights: Matrix | None = None
    lang: str = ""
    """The language of the queries; empty where they are mixed."""

    def __len__(self) -> int:
        return len(self.queries.offsets)


class Source(Protocol):
    """Where batches come from. A batch is a function of size, turn and random state alone: nothing is kept between
    draws, so training that resumes at a step sees what it would have seen."""

    def draw(self, size: int, turn: int, random: Random) -> Batch: ...


@runtime_checkable
class Paced(Protocol):
    """A source that changes while training goes on."""

    def at(self, progress: float) -> Source:
        """The source as it is when so much (0 to 1) of training is done: a function of that alone."""
        ...
