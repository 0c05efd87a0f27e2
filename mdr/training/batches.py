"""Unlabelled pairs for contrastive learning, drawn by a seeded generator straight from token arrays.

Four tasks teach a bag of subwords: a text and its translation, a sentence and the passage around it in another
language, a title and its text, and a crop and the passage it was cut from (with the crop left in or taken out).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdr.training.texts import RUNNING, Texts

Ints = NDArray[np.int64]

BODY = 96
"""Tokens of a passage that are read; where longer, a random stretch."""

NEIGHBOURS = 8
"""Windows closer than this may share sentences, so they never count as wrong answers to each other."""


WITHOUT = 0.2
"""How often a crop is taken out of its passage. More often, and the encoder forgets that equal words mean much."""


class Bags(NamedTuple):
    """Token ids of many texts end to end, and where each begins."""

    tokens: Ints
    offsets: Ints


class Batch(NamedTuple):
    """Queries and their passages by place; pairs with equal keys are not negatives of each other."""

    queries: Bags
    passages: Bags
    keys: Ints


class Spans(NamedTuple):
    """Stretches of the token array, each owned by a pair."""

    starts: Ints
    lengths: Ints
    owners: Ints


class Sampler:
    """Draws batches from tokenized texts; equal seeds draw equal batches."""

    def __init__(self, texts: Texts, ids: Sequence[NDArray[np.int32]], seed: int, *, dropout: float = 0.1) -> None:
        self._random = np.random.default_rng(seed)
        self._dropout = dropout
        self._tokens = np.concatenate(ids).astype(np.int64)
        self._lengths = np.array([len(text) for text in ids], np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self._lengths)[:-1]])
        codes = sorted(set(texts.langs))
        self._langs = np.array([codes.index(lang) for lang in texts.langs], np.int64)
        self._read_meanings(texts)
        self._read_streams(texts, len(codes))
        self._read_passages(texts, len(codes))
        self.tasks: dict[str, Callable[[int], Batch]] = {
            "translation": self.translation,
            "window": self.window,
            "title": self.title,
            "crop": self.crop,
        }

    def _read_meanings(self, texts: Texts) -> None:
        self._members = np.array([member for meaning in texts.meanings for member in meaning], np.int64)
        self._sizes = np.array([len(meaning) for meaning in texts.meanings], np.int64)
        self._firsts = np.concatenate([[0], np.cumsum(self._sizes)[:-1]])
        told = np.bincount(self._langs[self._members])
        # Rare languages count more, and so do meanings told in many languages.
        weights = np.add.reduceat(told[self._langs[self._members]] ** -0.5, self._firsts)
        names = sorted(set(texts.sources))
        of = np.array([names.index(source) for source in texts.sources], np.int64)
        self._by_source = [np.flatnonzero(of == source) for source in range(len(names))]
        self._meaning_odds = weights / weights.sum()
        self._source_odds = np.bincount(of, self._meaning_odds)

    def _read_streams(self, texts: Texts, langs: int) -> None:
        rows: list[Ints] = []
        gap = np.full((NEIGHBOURS, langs), -1, np.int64)
        for source in RUNNING:
            told = [meaning for meaning, of in zip(texts.meanings, texts.sources, strict=True) if of == source]
            table = np.full((len(told), langs), -1, np.int64)
            for row, meaning in enumerate(told):
                table[row, self._langs[meaning]] = meaning
            rows += [table, gap]
        self._table = np.concatenate(rows) if rows else np.empty((0, langs), np.int64)

    def _read_passages(self, texts: Texts, langs: int) -> None:
        pairs = np.array(texts.passages, np.int64)
        pairs = pairs[self._lengths[pairs[:, 1]] >= 16]
        self._titles, self._bodies = pairs[:, 0], pairs[:, 1]
        of = self._langs[self._bodies]
        self._by_lang = [np.flatnonzero(of == lang) for lang in range(langs)]
        counts = np.maximum(1, [len(rows) for rows in self._by_lang])
        self._lang_odds = counts**0.5 / (counts**0.5).sum()
        self._passage_odds = (counts**-0.5)[of] / (counts**-0.5)[of].sum()

    def translation(self, size: int) -> Batch:
        """A text and the same in another language; from one source, where wrong answers are closest, or from all."""
        if self._random.random() < 0.5:
            rows = self._by_source[self._random.choice(len(self._by_source), p=self._source_odds)]
        else:
            rows = np.arange(len(self._sizes))
        drawn = self._draw(rows, self._meaning_odds[rows], size)
        sizes = self._sizes[drawn]
        one = self._below(sizes)
        other = (one + 1 + self._below(sizes - 1)) % sizes
        a, b = self._members[self._firsts[drawn] + one], self._members[self._firsts[drawn] + other]
        differ = self._langs[a] != self._langs[b]
        return self._batch(self._whole(a[differ]), self._whole(b[differ]), np.arange(int(differ.sum())))

    def window(self, size: int) -> Batch:
        """A sentence, and the sentences around it in another language."""
        rows = self._random.choice(len(self._table), min(size, len(self._table)), replace=False)
        there = self._table[rows] >= 0
        rows, there = rows[there.sum(1) > 1], there[there.sum(1) > 1]
        order = np.argsort(np.where(there, self._random.random(there.shape), 2.0), axis=1)
        asks, tells = order[:, 0], order[:, 1]
        length = self._random.integers(2, 6, len(rows))
        first = rows - self._below(length)
        owners = np.repeat(np.arange(len(rows)), length)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(length) - length, length)
        at = np.clip(np.repeat(first, length) + within, 0, len(self._table) - 1)
        members = self._table[at, np.repeat(tells, length)]
        kept = members >= 0
        members, owners = members[kept], owners[kept]
        passages = Spans(self._starts[members], self._lengths[members], owners)
        asked = self._table[rows, asks]
        short = np.minimum(self._lengths[asked], self._log_uniform(4, 64, len(rows)))
        queries = self._cut(self._starts[asked], self._lengths[asked], short)
        return self._batch(queries, passages, rows // NEIGHBOURS)

    def title(self, size: int) -> Batch:
        """A title and a text under it, each title once."""
        rows = self._rows(size)
        rows = rows[self._titles[rows] >= 0]
        titles, firsts = np.unique(self._titles[rows], return_index=True)
        starts, lengths = self._stretch(self._bodies[rows[firsts]])
        passages = Spans(starts, lengths, np.arange(len(titles)))
        return self._batch(self._whole(titles), passages, np.arange(len(titles)))

    def crop(self, size: int) -> Batch:
        """A short stretch, and the passage it is from: at times without it, half the time under its title."""
        rows = self._rows(size)
        starts, lengths = self._stretch(self._bodies[rows])
        queries = self._cut(starts, lengths, np.minimum(lengths // 2, self._log_uniform(4, 20, len(rows))))
        without = self._random.random(len(rows)) < WITHOUT
        cut_start = np.where(without, queries.starts, starts + lengths)
        cut_end = np.where(without, queries.starts + queries.lengths, starts + lengths)
        titles = self._titles[rows]
        titled = (titles >= 0) & (self._random.random(len(rows)) < 0.5)
        parts = (
            (self._starts[titles], np.where(titled, self._lengths[titles], 0)),
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

    def _rows(self, size: int) -> Ints:
        """Passages, of one language or of all, half and half."""
        if self._random.random() < 0.5:
            return self._draw(np.arange(len(self._bodies)), self._passage_odds, size)
        rows = self._by_lang[self._random.choice(len(self._by_lang), p=self._lang_odds)]
        chosen: Ints = self._random.choice(rows, min(size, len(rows)), replace=False)
        return chosen

    def _draw(self, rows: Ints, odds: NDArray[np.float64], size: int) -> Ints:
        """At most so many different rows, the likely ones rather."""
        summed = np.cumsum(odds)
        places = np.unique(np.searchsorted(summed, self._random.random(size) * summed[-1], side="right"))
        return np.take(rows, places, mode="clip")

    def _below(self, limits: Ints) -> Ints:
        return (self._random.random(len(limits)) * limits).astype(np.int64)

    def _log_uniform(self, low: int, high: int, count: int) -> Ints:
        return np.exp(self._random.uniform(np.log(low), np.log(high + 1), count)).astype(np.int64)

    def _stretch(self, texts: Ints) -> tuple[Ints, Ints]:
        lengths = np.minimum(self._lengths[texts], BODY)
        return self._starts[texts] + self._below(self._lengths[texts] - lengths + 1), lengths

    def _cut(self, starts: Ints, lengths: Ints, short: Ints) -> Spans:
        return Spans(starts + self._below(lengths - short + 1), short, np.arange(len(starts)))

    def _whole(self, texts: Ints) -> Spans:
        return Spans(self._starts[texts], self._lengths[texts], np.arange(len(texts)))

    def _batch(self, queries: Spans, passages: Spans, keys: Ints) -> Batch:
        return Batch(self._bags(queries, len(keys)), self._bags(passages, len(keys)), keys)

    def _bags(self, spans: Spans, count: int) -> Bags:
        """The tokens of all spans, some dropped at random so that no text leans on one token."""
        before = np.cumsum(spans.lengths) - spans.lengths
        at = np.arange(spans.lengths.sum()) + np.repeat(spans.starts - before, spans.lengths)
        owners = np.repeat(spans.owners, spans.lengths)
        kept = self._random.random(len(at)) >= self._dropout
        sizes = np.bincount(owners[kept], minlength=count)
        return Bags(self._tokens[at[kept]], np.cumsum(sizes) - sizes)
