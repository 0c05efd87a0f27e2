"""Values to HTML: text stays text, matches are marked where they are, languages are named and drawn right."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdr.core.languages import LANGUAGES
from mdr.ports import Guess
from mdr.services.judging.service import GRADES
from mdr.services.search.service import Answer, Found, Side
from mdr.settings import ROOT
from mdr.types import Passage, Query, Term
from mdr.ui.parts.render import EXCERPT, SCRIPTS, Renderer, pieces, shown
from mdr.ui.parts.visible import visible
from mdr.ui.search.address import System
from mdr.ui.search.answers import Card, Column, Versions

render = Renderer(ROOT / "assets")

LETTERS = "ab <>&\"'`{}$/=\\\x00\x07\n\u202e\u2066\u200b\ud800é文ไ🦓"
MARKUP = ["<script>alert(1)</script>", "</p></article>", '" onclick="x', "{{7*7}}", "${7*7}", "<!--", "&lt;"]
NASTY = st.text(st.sampled_from(LETTERS), max_size=60) | st.sampled_from(MARKUP)


class Page(HTMLParser):
    """What a browser would see: element names with attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def with_class(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.elements if name in (attributes.get("class") or "").split()]


def shape(page: Page) -> list[tuple[str, list[str]]]:
    """Elements and the names of their attributes."""
    return [(tag, sorted(attributes)) for tag, attributes in page.elements]


def answer_page(passage: Passage, text: str = "q", terms: tuple[Term, ...] = (), **changes: object) -> Page:
    found = Found(1, 0.5, passage, Side(2, 7.25), None, terms, Side(1, 0.5))
    answer = Answer(Query("", "en", text), Guess("en", 1.0), "hybrid", [found], 3.2)
    values = {
        "nonce": "n",
        "permalink": "?q=x",
        "collection": "sample",
        "query": answer.query,
        "columns": [Column(System("hybrid"), answer, [Card(found, Versions(None, (), ()), 0)])],
        "depth": 100,
        "grades": GRADES,
        "mine": {},
        "trouble": "",
        "ways_out": [],
    }
    return Page(render("answer", values | changes))


@settings(max_examples=80, deadline=None)
@given(id=NASTY, title=NASTY, text=NASTY, query=NASTY)
def test_nothing_from_outside_becomes_markup(id: str, title: str, text: str, query: str) -> None:
    page = answer_page(Passage(id, "en", title, text), query)
    plain = answer_page(Passage("id", "en", "title" if title else "", "text"), "q")
    assert shape(page) == shape(plain)
    [card] = page.with_class("card")
    assert card["data-passage"] == visible(id)
    assert visible(title) in page.text
    assert visible(text) in page.text
    page.text.encode("utf-8")  # nothing that cannot be sent


def test_visible_keeps_length_and_what_languages_need() -> None:
    joined = "می\u200cخواهم ক\u200dষ \u2067x\u2069\n\t"
    assert visible(joined) == joined
    assert visible("a\x00\u202e\ud800b") == "a\ufffd\ufffd\ufffdb"


SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted).map(tuple), max_size=6)


@given(st.text(max_size=30), st.lists(SPANS, max_size=4), st.integers(0, 10), st.integers(10, 40))
def test_pieces_cut_without_loss(text: str, spans: list[list[tuple[int, int]]], start: int, end: int) -> None:
    terms = [Term(f"t{number}", 1.0, tuple(places)) for number, places in enumerate(spans)]
    start = min(start, len(text))
    cut = pieces(text, terms, start, end)
    assert "".join(piece.text for piece in cut) == text[start:end]
    covered = {place for places in spans for left, right in places for place in range(left, right)}
    at = start
    for piece in cut:
        for place in range(at, at + len(piece.text)):
            assert bool(piece.note) == (place in covered)
        at += len(piece.text)


def test_overlapping_matches_share_a_piece() -> None:
    cut = pieces("東京都", [Term("東京", 2.0, ((0, 2),)), Term("京都", 1.0, ((1, 3),))])
    assert cut == [("東", "東京 2.00"), ("京", "東京 2.00, 京都 1.00"), ("都", "京都 1.00")]


def test_matches_are_marked_in_title_and_text() -> None:
    passage = Passage("p", "fi", "Niili", "Pitkä Niili virtaa.")
    page = answer_page(passage, terms=(Term("niil", 3.5, ((0, 5), (12, 17))),))
    marks = [attributes for tag, attributes in page.elements if tag == "mark"]
    assert [mark["title"] for mark in marks] == ["niil 3.50", "niil 3.50"]
    view = shown(passage, [Term("niil", 3.5, ((0, 5), (12, 17)))])
    assert [piece.text for piece in view.text if piece.note] == ["Niili"]


def test_no_white_space_is_added_between_pieces() -> None:
    page = answer_page(Passage("p", "ja", "東京", "東京都"), terms=(Term("京", 1.0, ((1, 2), (4, 5))),))
    assert "東京都" in page.text


def test_a_long_text_is_cut_around_its_first_match() -> None:
    text = "x" * 10_000 + "zebra" + "y" * 10_000
    view = shown(Passage("p", "en", "", text), [Term("zebra", 1.0, ((10_000, 10_005),))])
    assert view.cut_before and view.cut_after and not view.title
    assert sum(len(piece.text) for piece in view.text) == EXCERPT
    assert "zebra" in [piece.text for piece in view.text]
    whole = shown(Passage("p", "en", "t", text), (), len(text))
    assert "".join(piece.text for piece in whole.text) == text


@pytest.mark.parametrize(
    ("lang", "attribute", "direction"), [("ar", "ar", "rtl"), ("zh", "zh-Hans", "ltr"), ("th", "th", "ltr")]
)
def test_passages_carry_language_and_direction(lang: str, attribute: str, direction: str) -> None:
    page = answer_page(Passage("p", lang, "t", "x"))
    [text] = page.with_class("passage")
    assert (text["lang"], text["dir"]) == (attribute, "auto")
    assert ("header", {"dir": direction}) in page.elements
    row = LANGUAGES[lang]
    assert row.native in page.text and row.name in page.text and f"{SCRIPTS[row.script]} script" in page.text


def test_evidence_says_what_is_known_and_what_is_not() -> None:
    page = answer_page(Passage("p", "en", "t", "x"))
    said = " ".join(page.text.split())
    assert "BM25 7.25" in said and "not among its first 100" in said and "score 0.500" in said


def test_a_grade_given_before_is_pressed() -> None:
    page = answer_page(Passage("p", "en", "t", "x"), mine={"p": 0})
    assert [button["aria-pressed"] for button in page.with_class("grade")] == ["true", "false", "false", "false"]


def test_an_unsure_language_is_said_and_an_empty_answer_offers_ways_out() -> None:
    nothing = Answer(Query("", "", "?"), Guess("", 0.0), "bm25", [], 0.2)
    page = answer_page(
        Passage("p", "en", "", ""),
        query=nothing.query,
        columns=[Column(System("bm25"), nothing, [])],
        ways_out=[("?q=x&engine=dense", "Search by meaning")],
    )
    assert "language I am not sure of" in page.text and "No passage" in page.text
    assert [attributes["href"] for tag, attributes in page.elements if tag == "a"] == ["?q=x&engine=dense"]


def test_every_script_has_a_name() -> None:
    assert {row.script for row in LANGUAGES.values()} <= set(SCRIPTS)


def test_no_value_hides_what_every_template_can_call() -> None:
    for name in ("many", "_", "shown", "spoken"):
        with pytest.raises(ValueError, match=f"given {name}, which it knows"):
            render("error", {"problem": "", "remedy": "", name: 1})
