"""The interface in its languages: at once, for its visitor alone, and mirrored where it is read from the right."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from mdr.ui.words.catalogue import _, speaking
from tests.browser.asking import CAT

Visit = Callable[..., Any]
LANGUAGES = {"en": "en-US", "es": "es-MX", "zh": "zh-CN", "ar": "ar-EG"}
"""Each language with what a browser that asks for it says."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SEEN = """() => {
  window.shown = [];
  const note = () => {
    const box = document.querySelector('#go, .brand p');
    if (box) window.shown.push(box.textContent);
  };
  new MutationObserver(note).observe(document, { childList: true, subtree: true, characterData: true });
}"""
_LATIN = re.compile(r"[A-Za-z]{4,}")


def choose(page: Any, name: str) -> None:
    """By keyboard, as everybody may."""
    menu = page.locator(".speaks summary")
    menu.focus()
    page.keyboard.press("Enter")
    choice = page.get_by_role("button", name=name, exact=True)
    choice.wait_for()
    choice.focus()
    page.keyboard.press("Enter")


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_first_page_speaks_what_the_browser_asks_for(visit: Visit, code: str) -> None:
    page = visit("/", locale=LANGUAGES[code])
    with speaking(code):
        assert page.locator("#go").inner_text() == _("Search")
        assert page.locator(".brand p").inner_text() == _("One question, every language.")
        assert page.locator(".welcome h2").inner_text() == _("Try one of these")
        assert page.locator("nav a").all_inner_texts()[1:3] == [_("Compare"), _("Evaluate")]
        assert page.locator("#query input, #query textarea").get_attribute("placeholder") == _("Ask in any language")
        assert page.locator(".menu input").last.input_value() == _("nothing")
        assert page.title() == _("mdr · search in every language")
    assert page.evaluate("document.documentElement.lang.split('-')[0]") == code
    assert page.evaluate("document.documentElement.dir") == ("rtl" if code == "ar" else "ltr")


@pytest.mark.parametrize("code", LANGUAGES)
def test_an_answer_speaks_it_too(visit: Visit, code: str) -> None:
    page = visit(f"/?q={quote(CAT)}", locale=LANGUAGES[code])
    card = page.locator(".card").first
    with speaking(code):
        assert _("Does it answer?") in card.locator(".grading").inner_text()
        card.locator(".grade[data-grade='3']").click()
        card.locator(".saved[data-state=done]").wait_for()
        assert card.locator(".saved").inner_text().strip() == _("saved")
        card.locator("[data-why]").click()
        told = card.locator(".why .caption").first
        told.wait_for()
        expected = _(
            "Words with the same number go together: numbers and names exactly, other words as near as the encoder has "
            "them. Point at one to see its partners."
        )
        assert told.inner_text() == expected
    passage = card.locator(".why .passage").last
    assert passage.evaluate("it => getComputedStyle(it).direction") == "ltr"


def test_nothing_flashes_in_english_first(visit: Visit) -> None:
    page = visit("/", locale="ar-EG")
    page.add_init_script(f"({SEEN})()")
    page.reload()
    page.wait_for_selector("#answer .welcome")
    shown = page.evaluate("window.shown")
    assert shown and not any(_LATIN.search(text) for text in shown)


def test_a_choice_survives_a_reload_and_is_nobody_elses(visit: Visit) -> None:
    page, other = visit("/", locale="en-US"), visit("/", locale="en-US", viewport={"width": 1000, "height": 800})
    choose(page, "العربية")
    page.wait_for_function("document.documentElement.dir === 'rtl'")
    page.wait_for_selector("#answer .welcome")
    page.reload()
    page.wait_for_selector("#answer .welcome")
    assert page.locator("#go").inner_text() == "البحث"
    other.reload()
    other.wait_for_selector("#answer .welcome")
    assert other.locator("#go").inner_text() == "Search"
    choose(page, "English")
    page.wait_for_function("document.documentElement.dir === 'ltr'")


def test_one_stays_where_one_was(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}", locale="en-US")
    choose(page, "español")
    page.wait_for_function("document.querySelector('#go')?.textContent.trim() === 'Buscar'")
    page.wait_for_selector("#answer .card")
    assert quote(CAT, safe="") in page.url.replace("+", "%20")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", ["/judge", "/judge?campaign=open", "/guide", "/runs", "/training-data"])
def test_arabic_pages_are_mirrored_and_fit(visit: Visit, path: str, width: int) -> None:
    page = visit("/", locale="ar-EG", viewport={"width": width, "height": 900})
    page.goto(page.url.rstrip("/") + path)
    page.wait_for_selector(".campaign, .judge-languages:not([hidden]), .guide, [data-permalink]")
    assert page.evaluate(OVERFLOW) <= 0
    block = page.locator(".judge, .guide, [data-frame]").first
    assert block.evaluate("it => getComputedStyle(it).direction") == "rtl"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("view", ["compare", "compare?q=cat", "evaluate", "evaluate?view=holes", "evaluate?view=bias"])
def test_arabic_figures_and_tables_fit(look: Visit, view: str, width: int) -> None:
    page = look(f"/{view}", locale="ar-EG", viewport={"width": width, "height": 900})
    assert page.evaluate(OVERFLOW) <= 0
    for figure in page.locator("svg.figure").all():
        assert figure.evaluate("it => getComputedStyle(it).direction") == "ltr"


@pytest.mark.parametrize("width", [1280, 390])
def test_an_arabic_answer_fits(visit: Visit, width: int) -> None:
    page = visit(f"/?q={quote(CAT)}&beside=bm25", locale="ar-EG", viewport={"width": width, "height": 900})
    assert page.evaluate(OVERFLOW) <= 0


def test_signing_in_speaks_it_without_scripts(visit: Visit, address: str) -> None:
    page = visit("/", locale="zh-CN")
    page.goto(f"{address}/mdr/sign-in")
    assert page.locator("h1").inner_text() == "登录"
    page.get_by_role("button", name="العربية").click()
    page.wait_for_function("document.documentElement.dir === 'rtl'")
    assert page.locator("h1").inner_text() == "تسجيل الدخول"


def test_hostile_texts_stay_texts(visit: Visit) -> None:
    page = visit(f"/?q={quote('<img src=x onerror=alert(1)> %(quoted)s zebra {{1}} ${2}')}", locale="ar-EG")
    assert page.locator("#answer img").count() == 0
    nothing = visit(f"/?q={quote('<b id=hurt>qqqq</b>')}&engine=bm25", locale="es-MX")
    assert nothing.locator("#hurt").count() == 0
