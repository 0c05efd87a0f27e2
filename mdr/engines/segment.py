"""Words of languages that Lucene has no analyzer for, found by ICU's dictionaries and rules. Needs no JVM."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from mdr.core.text import Word

_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


def words(text: str, lang: str) -> Iterator[Word]:
    """The words of a text, folded; spaces and punctuation are left out.

    >>> [word.term for word in words("ภาษาไทยง่าย", "th")]
    ['ภาษา', 'ไทย', 'ง่าย']
    """
    from icu4py.breakers import WordBreaker

    end = 0
    for piece in WordBreaker(text, lang):  # its own offsets count UTF-16 units, so they are counted here
        start, end = end, end + len(piece)
        if _LETTER_OR_DIGIT.search(piece):
            yield Word(fold(piece), start, end)


@lru_cache(maxsize=1 << 16)  # few words make most of a text
def fold(word: str) -> str:
    """One spelling for what readers see as one word; never holds white space."""
    folded = unicodedata.normalize("NFKC", word).lower().replace("’", "'")
    return "".join(folded.split())


def icu_version() -> str:
    """The ICU inside the segmenter; another one may cut words elsewhere."""
    import icu4py

    return str(icu4py.icu_version)
