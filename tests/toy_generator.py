"""A generator and a language identifier for tests of stages, over the words of `toy_indexes`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any
from zlib import crc32

import numpy as np
from toy_indexes import ToyEngines

from mdr.ports import Guess, Scores
from mdr.types import Passage, Query

Writes = Callable[[Passage, str, int, int], str]
"""A question by passage, language, number and seed."""


def three_words(passage: Passage, lang: str, number: int, seed: int) -> str:
    """Three words of a passage in another order, each put into the language. The third question strays: it has one."""
    words = passage.text.split()
    random = np.random.default_rng([seed, number, crc32(passage.text.encode()), crc32(lang.encode())])
    chosen = [words[place] for place in random.permutation(len(words))[:3]]
    if number == 2:
        chosen[1:] = (f"{passage.lang}{word}" for word in random.integers(0, 30, 2))
    return " ".join(["what", *(word.replace(passage.lang, lang) for word in chosen)])


class ToyGenerator:
    """Writes what it is told to; its likelihood goes by shared words, and a little by chance."""

    def __init__(self, weights: int = 0, writes: Writes = three_words) -> None:
        self.weights, self.writes = weights, writes
        self.written: list[int] = []
        self.scored: list[int] = []
        self.dies_after = 10**9
        """Calls of `write` or `log_likelihood` that it lives through."""

    @property
    def fingerprint(self) -> str:
        return f"writer {self.weights}"

    def write(self, passages: Sequence[Passage], langs: Sequence[str], *, n: int, seed: int) -> list[list[str]]:
        self._live(self.written)
        self.written.append(len(passages))
        return [
            [self.writes(passage, lang, number, seed) for number in range(n)]
            for passage, lang in zip(passages, langs, strict=True)
        ]

    def log_likelihood(self, queries: Sequence[Query], passages: Sequence[Passage]) -> Scores:
        self._live(self.scored)
        self.scored.append(len(queries))
        return np.array([self.likelihood(*pair) for pair in zip(queries, passages, strict=True)])

    def likelihood(self, query: Query, passage: Passage) -> float:
        """Of one question."""
        shared = len({*query.text.split()} & {*passage.full_text.split()})
        return shared - 5 + crc32(repr((self.weights, query.lang, query.text, passage.text)).encode()) / 2**32

    def _live(self, calls: list[int]) -> None:
        if len(calls) >= self.dies_after:
            raise KeyboardInterrupt


class ToyIdentifier:
    """The language that most words begin with; "what" says nothing."""

    def __init__(self, langs: Collection[str]) -> None:
        self.langs = langs

    def identify(self, text: str) -> Guess:
        seen = Counter(word[:2] for word in text.split() if word[:2] in self.langs)
        return Guess(seen.most_common(1)[0][0], 1.0) if seen else Guess("", 0.0)


class ToyWriters(ToyEngines):
    """Toy indexes and a toy generator, whatever its name."""

    def __init__(self, generator: Any = None, **engines: Any) -> None:
        super().__init__(**engines)
        self.writer = generator or ToyGenerator()
        self.asked_for: list[str] = []

    def generator(self, name: str) -> Any:
        self.asked_for.append(name)
        return self.writer

    def language_identifier(self, langs: Collection[str]) -> ToyIdentifier:
        return ToyIdentifier(langs)
