"""Cleaning what people paste, without changing what it says."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from mdr.errors import InputError

QUERY_LIMIT = 4_000
"""Characters of a query; longer ones are documents, and slow every engine down."""

# Thai to Burmese, Khmer, kana and Han are written without spaces: there each character counts as a word.
UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""For the brackets of a regular expression."""


class Word(NamedTuple):
    """A word as it is compared, and where it stands in its text."""

    term: str
    start: int
    end: int


def clean(text: str) -> str:
    """NFC, without control characters, lone surrogates and direction overrides; white space folded.

    Joiners stay: Persian, Bengali and Telugu spell with them.

    >>> clean("a\\x00b\\n  c")
    'ab c'
    """
    spaced = "".join(" " if char.isspace() else char for char in text)
    kept = "".join(char for char in spaced if char in "\u200c\u200d" or unicodedata.category(char) not in _DROPPED)
    return " ".join(unicodedata.normalize("NFC", kept).split())


_DROPPED = {"Cc", "Cf", "Cs", "Co"}


def clean_query(text: str) -> str:
    """A query fit for every engine, or an error that says why it is not."""
    if len(text) > QUERY_LIMIT:
        raise InputError(
            f"the query has {len(text):,} characters; the limit is {QUERY_LIMIT:,}",
            "search for a sentence or a paragraph",
        )
    query = clean(text)
    if not any(char.isalnum() for char in query):
        raise InputError("there is nothing to search for", "type a question or a few words, in any language")
    return query
