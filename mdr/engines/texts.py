"""Texts as encoders take them: strings that any tokenizer can read, cut before it has to read a megabyte."""

from __future__ import annotations

from collections.abc import Sequence

from mdr.errors import InputError


def readable(texts: Sequence[str], prompt: str, limit: int) -> list[str]:
    """Each text with its prompt, at most `limit` characters of it, lone surrogates replaced."""
    if isinstance(texts, str):
        raise InputError("one text was given where a list of texts is expected", "put it into a list")
    return [prompt + _readable(text, position, limit) for position, text in enumerate(texts)]


def _readable(text: str, position: int, limit: int) -> str:
    if not isinstance(text, str):
        raise InputError(f"text {position} is {type(text).__name__}, not a string", "give texts")
    text = text[:limit]
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
