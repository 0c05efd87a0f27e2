"""Which words of a query and of a passage go together, as an encoder sees it. Pure.

A word's vector is the sum of its tokens'. A query word is linked with the passage words that are most like it, if they
are so far above what it has in common with the other words there that chance does not explain it, and if the pair says
something of the whole similarity: words such as "of" do not. Numbers are linked exactly, in the digits of any script;
so are equal words, names above all.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdr.core.text import Word
from mdr.ports import Matrix, Tokens

Kind: TypeAlias = Literal["number", "word", "meaning"]
Span: TypeAlias = tuple[int, int]

_ABOVE_CHANCE = 5.0
"""Robust deviations above a query word's usual similarity. The largest of a hundred chance values lies at about 3."""
_LEAST_DEVIATION = 0.02
_AS_GOOD = 0.7
"""Of a query word's best similarity: what else it is linked with."""
_SAYS_SOMETHING = 0.1
"""Of the strongest pair's product: what a pair must have to be shown."""
_FEWEST = 5
"""Passage words below which nothing can be said of chance."""


class Link(NamedTuple):
    """A word of the query, with its repeats, and the passage words it goes with. `similarity`: the best cosine."""

    kind: Kind
    similarity: float
    query: tuple[Span, ...]
    passage: tuple[Span, ...]


def align(query: str, asked: Sequence[Word], said: Sequence[Word], asks: Tokens, says: Tokens) -> list[Link]:
    """The links between the words of `query` and those of a passage, in the order of the query."""
    first: dict[str, int] = {}
    for at, word in enumerate(asked):
        first.setdefault(word.term, at)
    distinct = [asked[at] for at in first.values()]
    products, cosines = _similarities(_vectors(distinct, asks), _vectors(said, says))
    numbers = [_digits(word.term) for word in said]
    names = {word.term for word in asked[1:] if query[word.start : word.start + 1].isupper()}
    alike = _alike(cosines)
    equals = np.array([[other.term == word.term for other in said] for word in distinct], dtype=bool)
    enough = _SAYS_SOMETHING * float(products[alike | equals.reshape(alike.shape)].max(initial=0.0))
    links = []
    for row, word in enumerate(distinct):
        equal = np.flatnonzero(equals[row]).tolist()
        kind: Kind = "word"
        if digits := _digits(word.term):
            kind, found = "number", [at for at, other in enumerate(numbers) if other == digits]
        elif equal:
            found = equal if word.term in names or products[row, equal].max() >= enough > 0 else []
        else:
            kind, found = "meaning", np.flatnonzero(alike[row] & (products[row] >= enough)).tolist()
        if found:
            spans = tuple((other.start, other.end) for other in asked if other.term == word.term)
            places = tuple((said[at].start, said[at].end) for at in found)
            links.append(Link(kind, float(cosines[row, found].max()), spans, places))
    return _apart(links)


def _alike(cosines: Matrix) -> NDArray[np.bool_]:
    """Pairs above chance, each passage word with its best query word only."""
    if not cosines.size or cosines.shape[1] < _FEWEST:
        return np.zeros(cosines.shape, dtype=bool)
    usual = np.median(cosines, axis=1, keepdims=True)
    deviation = 1.4826 * np.median(np.abs(cosines - usual), axis=1, keepdims=True)
    above = cosines - usual
    chosen = above >= _ABOVE_CHANCE * np.maximum(deviation, _LEAST_DEVIATION)
    chosen &= above >= _AS_GOOD * above.max(axis=1, keepdims=True)
    return np.asarray(chosen & (cosines == cosines.max(axis=0, keepdims=True)))


def _apart(links: Sequence[Link]) -> list[Link]:
    """A passage word goes with one query word: with the surest."""
    order = {"number": 0, "word": 1, "meaning": 2}
    taken: dict[Span, int] = {}
    for at in sorted(range(len(links)), key=lambda at: (order[links[at].kind], -links[at].similarity, at)):
        for span in links[at].passage:
            taken.setdefault(span, at)
    kept = [
        link._replace(passage=tuple(span for span in link.passage if taken[span] == at))
        for at, link in enumerate(links)
    ]
    return [link for link in kept if link.passage]


def _vectors(words: Sequence[Word], tokens: Tokens) -> Matrix:
    """The sum of each word's tokens; a token over several words is shared among them by its characters."""
    vectors = np.zeros((len(words), tokens.vectors.shape[1]), dtype=np.float32)
    ends = np.array([word.end for word in words])
    for vector, (start, end) in zip(tokens.vectors, tokens.spans, strict=True):
        at = int(np.searchsorted(ends, start, side="right"))
        while at < len(words) and words[at].start < end:
            shared = min(end, words[at].end) - max(start, words[at].start)
            vectors[at] += vector * (shared / (end - start))
            at += 1
    return vectors


def _similarities(queries: Matrix, passages: Matrix) -> tuple[Matrix, Matrix]:
    """Products and cosines of all pairs; a word without tokens has 0 with all."""
    products = queries @ passages.T
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(passages, axis=1)[None, :]
    return products, np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)


def _digits(term: str) -> str:
    """The number that a word is, in the digits 0 to 9 and without separators; "" for what is mostly letters.

    >>> _digits("১,২০০"), _digits("1970s"), _digits("mp3")
    ('1200', '1970', '')
    """
    digits = [str(unicodedata.digit(char)) for char in term if unicodedata.digit(char, None) is not None]
    letters = sum(char.isalpha() for char in term)
    return "".join(digits) if len(digits) > letters else ""
