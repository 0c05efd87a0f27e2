"""Which written questions may be trained on: rules over texts, over what they find, and over how likely they are.

Rules are asked in the order of `REASONS`; the first that a question breaks is why it is dropped. Questions are compared
as words: folded in case, without punctuation; a script that is written without spaces has a word per character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mdr.core.mining import Floats
from mdr.core.text import QUERY_LIMIT, UNSPACED, clean
from mdr.types import Query

Words = Sequence[str]

EMPTY, LANGUAGE, SHORT, LONG = "nothing written", "in another language", "too short", "too long"
OUTGROWN, COPIED, REPEATS = "longer than its passage", "copied from its passage", "repeats itself"
AGAIN, SHARED = "written before for its passage", "likelier for another passage"
LOST, UNLIKELY = "does not find its passage", "unlikely for its language"

_OTHER_GENERATOR = "train the generator longer, give another one, or leave the languages out that it cannot write"
REASONS: Mapping[str, str] = {
    EMPTY: _OTHER_GENERATOR,
    LANGUAGE: f"{_OTHER_GENERATOR}; `language = false` keeps them",
    SHORT: "lower min_tokens",
    LONG: "raise max_characters",
    OUTGROWN: "give passages that say more than a question does",
    COPIED: f"raise max_copy, or {_OTHER_GENERATOR}",
    REPEATS: f"raise max_repetition, or {_OTHER_GENERATOR}",
    AGAIN: f"ask for fewer questions of a passage (n), or {_OTHER_GENERATOR}",
    SHARED: _OTHER_GENERATOR,
    LOST: "raise k, or choose another round_trip: 'union' asks one index to find it, 'none' asks none",
    UNLIKELY: "lower min_percentile",
}
"""Why a question is dropped, and what to do if too many are."""


@dataclass(frozen=True)
class Limits:
    """What a question's text may be like."""

    language: bool
    min_tokens: int
    max_characters: int
    max_copy: float
    max_repetition: float


class Reading(NamedTuple):
    """What the rules see of a question's text."""

    words: Words
    characters: int
    passage_words: int
    same_language: bool
    """As the passage: only then can their lengths be compared."""
    guess: str
    """The language that it seems to be in; "" where that is not clear."""
    copied: float
    repeated: float
    """By words that came before, or by pieces said again and again."""


def words(text: str) -> Words:
    """A text as rules compare it.

    >>> words("Who (if anyone) found Cairo?"), words("川はどこ？")
    (['who', 'if', 'anyone', 'found', 'cairo'], ['川', 'は', 'ど', 'こ'])
    """
    return [word for found in _WORD.findall(clean(text).casefold()) if (word := _bare(found))]


_WORD = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")


def _bare(word: str) -> str:
    """Without punctuation around it. Marks stay: in many scripts they are vowels."""
    start, end = 0, len(word)
    while start < end and unicodedata.category(word[start])[0] not in "LNM":
        start += 1
    while start < end and unicodedata.category(word[end - 1])[0] not in "LNM":
        end -= 1
    return word[start:end]


def read(question: Query, passage: Words, lang: str, guess: str) -> Reading:
    """Measure a question against its passage, which is in language `lang`."""
    own = words(question.text[:QUERY_LIMIT])  # longer ones are dropped whatever they say
    return Reading(
        own,
        len(question.text),
        len(passage),
        question.lang == lang,
        guess,
        copied(own, passage),
        max(repeated(own), stuttered(question.text[:QUERY_LIMIT])),
    )


def copied(question: Words, passage: Words) -> float:
    """The share of a question's words that are one verbatim stretch of the passage.

    >>> copied(["who", "saw", "the", "nile"], ["they", "saw", "the", "nile", "rise"])
    0.75
    """
    within = f" {' '.join(passage)} "
    longest = start = 0
    for end in range(1, len(question) + 1):
        while start < end and f" {' '.join(question[start:end])} " not in within:
            start += 1
        longest = max(longest, end - start)
    return longest / max(1, len(question))


def repeated(question: Words, length: int = 2) -> float:
    """The share of a question's runs of words that it has had before.

    >>> repeated("to be or not to be".split())
    0.2
    """
    runs = [tuple(question[start : start + length]) for start in range(len(question) - length + 1)]
    return (len(runs) - len(set(runs))) / max(1, len(runs))


_STUTTER = re.compile(
    r"(\S{3,16}?)(?:\s*\1){2,}|(\S{2})(?:\s*\2){4,}|(?<!\S)(\S{2})(?:\s\3){2,}(?!\S)"
    r"|([\uAC00-\uD7A3\u3400-\u9FFF])\4{2,}"
)
"""Three or more characters said three times; two said five times, or three times as words; a character that is a
syllable said three times."""


def stuttered(text: str) -> float:
    """The share of a text's characters that say the same again and again, as small language models do: pieces of words,
    with spaces or without.

    >>> round(stuttered("what is sulasulasula"), 2), stuttered("bora bora or walla walla")
    (0.67, 0.0)
    """
    said = sum(len("".join(found[0].split())) for found in _STUTTER.finditer(text))
    return said / max(1, len("".join(text.split())))


_TEXT_RULES: Mapping[str, Callable[[Query, Reading, Limits], bool]] = {
    EMPTY: lambda question, seen, limits: not seen.words,
    LANGUAGE: lambda question, seen, limits: limits.language and seen.guess not in ("", question.lang),
    SHORT: lambda question, seen, limits: len(seen.words) < limits.min_tokens,
    LONG: lambda question, seen, limits: seen.characters > limits.max_characters,
    OUTGROWN: lambda question, seen, limits: seen.same_language and len(seen.words) > seen.passage_words,
    COPIED: lambda question, seen, limits: seen.copied > limits.max_copy,
    REPEATS: lambda question, seen, limits: seen.repeated > limits.max_repetition,
}
"""When a question breaks a rule."""


def text_fault(question: Query, seen: Reading, limits: Limits) -> str:
    """The first rule on texts that a question breaks; "" where it breaks none."""
    return next((reason for reason, broken in _TEXT_RULES.items() if broken(question, seen, limits)), "")


class Asked(NamedTuple):
    """A question as compared with others: its words, and how likely it is."""

    lang: str
    words: Words
    likelihood: float = 0.0


def again(questions: Iterable[Asked]) -> list[bool]:
    """Which questions are the same as an earlier one."""
    seen: set[tuple[str, ...]] = set()
    found = []
    for question in questions:
        key = (question.lang, *question.words)
        found.append(key in seen)
        seen.add(key)
    return found


def best_of_same(questions: Sequence[Asked]) -> list[bool]:
    """Which questions are the likeliest of those that are the same; the earliest of equals."""
    best: dict[tuple[str, ...], int] = {}
    for place, question in enumerate(questions):
        key = (question.lang, *question.words)
        if question.likelihood > questions[best.setdefault(key, place)].likelihood:
            best[key] = place
    kept = set(best.values())
    return [place in kept for place in range(len(questions))]


def percentiles(values: Floats) -> Floats:
    """Where each value stands among all, from 0 to 100: what is below it, and half of what equals it.

    >>> percentiles(np.array([3.0, 1.0])).tolist()
    [75.0, 25.0]
    """
    ordered = np.sort(values)
    places = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(places * (50 / max(1, len(values))), dtype=np.float64)
