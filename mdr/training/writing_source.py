"""What the shipped generator learns from, cut from token arrays: asking, translating and cropping.

Every input begins with two marks: what to do and in which language to write. `ask` is learned from question–passage
pairs; `translate` from parallel texts, questions above all; `crop` from any passage: it writes a stretch of it, which
teaches copying, in every language, where no questions are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdr.training.batches import Batch, Ints, Random, bags
from mdr.training.self_supervised import TokenTexts

ASK, TRANSLATE, CROP = "<ask>", "<translate>", "<crop>"
LONGEST = 48
"""Tokens of a query."""


def mark(lang: str) -> str:
    """The token that names a language."""
    return f"<{lang}>"


@dataclass(frozen=True)
class Marks:
    """Ids of the tokens beside the vocabulary."""

    ids: Mapping[str, int]

    def framed(self, task: str, lang: str, body: Ints) -> Ints:
        """What the network reads."""
        return np.concatenate([[self.ids[task], self.ids[mark(lang)]], body, [self.ids["</s>"]]])

    def ended(self, body: Ints) -> Ints:
        """What it writes."""
        return np.concatenate([body, [self.ids["</s>"]]])


class Asking:
    """Questions with their passages, languages by the square root of their number."""

    def __init__(
        self, queries: Sequence[Ints], passages: Sequence[Ints], langs: Sequence[str], marks: Marks, body: int
    ) -> None:
        self._queries, self._passages, self._langs = queries, passages, langs
        self._marks, self._body = marks, body
        counts = Counter(langs)
        odds = np.array([counts[lang] ** -0.5 for lang in langs])
        self._odds = odds / odds.sum()

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        """Passages to read, questions to write. Where a passage is too long, a stretch with its beginning."""
        rows = random.choice(len(self._queries), min(size, len(self._queries)), replace=False, p=self._odds)
        marks = self._marks
        return Batch(
            bags([marks.ended(self._queries[row][:LONGEST]) for row in rows]),
            bags([marks.framed(ASK, self._langs[row], self._passages[row][: self._body]) for row in rows]),
        )


class Translating:
    """Parallel texts; `questions` marks those that end with a question mark, half of what is drawn."""

    def __init__(self, texts: TokenTexts, questions: NDArray[np.bool_], marks: Marks) -> None:
        self._texts, self._marks = texts, marks
        asking = np.logical_or.reduceat(questions[texts.members], texts.firsts)
        odds = np.where(asking, 0.5 / max(1, asking.sum()), 0.5 / max(1, (~asking).sum()))
        self._odds = odds * texts.meaning_odds
        self._odds /= self._odds.sum()

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        """A text to read, the same in another language to write."""
        texts, marks = self._texts, self._marks
        rows = random.choice(len(texts.sizes), size, p=self._odds)
        read, written = [], []
        for row in rows:
            members = texts.members[texts.firsts[row] : texts.firsts[row] + texts.sizes[row]]
            source, target = random.choice(members, 2, replace=False)
            read.append(marks.framed(TRANSLATE, texts.codes[texts.langs[target]], _text(texts, source)[:LONGEST]))
            written.append(marks.ended(_text(texts, target)[:LONGEST]))
        return Batch(bags(written), bags(read))


class Cropping:
    """Passages, and a stretch of each to write, often from its title on; in all languages, or in those given.

    As `task` it may be told to ask: a language without questions to learn from then learns at least to ask in its own
    words instead of another language's.
    """

    def __init__(
        self, texts: TokenTexts, marks: Marks, body: int, *, task: str = CROP, langs: Sequence[str] = ()
    ) -> None:
        self._texts, self._marks, self._body, self._task = texts, marks, body, task
        chosen = np.isin(texts.langs[texts.bodies], [texts.codes.index(lang) for lang in langs or texts.codes])
        odds = np.where(chosen, texts.passage_odds, 0.0)
        self._odds = odds / max(1e-9, odds.sum())

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        """A passage to read, a stretch of it to write."""
        texts, marks = self._texts, self._marks
        rows = random.choice(len(texts.bodies), size, p=self._odds)
        read, written = [], []
        for row in rows:
            title = texts.titles[row]
            head = _text(texts, title) if title >= 0 else np.empty(0, np.int64)
            body = np.concatenate([head, _text(texts, texts.bodies[row])])[: self._body]
            length = int(random.integers(4, 13))
            start = 0 if len(head) and random.random() < 0.3 else int(random.integers(max(1, len(body) - length + 1)))
            lang = texts.codes[texts.langs[texts.bodies[row]]]
            read.append(marks.framed(self._task, lang, body))
            written.append(marks.ended(body[start : start + length]))
        return Batch(bags(written), bags(read))


def _text(texts: TokenTexts, row: int) -> Ints:
    found: Ints = texts.tokens[texts.starts[row] : texts.starts[row] + texts.lengths[row]]
    return found
