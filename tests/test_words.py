"""What the interface says: every sentence in every catalogue, with the same places, and nothing made unsafe."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from markupsafe import Markup

from mdr.core.permissions import NEEDED
from mdr.errors import InputError
from mdr.settings import ROOT, Settings
from mdr.ui.parts.render import Renderer, script, tongue
from mdr.ui.words import catalogue as words
from mdr.ui.words.catalogue import CATALOGUES, SPOKEN, _, language_name, many, marked, speaking
from mdr.ui.words.troubles import SENTENCES, told

KEYWORDS: dict[str, Any] = {**DEFAULT_KEYWORDS, "N_": None, "NN_": (1, 2), "many": (1, 2), "i18n": None}
FOREIGN = [code for code in SPOKEN if code != words.ENGLISH]
PLURALS = {"es": 2, "zh": 1, "ar": 6}
_PLACE = re.compile(r"%\((\w+)\)s")
_TAG = re.compile(r"<[^>]+>")


@cache
def said() -> frozenset[str | tuple[str, ...]]:
    """Every sentence that stands in templates, scripts and pages."""
    with (CATALOGUES / "babel.cfg").open(encoding="utf-8") as file:
        mapping, options = parse_mapping_cfg(file)
    found: set[str | tuple[str, ...]] = set()
    for each in extract_from_dir(ROOT, mapping, options, keywords=KEYWORDS):
        message = each[2]
        found.add(message if isinstance(message, str) else tuple(message))
    return frozenset(found)


@cache
def catalogue(code: str) -> Catalog:
    return words.read(code)


def entries(code: str) -> Iterator[Message]:
    return (message for message in catalogue(code) if message.id)


def forms(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def test_there_are_sentences_of_every_kind() -> None:
    assert {"saved", "Search", "Which words go together?", ("%(n)s question", "%(n)s questions")} <= said()
    assert {"Your question, in any language", "Training data", *SENTENCES} <= said()
    assert {refusal for role, refusal in NEEDED.values() if role != "visitor"} <= set(SENTENCES)
    assert len(said()) > 700


@pytest.mark.parametrize("code", FOREIGN)
def test_every_sentence_is_in_every_catalogue_and_nothing_else_is(code: str) -> None:
    there = {message.id if isinstance(message.id, str) else tuple(message.id) for message in entries(code)}
    assert sorted(map(str, said() - there)) == []
    assert sorted(map(str, there - said())) == []


@pytest.mark.parametrize("code", FOREIGN)
def test_nothing_is_empty_or_in_doubt(code: str) -> None:
    for message in entries(code):
        assert not message.fuzzy, message.id
        assert all(form.strip() or message.id == ", " for form in forms(message.string)), message.id


@pytest.mark.parametrize("code", FOREIGN)
def test_places_and_tags_are_the_same(code: str) -> None:
    """A plural form may name its number in words: "one passage"."""
    for message in entries(code):
        english = forms(message.id)[-1]
        places, tags = set(_PLACE.findall(english)), Counter(_TAG.findall(english))
        for form in forms(message.string):
            left_out = places - set(_PLACE.findall(form))
            assert left_out <= ({"n"} if len(forms(message.id)) > 1 else set()), message.id
            assert set(_PLACE.findall(form)) <= places, message.id
            assert Counter(_TAG.findall(form)) == tags, message.id
            if places or tags:
                assert form % dict.fromkeys(places, "x"), message.id


@pytest.mark.parametrize("code", FOREIGN)
def test_plurals_have_all_their_forms(code: str) -> None:
    assert catalogue(code).num_plurals == PLURALS[code]
    counted = [message for message in entries(code) if not isinstance(message.id, str)]
    assert len(counted) > 20
    assert all(len(message.string) == PLURALS[code] for message in counted)


def test_arabic_counts_in_six_ways() -> None:
    with speaking("ar"):
        told = [many("%(n)s question", "%(n)s questions", n) for n in (0, 1, 2, 3, 10, 11, 99, 100, 103, 1_234)]
    assert told == [
        "0 سؤال", "سؤال واحد", "سؤالان", "3 أسئلة", "10 أسئلة", "11 سؤالًا", "99 سؤالًا", "100 سؤال", "103 أسئلة",
        "1,234 سؤالًا",
    ]  # fmt: skip


def test_scripts_get_their_own_sentences_and_no_others() -> None:
    assert words.script_words() == {}
    with speaking("es"):
        found = words.script_words()
    assert found["saved"] == "guardado" and "Which words go together?" not in found


def test_outside_of_requests_it_is_english() -> None:
    with speaking("zh"):
        assert _("Search") == "搜索"
    assert (_("Search"), words.direction()) == ("Search", "ltr")


def test_names_pass_through_and_nothing_stays_nothing() -> None:
    with speaking("ar"):
        assert (_("a run of mine"), _("")) == ("a run of mine", "")


def test_languages_have_names_in_every_language() -> None:
    told = {}
    for code in SPOKEN:
        with speaking(code):
            told[code] = (language_name("sw"), tongue("th").name, script("ja"), language_name("nonesuch"))
    assert told["en"] == ("Swahili", "Thai", "Japanese", "nonesuch")
    assert len({row[:3] for row in told.values()}) == len(SPOKEN)


# -- safety -----------------------------------------------------------------------------------------------

HURT = "<img src=x onerror=alert(1)>\u202e"


def test_what_is_filled_in_is_escaped() -> None:
    filled = marked("Nothing here matches %(quoted)s.", quoted=HURT)
    assert filled == Markup("Nothing here matches &lt;img src=x onerror=alert(1)&gt;\ufffd.")
    assert not isinstance(_("Nothing here matches %(quoted)s.", quoted=HURT), Markup)


@pytest.mark.parametrize("code", SPOKEN)
def test_hostile_texts_are_texts_in_every_language(code: str) -> None:
    render = Renderer(Settings().assets)
    with speaking(code):
        html = render("error", {"nonce": HURT, "permalink": HURT, "problem": HURT, "remedy": HURT})
        frame = render("compare_frame", {"name": "compare", "title": HURT})
    for page in (html, frame):
        assert "<img" not in page and "\u202e" not in page and "&lt;img" in page


def test_templates_use_only_what_escapes() -> None:
    """`gettext` is what `{% trans %}` becomes; called by hand it would make any text markup."""
    for template in sorted((ROOT / "assets/templates").glob("*.html")):
        assert not re.search(r"\bn?gettext\s*\(", template.read_text(encoding="utf-8")), template.name


def test_pages_mark_nothing_but_constants() -> None:
    for file in sorted((ROOT / "mdr").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("N_", "NN_", "many"):
                wanted = node.args[: 2 if node.func.id != "N_" else 1]
                texts = all(isinstance(each, ast.Constant) for each in wanted)
                assert texts or isinstance(wanted[0], ast.Starred), f"{file.name}:{node.lineno}"


# -- troubles ---------------------------------------------------------------------------------------------


def test_a_trouble_is_told_whole_or_not_at_all() -> None:
    known = InputError("there is nothing to search for", "type a question or a few words, in any language")
    half = InputError("there is nothing to search for", "turn the wheel")
    assert told(known) == (known.problem, known.remedy)
    with speaking("es"):
        assert told(known) == ("no hay nada que buscar", "escribe una pregunta o unas palabras, en cualquier idioma")
        assert told(half) == (half.problem, half.remedy)
        assert told(InputError("there is no system 'x%(y)s'", "choose another measure"))[0].endswith(" 'x%(y)s'")


def test_catalogues_say_how_to_go_on() -> None:
    for code in FOREIGN:
        head = Path(CATALOGUES / f"{code}.po").read_text(encoding="utf-8")[:1_500]
        assert "docs/translating.md" in head and "One word for each concept" in head
