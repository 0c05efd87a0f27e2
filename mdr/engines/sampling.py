"""Drawing tokens so that a text does not depend on what is written beside it.

Each text has a stream of its own: the noise of a token at a step is a hash of stream, step and token, and the token
with the highest noisy score is drawn (the Gumbel trick). Nothing is shared and nothing is used up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mdr.ports import Scores

Tokens = NDArray[np.int64]
Streams = NDArray[np.uint64]

_STEP, _TOKEN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03)
"""Odd numbers without pattern, so that neighbours in step and token lie far apart."""


def stream(*parts: object) -> int:
    """The stream that these name."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).digest()[:8])


def draw(scores: Scores, tokens: Tokens, streams: Streams, step: int, *, top_p: float, temperature: float) -> Tokens:
    """A token per row of candidates, best first, in proportion to softmax(score / temperature).

    Of each row the fewest candidates that reach `top_p` together take part.
    """
    scaled = scores / temperature
    chances = np.exp(scaled - scaled[:, :1])
    chances /= chances.sum(axis=1, keepdims=True)
    before = np.cumsum(chances, axis=1) - chances
    noisy = np.where(before < top_p, scaled + _gumbel(streams, step, tokens), -np.inf)
    drawn: Tokens = np.take_along_axis(tokens, noisy.argmax(axis=1)[:, None], axis=1)[:, 0]
    return drawn


def _gumbel(streams: Streams, step: int, tokens: Tokens) -> Scores:
    at = _mixed(streams[:, None] + np.full((1, 1), step, np.uint64) * _STEP)
    bits = _mixed(at + tokens.astype(np.uint64) * _TOKEN)
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    noise: Scores = -np.log(-np.log(uniform))
    return noise


def _mixed(values: Streams) -> Streams:
    """SplitMix64's finaliser: every bit of the input moves every bit of the output."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def repeats(written: Sequence[int], length: int = 3) -> list[int]:
    """Tokens that would end a run of `length` tokens which was written before."""
    last = list(written[len(written) - length + 1 :])
    return [
        written[start + length - 1]
        for start in range(len(written) - length + 1)
        if list(written[start : start + length - 1]) == last
    ]
