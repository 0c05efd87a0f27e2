"""Markdown of others becomes plain HTML: nothing runs, nothing is fetched."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdr.settings import ROOT
from mdr.ui.guide.page import _body
from mdr.ui.parts.markdown import markdown

SAFE = {"p", "em", "strong", "a", "ul", "ol", "li", "code", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "br"}
SAFE |= {"blockquote", "table", "thead", "tbody", "tr", "th", "td"}


class Elements(HTMLParser):
    """Names and attributes of all elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](http://example.org/x.png)",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1) 'title\" onclick=alert(1)')",
        "<javascript:alert(1)>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x]: javascript:alert(1)\n\n[x]",
        "`<b>` \n\n    <script>\n\n```html\n<script>\n```",
        "{{7*7}} ${alert(1)} \u202e \x00",
    ],
)
def test_hostile_markdown_is_text(text: str) -> None:
    html = markdown(text)
    elements = Elements(html).found
    assert {tag for tag, _ in elements} <= SAFE
    hrefs = [attributes.get("href") or "" for tag, attributes in elements if tag == "a"]
    assert all(href.startswith(("http://", "https://", "mailto:")) for href in hrefs), hrefs
    assert not any(name.startswith("on") for _, attributes in elements for name in attributes)
    assert "\u202e" not in html and "\x00" not in html


@given(st.text(st.sampled_from("<>&\"'`[]()!:/#*_-|\\ \nabjs\u202e\ud800"), max_size=80))
def test_any_text_becomes_known_elements(text: str) -> None:
    html = markdown(text)
    assert {tag for tag, _ in Elements(html).found} <= SAFE
    html.encode("utf-8")


def test_headings_fit_below_those_of_a_page() -> None:
    assert [tag for tag, _ in Elements(markdown("# a\n## b\n##### c", below=2)).found] == ["h3", "h4", "h6"]


def test_links_tell_nobody_where_they_come_from() -> None:
    [(_, attributes)] = [each for each in Elements(markdown("[x](https://example.org)")).found if each[0] == "a"]
    assert attributes["href"] == "https://example.org" and "noreferrer" in (attributes["rel"] or "")


def test_shipped_cards_are_shown_without_their_settings() -> None:
    for card in (ROOT / "assets" / "models").glob("*/README.md"):
        text = _body(card)
        assert not text.startswith("---") and "library_name" not in text.partition("\n#")[0]
        assert {tag for tag, _ in Elements(markdown(text)).found} <= SAFE
