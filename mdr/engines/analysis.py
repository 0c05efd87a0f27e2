"""How text of each language becomes index terms: by a Lucene analyzer, or as ICU's words between spaces.

Query and passage go the same way. The fingerprint names that way without starting the JVM.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from typing import Any, TypeAlias

from mdr.core.languages import language
from mdr.engines.jvm import java
from mdr.engines.segment import icu_version, words
from mdr.errors import UnavailableError
from mdr.storage.files import digest

FIELD = "contents"
"""The one field of text in an index."""
_VERSION = 1
"""Changes when the same analyzers are given something else, or an index keeps something else."""

Locate: TypeAlias = Callable[[int, int], tuple[int, int]]
"""From Lucene's offsets to where that is in the original text."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_INVISIBLE = re.compile("[\u00ad\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""Marks for writing direction and line breaks: they would stick to words and keep them from being found."""


def analyzer_fingerprint(langs: Collection[str]) -> str:
    """What names the word analysis of these languages."""
    try:
        lucene = version("pyserini")
    except PackageNotFoundError as error:
        raise UnavailableError("pyserini is not installed", "`pip install -r requirements.txt`") from error
    ways = {lang: language(lang).analyzer or f"icu {icu_version()}" for lang in langs}
    return digest([_VERSION, lucene, ways])


class Analyzer:
    """One language's way from text to terms."""

    def __init__(self, lang: str) -> None:
        self._lang = lang
        name = language(lang).analyzer
        self._segmented = not name
        self.java = _analyzer(name or "core.WhitespaceAnalyzer")

    def indexed(self, text: str) -> str:
        """What Lucene is given of a text."""
        text = _INVISIBLE.sub("", _whole(text))
        return " ".join(word.term for word in words(text, self._lang)) if self._segmented else text

    def terms(self, text: str) -> list[str]:
        """The terms of a text, in order, with repetitions."""
        return list(java("io.anserini.analysis.AnalyzerUtils").analyze(self.java, self.indexed(text)).toArray())

    def locate(self, text: str) -> Locate:
        """A way from Lucene's offsets in `indexed(text)` to those in `text`."""
        text = _whole(text)
        seen = _INVISIBLE.sub("", text)
        narrow = self._segmented or not seen or max(seen) <= "\uffff"
        original: Locate = _identity
        if len(seen) < len(text) or not narrow:
            original = _by_width(0 if _INVISIBLE.match(char) else 1 if narrow else _units(char) for char in text)
        if not self._segmented:
            return original
        found = list(words(seen, self._lang))
        starts = [0, *accumulate(sum(map(_units, word.term)) + 1 for word in found)]
        return lambda start, _: original(*found[bisect_right(starts, start) - 1][1:])


def _identity(start: int, end: int) -> tuple[int, int]:
    return start, end


def _by_width(widths: Iterable[int]) -> Locate:
    """For text whose characters are so wide to Lucene: 0 left out, 2 outside Unicode's first plane."""
    starts = [0, *accumulate(widths)]
    return lambda start, end: (bisect_right(starts, start) - 1, bisect_left(starts, end))


def _units(char: str) -> int:
    """The width of a character in Java, which counts in UTF-16."""
    return 1 + (char > "\uffff")


def _whole(text: str) -> str:
    """Text without half characters: they cannot enter Java."""
    return _SURROGATE.sub("\ufffd", text)


@cache
def _analyzer(name: str) -> Any:
    made = java(name if name.startswith("io.") else f"analysis.{name}")
    # Anserini's English analyzer is made by a method, as it comes in several variants.
    return made.newDefaultInstance() if hasattr(made, "newDefaultInstance") else made()
