"""Unlabelled pairs for contrastive learning, cut straight from token arrays.

Five tasks: a text and its translation, a sentence and the passage around it in another language, a title and its
text, a crop and the passage it was cut from (with the crop left in or taken out), and translations beside texts that
have none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdr.training.batches import Bags, Batch, Ints, Random
from mdr.training.texts import RUNNING, Texts

BODY = 96
"""Tokens of a passage that are read; where longer, a random stretch."""

NEIGHBOURS = 8
"""Windows closer than this may share sentences, so they never count as wrong answers to each other."""

WITHOUT = 0.2
"""How often a crop is taken out of its passage. More often, and the encoder forgets that equal words mean much."""


class Spans(NamedTuple):
    """Stretches of the token array, each owned by a pair."""

    starts: Ints
    lengths: Ints
    owners: Ints


class TokenTexts:
    """Tokenized texts with their languages, and what tasks need to know of them."""

    def __init__(self, texts: Texts, ids: Sequence[NDArray[np.int32]]) -> None:
        self.tokens = np.concatenate(ids).astype(np.int64)
        self.lengths = np.array([len(text) for text in ids], np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        codes = sorted(set(texts.langs))
        self.codes: Sequence[str] = codes
        """What the numbers in `langs` stand for."""
        self.langs = np.array([codes.index(lang) for lang in texts.langs], np.int64)
        self._read_meanings(texts)
        self._read_streams(texts, len(codes))
        self._read_passages(texts, len(codes))

    def _read_meanings(self, texts: Texts) -> None:
        self.members = np.array([member for meaning in texts.meanings for member in meaning], np.int64)
        self.sizes = np.array([len(meaning) for meaning in texts.meanings], np.int64)
        self.firsts = np.cumsum(self.sizes) - self.sizes
        self.by_source: list[Ints] = []
        self.meaning_odds: NDArray[np.float64] = np.empty(0)
        self.source_odds: NDArray[np.float64] = np.empty(0)
        if not texts.meanings:
            return
        told = np.bincount(self.langs[self.members])
        # Rare languages count more, and so do meanings told in many languages.
        weights = np.add.reduceat(told[self.langs[self.members]] ** -0.5, self.firsts)
        names = sorted(set(texts.sources))
        of = np.array([names.index(source) for source in texts.sources], np.int64)
        self.by_source = [np.flatnonzero(of == source) for source in range(len(names))]
        self.meaning_odds = weights / weights.sum()
        self.source_odds = np.bincount(of, self.meaning_odds).astype(np.float64)

    def _read_streams(self, texts: Texts, langs: int) -> None:
        rows: list[Ints] = []
        gap = np.full((NEIGHBOURS, langs), -1, np.int64)
        for source in RUNNING:
            told = [meaning for meaning, of in zip(texts.meanings, texts.sources, strict=True) if of == source]
            table = np.full((len(told), langs), -1, np.int64)
            for row, meaning in enumerate(told):
                table[row, self.langs[meaning]] = meaning
            rows += [table, gap]
        self.table = np.concatenate(rows) if rows else np.empty((0, langs), np.int64)

    def _read_passages(self, texts: Texts, langs: int) -> None:
        pairs = np.array(texts.passages, np.int64).reshape(-1, 2)
        pairs = pairs[self.lengths[pairs[:, 1]] >= 16]
        self.titles, self.bodies = pairs[:, 0], pairs[:, 1]
        of = self.langs[self.bodies]
        self.by_lang = [np.flatnonzero(of == lang) for lang in range(langs)]
        counts = np.array([len(rows) for rows in self.by_lang], float)
        self.lang_odds = counts**0.5 / max(1.0, (counts**0.5).sum())
        odds = counts[of] ** -0.5
        self.passage_odds = odds / max(1e-9, odds.sum())

    @property
    def tasks(self) -> list[str]:
        """Those that there are texts for."""
        there = {"translation": len(self.sizes), "window": len(self.table), "title": len(self.bodies)}
        there |= {"crop": len(self.bodies), "language": min(len(self.sizes), len(self.bodies))}
        return [task for task in TASKS if there[task]]


@dataclass(frozen=True)
class SelfSupervised:
    """One task as a source of batches. `dropout` is the share of tokens left out, so that no text leans on one."""

    texts: TokenTexts
    task: str
    dropout: float = 0.1

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        """A batch of at most this size."""
        return TASKS[self.task](_Draw(self.texts, random, self.dropout), size)


class _Draw:
    """One batch being drawn."""

    def __init__(self, texts: TokenTexts, random: Random, dropout: float) -> None:
        self._texts = texts
        self._random = random
        self._dropout = dropout

    def translation(self, size: int) -> Batch:
        """A text and the same in another language; from one source, where wrong answers are closest, or from all."""
        texts = self._texts
        if self._random.random() < 0.5:
            rows = texts.by_source[self._random.choice(len(texts.by_source), p=texts.source_odds)]
        else:
            rows = np.arange(len(texts.sizes))
        drawn = self._weighted(rows, texts.meaning_odds[rows], size)
        sizes = texts.sizes[drawn]
        one = self._below(sizes)
        other = (one + 1 + self._below(sizes - 1)) % sizes
        a, b = texts.members[texts.firsts[drawn] + one], texts.members[texts.firsts[drawn] + other]
        differ = texts.langs[a] != texts.langs[b]
        return self._batch(self._whole(a[differ]), self._whole(b[differ]), np.arange(int(differ.sum())))

    def window(self, size: int) -> Batch:
        """A sentence, and the sentences around it in another language."""
        table = self._texts.table
        rows = self._random.choice(len(table), min(size, len(table)), replace=False)
        there = table[rows] >= 0
        rows, there = rows[there.sum(1) > 1], there[there.sum(1) > 1]
        order = np.argsort(np.where(there, self._random.random(there.shape), 2.0), axis=1)
        asks, tells = order[:, 0], order[:, 1]
        length = self._random.integers(2, 6, len(rows))
        first = rows - self._below(length)
        owners = np.repeat(np.arange(len(rows)), length)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(length) - length, length)
        at = np.clip(np.repeat(first, length) + within, 0, len(table) - 1)
        members = table[at, np.repeat(tells, length)]
        kept = members >= 0
        members, owners = members[kept], owners[kept]
        passages = Spans(self._texts.starts[members], self._texts.lengths[members], owners)
        asked = table[rows, asks]
        lengths = self._texts.lengths[asked]
        short = np.minimum(lengths, self._log_uniform(4, 64, len(rows)))
        queries = self._cut(self._texts.starts[asked], lengths, short)
        return self._batch(queries, passages, rows // NEIGHBOURS)

    def language(self, size: int) -> Batch:
        """Texts with their translations, and as many stretches of passages, most without one."""
        batch = self.translation(size)
        starts, lengths = self._stretch(self._texts.bodies[self._passages(size)])
        short = np.minimum(lengths, self._log_uniform(8, 48, len(lengths)))
        return replace(batch, others=self._bags(self._cut(starts, lengths, short), len(short)))

    def title(self, size: int) -> Batch:
        """A title and a text under it, each title once."""
        texts = self._texts
        rows = self._passages(size)
        rows = rows[texts.titles[rows] >= 0]
        titles, firsts = np.unique(texts.titles[rows], return_index=True)
        starts, lengths = self._stretch(texts.bodies[rows[firsts]])
        passages = Spans(starts, lengths, np.arange(len(titles)))
        return self._batch(self._whole(titles), passages, np.arange(len(titles)))

    def crop(self, size: int) -> Batch:
        """A short stretch, and the passage it is from: at times without it, half the time under its title."""
        texts = self._texts
        rows = self._passages(size)
        starts, lengths = self._stretch(texts.bodies[rows])
        queries = self._cut(starts, lengths, np.minimum(lengths // 2, self._log_uniform(4, 20, len(rows))))
        without = self._random.random(len(rows)) < WITHOUT
        cut_start = np.where(without, queries.starts, starts + lengths)
        cut_end = np.where(without, queries.starts + queries.lengths, starts + lengths)
        titles = texts.titles[rows]
        titled = (titles >= 0) & (self._random.random(len(rows)) < 0.5)
        parts = (
            (texts.starts[titles], np.where(titled, texts.lengths[titles], 0)),
            (starts, cut_start - starts),
            (cut_end, starts + lengths - cut_end),
        )
        owners = np.tile(np.arange(len(rows)), 3)
        order = np.argsort(owners, kind="stable")
        passages = Spans(
            np.concatenate([part[0] for part in parts])[order],
            np.concatenate([part[1] for part in parts])[order],
            owners[order],
        )
        return self._batch(queries, passages, np.arange(len(rows)))

    def _passages(self, size: int) -> Ints:
        """Passages of one language: among those of others, telling languages apart would be right often enough."""
        texts = self._texts
        rows = texts.by_lang[self._random.choice(len(texts.by_lang), p=texts.lang_odds)]
        chosen: Ints = self._random.choice(rows, min(size, len(rows)), replace=False)
        return chosen

    def _weighted(self, rows: Ints, odds: NDArray[np.float64], size: int) -> Ints:
        """At most so many different rows, the likely ones rather."""
        summed = np.cumsum(odds)
        places = np.unique(np.searchsorted(summed, self._random.random(size) * summed[-1], side="right"))
        return np.take(rows, places, mode="clip")

    def _below(self, limits: Ints) -> Ints:
        return (self._random.random(len(limits)) * limits).astype(np.int64)

    def _log_uniform(self, low: int, high: int, count: int) -> Ints:
        return np.exp(self._random.uniform(np.log(low), np.log(high + 1), count)).astype(np.int64)

    def _stretch(self, texts: Ints) -> tuple[Ints, Ints]:
        lengths = np.minimum(self._texts.lengths[texts], BODY)
        return self._texts.starts[texts] + self._below(self._texts.lengths[texts] - lengths + 1), lengths

    def _cut(self, starts: Ints, lengths: Ints, short: Ints) -> Spans:
        return Spans(starts + self._below(lengths - short + 1), short, np.arange(len(starts)))

    def _whole(self, texts: Ints) -> Spans:
        return Spans(self._texts.starts[texts], self._texts.lengths[texts], np.arange(len(texts)))

    def _batch(self, queries: Spans, passages: Spans, keys: Ints) -> Batch:
        """Pairs with equal keys are not negatives of each other."""
        same = keys[:, None] == keys[None, :]
        np.fill_diagonal(same, False)
        return Batch(self._bags(queries, len(keys)), self._bags(passages, len(keys)), masked=same)

    def _bags(self, spans: Spans, count: int) -> Bags:
        before = np.cumsum(spans.lengths) - spans.lengths
        at = np.arange(spans.lengths.sum()) + np.repeat(spans.starts - before, spans.lengths)
        owners = np.repeat(spans.owners, spans.lengths)
        kept = self._random.random(len(at)) >= self._dropout
        sizes = np.bincount(owners[kept], minlength=count)
        return Bags(self._texts.tokens[at[kept]], np.cumsum(sizes) - sizes)


TASKS: dict[str, Callable[[_Draw, int], Batch]] = {
    "translation": _Draw.translation,
    "window": _Draw.window,
    "title": _Draw.title,
    "crop": _Draw.crop,
    "language": _Draw.language,
}
