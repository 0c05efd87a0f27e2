"""What the interface says, in the language of whoever looks at it.

Sentences stand in English where they are said, in templates, scripts and here: `_("Search")`. Their translations are
in `assets/words`, one gettext catalogue for each language, keyed by the English sentence. Which language is spoken is
known for each request (`speaking.py` sets it); outside of requests, in logs and on the command line, it is English.
"""

from __future__ import annotations

import gettext as standard
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from mdr.core.languages import LANGUAGES
from mdr.settings import ROOT
from mdr.ui.parts.visible import visible

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

CATALOGUES = ROOT / "assets" / "words"
ENGLISH = "en"
SPOKEN: tuple[str, ...] = (ENGLISH, *sorted(file.stem for file in CATALOGUES.glob("*.po")))
"""Codes of the languages that the interface speaks."""

_language: ContextVar[str] = ContextVar("language", default=ENGLISH)


def language() -> str:
    """The language that is spoken now."""
    return _language.get()


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak a language, one of `SPOKEN`, inside the block."""
    before = _language.set(code)
    try:
        yield
    finally:
        _language.reset(before)


def direction() -> str:
    """Which way it is written: "ltr" or "rtl"."""
    return LANGUAGES[language()].direction


# -- saying -----------------------------------------------------------------------------------------------


def N_(text: str) -> str:  # as gettext's tools know it
    """Mark a sentence that is said later, by `_`."""
    return text


def NN_(one: str, more: str) -> tuple[str, str]:
    """The same for `many`."""
    return one, more


def _(text: str, /, **values: Any) -> str:
    """A sentence in the language that is spoken, with `%(name)s` filled in; as plain text, which is escaped later.

    What no catalogue has stays as it is: a name that somebody gave passes through.
    """
    said = _words().gettext(text) if text else ""
    return said % _filled(values) if values else said


def many(one: str, more: str, n: int, /, **values: Any) -> str:
    """The same for a sentence about `%(n)s` things."""
    return _words().ngettext(one, more, n) % _filled({"n": n, **values})


def marked(text: str, /, **values: Any) -> Markup:
    """What `{% trans %}` says: its text is markup of ours in every language; values that are not markup are escaped."""
    return Markup(_words().gettext(text)) % _filled(values)  # never a text from outside


def marked_many(one: str, more: str, n: int, /, **values: Any) -> Markup:
    """The same after `{% pluralize %}`."""
    return Markup(_words().ngettext(one, more, n)) % _filled({"n": n, **values})


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    def shown(value: Any) -> Any:
        if isinstance(value, int):
            return f"{value:,}"
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    return {name: shown(value) for name, value in values.items()}


# -- catalogues -------------------------------------------------------------------------------------------


class _Read(NamedTuple):
    """A catalogue: its translations, and those among them that scripts say."""

    words: standard.NullTranslations
    scripts: Mapping[str, str]


def script_words() -> Mapping[str, str]:
    """What scripts say, by the English; empty in English."""
    return _read(language()).scripts


def _words() -> standard.NullTranslations:
    return _read(language()).words


@cache
def _read(code: str) -> _Read:
    if code == ENGLISH:
        return _Read(standard.NullTranslations(), {})
    from babel.messages.mofile import write_mo

    catalogue, compiled = read(code), BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    scripts = {
        message.id: str(message.string)
        for message in catalogue
        if isinstance(message.id, str) and any(file.endswith(".js") for file, _line in message.locations)
    }
    return _Read(standard.GNUTranslations(compiled), scripts)


def read(code: str) -> Catalog:
    """A language's catalogue as it was written."""
    from babel.messages.pofile import read_po

    with (CATALOGUES / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code)


# -- names of languages -----------------------------------------------------------------------------------


def language_name(code: str) -> str:
    """What a language is called in the language that is spoken; our own row's name where that has no word for it."""
    row = LANGUAGES.get(code)
    ours = row.name if row else code
    return ours if language() == ENGLISH else _names(language()).get(code, ours)


@cache
def _names(code: str) -> Mapping[str, str]:
    from babel import Locale

    return Locale.parse(code).languages
