"""Texts as encoders take them: strings that any tokenizer can read, cut before it has to read a megabyte."""

from __future__ import annotations

from collections.abc import Sequence

from mdr.errors import InputError


def readable(texts: Sequence[str], prompt: str, limit: int) -> list[str]:
    """Each text with its prompt, at most `limit` characters of it, lone surrogates replaced."""
    if isinstance(texts, str):
        raise InputError("one text was given where a list of texts is expected", "put it into a list")
    return [prompt + _readable(text, position, limit) for position, text in enumerate(texts)]


def places(offsets: Sequence[tuple[int, int]], prompt: int) -> tuple[list[int], tuple[tuple[int, int], ...]]:
    """Which tokens stand for characters of the text itself, and where there; a prompt comes first and does not count.

    >>> places([(0, 0), (0, 3), (3, 7), (7, 9)], 5)
    ([2, 3], ((0, 2), (2, 4)))
    """
    kept = [at for at, (start, end) in enumerate(offsets) if end > max(start, prompt)]
    return kept, tuple((max(offsets[at][0] - prompt, 0), offsets[at][1] - prompt) for at in kept)


def _readable(text: str, position: int, limit: int) -> str:
    if not isinstance(text, str):
        raise InputError(f"text {position} is {type(text).__name__}, not a string", "give texts")
    text = text[:limit]
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
