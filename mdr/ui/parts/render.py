"""Values to HTML, with the right direction and glyphs, and nothing from outside ever becoming markup.

The markup itself is in `assets/templates`; there every value is escaped unless it is markup already, and passes
`visible` first. Pure: knows neither Gradio nor the web server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mdr.core.languages import LANGUAGES, Language
from mdr.types import Passage, Term
from mdr.ui.parts.visible import visible
from mdr.ui.words import catalogue as words
from mdr.ui.words.catalogue import N_, _, language_name

SCRIPTS = {
    "Arab": N_("Arabic"),
    "Beng": N_("Bengali"),
    "Cyrl": N_("Cyrillic"),
    "Deva": N_("Devanagari"),
    "Grek": N_("Greek"),
    "Hans": N_("simplified Han"),
    "Hebr": N_("Hebrew"),
    "Jpan": N_("Japanese"),
    "Khmr": N_("Khmer"),
    "Kore": N_("Hangul"),
    "Latn": N_("Latin"),
    "Telu": N_("Telugu"),
    "Thai": N_("Thai"),
}
"""Names of the scripts that languages are written in."""

EXCERPT = 1_500
"""Characters of a long passage that a card shows at first."""
_BEFORE = 200


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
    """The row of a language, with its name in the language that is spoken; a code without a row names itself."""
    row = LANGUAGES.get(code) or Language(code, code, code, "")
    return row._replace(name=language_name(code))


def lang_attribute(code: str) -> str:
    """The value of an HTML `lang` attribute: it decides which Han glyphs a browser draws."""
    return "zh-Hans" if code == "zh" else code


def script(code: str) -> str:
    """The name of the script that a language is written in."""
    return _(SCRIPTS.get(tongue(code).script, N_("unknown")))


def spoken() -> list[tuple[str, str, str]]:
    """What the interface can be read in: code, value of `lang`, and the language's name for itself."""
    return [(code, lang_attribute(code), LANGUAGES[code].native) for code in words.SPOKEN]


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
            extensions=["jinja2.ext.i18n"],
        )
        environment.policies["ext.i18n.trimmed"] = True
        environment.newstyle_gettext = True  # type: ignore[attr-defined]  # values are given to the function by name
        environment.globals |= {"_": _, "many": words.many, "gettext": words.marked, "ngettext": words.marked_many}
        environment.globals |= {"language_now": words.language, "direction_now": words.direction}
        environment.filters |= {"tongue": tongue, "lang": lang_attribute, "script": script}
        environment.globals |= {"spoken": spoken, "shown": shown}
        return environment

    def __call__(self, template: str, values: Mapping[str, Any]) -> str:
        """The HTML of a template with these values. One named like something that every template can call would hide
        it, here or in a template that this one includes."""
        if hidden := values.keys() & self._environment.globals.keys():
            raise ValueError(f"{template}.html is given {', '.join(sorted(hidden))}, which it knows as something else")
        return self._environment.get_template(f"{template}.html").render(values)


def _finalize(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
