"""Values to HTML, with the right direction and glyphs, and nothing from outside ever becoming markup.

The markup itself is in `assets/templates`; there every value is escaped unless it is markup already, and passes
`visible` first. Pure: knows neither Gradio nor the web server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mdr.core.languages import LANGUAGES, Language
from mdr.types import Passage, Term

SCRIPTS = {
    "Arab": "Arabic",
    "Beng": "Bengali",
    "Cyrl": "Cyrillic",
    "Deva": "Devanagari",
    "Grek": "Greek",
    "Hans": "simplified Han",
    "Hebr": "Hebrew",
    "Jpan": "Japanese",
    "Khmr": "Khmer",
    "Kore": "Hangul",
    "Latn": "Latin",
    "Telu": "Telugu",
    "Thai": "Thai",
}
"""Names of the scripts that languages are written in."""

EXCERPT = 1_500
"""Characters of a long passage that a card shows at first."""
_BEFORE = 200

# Lone surrogates and control characters cannot be sent or seen; a direction override would turn the text around it.
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202d\u202e\ufffe\uffff]")


def visible(text: str) -> str:
    """The same text, as long as before, with characters that harm replaced by �.

    >>> visible("a\\x00b\\u202ec")
    'a�b�c'
    """
    return _INVISIBLE.sub("\ufffd", text)


class Piece(NamedTuple):
    """A stretch of text; `note` says which terms matched there."""

    text: str
    note: str = ""


def pieces(text: str, terms: Sequence[Term], start: int = 0, end: int | None = None) -> list[Piece]:
    """`text[start:end]` cut where matches begin and end; overlapping matches share a piece.

    >>> pieces("the Nile flows", [Term("nile", 3.2, ((4, 8),))])
    [Piece(text='the ', note=''), Piece(text='Nile', note='nile 3.20'), Piece(text=' flows', note='')]
    """
    end = len(text) if end is None else min(end, len(text))
    starting: dict[int, list[Term]] = {}
    ending: dict[int, list[Term]] = {}
    for term in terms:
        for left, right in term.spans:
            left, right = max(left, start), min(right, end)
            if left < right:
                starting.setdefault(left, []).append(term)
                ending.setdefault(right, []).append(term)
    active: list[Term] = []
    cut = []
    for left, right in pairwise(sorted({start, end, *starting, *ending})):
        for term in ending.get(left, ()):
            active.remove(term)
        active += starting.get(left, ())
        # By what is shown: to compare terms is to compare all their places, and a megabyte has many.
        note = ", ".join(dict.fromkeys(f"{term.term} {term.weight:.2f}" for term in active))
        cut.append(Piece(text[left:right], note))
    return cut


class Shown(NamedTuple):
    """A passage as pieces: its title, and its text or an excerpt of it."""

    title: list[Piece]
    text: list[Piece]
    cut_before: bool
    cut_after: bool


def shown(passage: Passage, terms: Sequence[Term] = (), limit: int = EXCERPT) -> Shown:
    """A passage with its matches; of a text longer than `limit`, the part around its first match."""
    full, begin = passage.full_text, len(passage.full_text) - len(passage.text)
    start, end = begin, len(full)
    if end - start > limit:
        first = min((left for term in terms for left, _ in term.spans if left >= begin), default=begin)
        start = max(begin, min(first - _BEFORE, end - limit))
        end = start + limit
    title = pieces(full, terms, 0, max(begin - 1, 0)) if passage.title else []
    return Shown(title, pieces(full, terms, start, end), start > begin, end < len(full))


def tongue(code: str) -> Language:
    """The row of a language; a code without a row names itself."""
    return LANGUAGES.get(code) or Language(code, code, code, "")


def lang_attribute(code: str) -> str:
    """The value of an HTML `lang` attribute: it decides which Han glyphs a browser draws."""
    return "zh-Hans" if code == "zh" else code


def script(code: str) -> str:
    """The name of the script that a language is written in."""
    return SCRIPTS.get(tongue(code).script, "unknown")


class Renderer:
    """Templates of one assets folder."""

    def __init__(self, assets: Path) -> None:
        self._assets = assets

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(self._assets / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters |= {"tongue": tongue, "lang": lang_attribute, "script": script}
        environment.globals["shown"] = shown
        return environment

    def __call__(self, template: str, values: Mapping[str, Any]) -> str:
        """The HTML of a template with these values."""
        return self._environment.get_template(f"{template}.html").render(values)


def _finalize(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
