"""The page "Search" explains itself: words that go together, versions to read, two systems beside each other, and what
the browser keeps. By keyboard, in scripts of both directions, and with texts that try to break it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.browser.asking import CAT, address_of, ask, question
from tests.browser.conftest import SCREENSHOTS
from tests.browser.stub import HOSTILE, StubWorkbench
from tests.browser.visiting import Visit

# -- words that go together -------------------------------------------------------------------------------


@pytest.mark.parametrize(("lang", "direction"), [("en", "ltr"), ("ar", "rtl"), ("ja", "ltr"), ("th", "ltr")])
def test_words_are_linked_by_keyboard(visit: Visit, workbench: StubWorkbench, lang: str, direction: str) -> None:
    page = visit(f"/?q={quote(question(workbench, lang))}&langs={lang}")
    page.keyboard.press("a")
    assert page.locator(".why").count() == 0  # no card is chosen
    page.keyboard.press("j")
    page.keyboard.press("a")
    why = page.locator("#hit-1 .why")
    why.wait_for()
    assert page.locator("#hit-1 [data-why]").get_attribute("aria-expanded") == "true"
    passage = page.locator("#hit-1 > .passage")
    assert not passage.is_visible()
    shown = why.locator(".passage:not(.titled)")
    assert shown.evaluate("node => node.textContent") == passage.evaluate("node => node.textContent")
    assert shown.evaluate("node => getComputedStyle(node).direction") == direction
    word = why.locator("button.linked").first
    number = word.get_attribute("data-link")
    assert why.locator(f".passage .linked[data-link='{number}']").count() > 0
    for _ in range(40):  # by Tab alone
        page.keyboard.press("Tab")
        if word.evaluate("node => node === document.activeElement"):
            break
    lit = why.locator(".lit").evaluate_all("nodes => nodes.map(node => node.dataset.link)")
    assert len(lit) > 1 and set(lit) == {number}
    why.screenshot(path=SCREENSHOTS / f"words-{lang}.png") if SCREENSHOTS.is_dir() else None
    page.locator("#hit-1").focus()
    page.keyboard.press("a")
    assert why.count() == 0 and passage.is_visible()


def test_partners_are_told_apart_without_colour_and_heard(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}&langs=en")
    page.locator("#hit-1 [data-why]").click()
    word = page.locator(".why button.linked").first
    word.wait_for()
    number = word.get_attribute("data-link")
    assert f'"{number}"' in word.evaluate("node => getComputedStyle(node, '::after').content")
    assert " goes with " in (word.get_attribute("aria-label") or "")
    styles = page.locator(".why button.linked").evaluate_all(
        "nodes => nodes.map(node => getComputedStyle(node).textDecorationStyle)"
    )
    assert len(styles) < 2 or styles[0] != styles[1]
    word.click()
    page.mouse.move(0, 0)
    assert page.locator(".why .lit").count() > 1  # held until pressed again
    word.click()
    page.keyboard.press("Escape")
    page.locator("#query input, #query textarea").focus()
    page.wait_for_function("!document.querySelector('.why .lit')")


def test_hostile_passages_are_linked_as_text(visit: Visit) -> None:
    page = visit(f"/?q={quote('zebra <img src=y onerror=alert(6)> {{7*7}}')}&engine=bm25")
    for passage in HOSTILE:
        card = page.locator(".card", has_text="zebra").and_(page.locator(f'[data-passage={json.dumps(passage.id)}]'))
        card.locator("[data-why]").click()
        card.locator(".why").wait_for()
    assert page.locator("#answer :is(script, img, iframe, #hurt, [onclick], [onerror])").count() == 0
    assert "characters follow" in (page.locator(".card[data-passage=long] .why").text_content() or "")


def test_an_explanation_that_fails_says_so_and_can_be_tried_again(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}")
    page.route("**/mdr/why*", lambda route: route.abort(), times=1)
    button = page.locator("#hit-1 [data-why]")
    button.click()
    page.locator("#hit-1 .trouble").wait_for()
    button.click()
    button.click()
    page.locator("#hit-1 .why").wait_for()
    visit.complaints.clear()  # type: ignore[attr-defined]  # the request that was made to fail


# -- versions to read -------------------------------------------------------------------------------------


def test_a_version_that_one_reads_is_open(visit: Visit, workbench: StubWorkbench) -> None:
    page = visit(f"/?q={quote(question(workbench, 'th'))}&langs=th", locale="fi-FI")
    twin = page.locator("#hit-1").get_by_role("group", name="the same passage in Finnish")
    assert twin.locator(".passage").get_attribute("lang") == "fi"
    page.locator("#reads summary").click()
    held: list[Any] = []  # the answer to the first choice comes after the second one was made
    page.route("**/run/predict*", lambda route: held.append(route), times=1)
    page.get_by_role("group", name="Languages I read").get_by_label("日本語").check()
    page.wait_for_timeout(100)
    page.get_by_role("group", name="Languages I read").get_by_label("suomi").uncheck()
    held[0].continue_()
    page.locator("#hit-1").get_by_role("group", name="the same passage in Japanese").wait_for()
    page.reload()
    page.locator("#hit-1").get_by_role("group", name="the same passage in Japanese").wait_for()
    assert page.locator("#reads .chosen").inner_text() == "日本語"


def test_where_there_is_no_version_the_nearest_is_called_so(visit: Visit) -> None:
    page = visit("/?q=zebra&engine=bm25&langs=th")
    card = page.locator(".card[data-passage=h4]")
    near = card.get_by_role("button", name="The nearest passage in English")
    near.click()
    version = card.get_by_role("group", name="the nearest passage in English")
    version.wait_for()
    assert "not a translation" in version.inner_text()
    near.click()
    assert version.count() == 0


# -- two systems ------------------------------------------------------------------------------------------


def test_two_systems_stand_beside_each_other(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}")
    page.get_by_label("Compare with").click()
    page.get_by_role("option", name="Words", exact=True).click()
    page.wait_for_selector(".columns")
    assert address_of(page)["beside"] == ["bm25"]
    left, right = page.locator(".system").all()
    assert (left.get_attribute("data-engine"), right.get_attribute("data-engine")) == ("hybrid", "bm25")
    assert left.bounding_box()["y"] == right.bounding_box()["y"]
    said = left.locator(".elsewhere").first.inner_text()
    passage = left.locator(".card").first.get_attribute("data-passage")
    there = right.locator(f".card[data-passage='{passage}']")
    expected = there.get_attribute("data-rank") if there.count() else ""
    assert said == (f"In the other column: number {expected}" if expected else "Not in the other column")


def test_a_trained_model_answers_and_explains(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}&engine=dense&model=toy+run&beside=dense")
    assert page.locator(".system h2").all_inner_texts() == ["Meaning · toy run", "Meaning"]
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#hit-1 [data-why]").click()
    page.locator("#hit-1 .why").wait_for()
    assert any("mdr/why" in url and "model=toy+run" in url for url in asked)
    page.get_by_role("radio", name="Words", exact=True).check()
    page.wait_for_selector(".system[data-engine=bm25]")


def test_columns_fit_a_phone(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}&beside=bm25", viewport={"width": 390, "height": 844}, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    left, right = page.locator(".system").all()
    assert left.bounding_box()["x"] == right.bounding_box()["x"]


# -- what the browser keeps -------------------------------------------------------------------------------


def test_questions_are_kept_in_the_browser_and_forgotten(visit: Visit) -> None:
    hostile = "zebra <img src=y onerror=alert(9)>"
    page = visit("/", color_scheme="light")
    ask(page, CAT)
    ask(page, hostile)
    page.locator("#history summary").click()
    links = page.locator("#history ol a")
    assert links.all_inner_texts() == [hostile, CAT]
    assert page.locator("#history img").count() == 0
    links.nth(1).click()
    page.wait_for_function("text => document.querySelector('.answer')?.dataset.query === text", arg=CAT)
    assert not page.locator("#history").evaluate("node => node.open")
    page.locator("#history summary").click()
    page.get_by_role("button", name="Forget them all").click()
    assert page.locator("#history ol").inner_text() == "Nothing yet."
    page.keyboard.press("Escape")
    assert not page.locator("#history").evaluate("node => node.open")


def test_a_broken_memory_does_not_stop_a_search(visit: Visit) -> None:
    page = visit("/", color_scheme="light")
    page.evaluate("localStorage.setItem('mdr-history', '[1, null, {\"address\": 5}]')")
    page.evaluate("localStorage.setItem('mdr-reads', '{broken')")
    page.reload()
    page.wait_for_selector("#history ol li", state="attached")
    ask(page, "zebra")
    assert page.locator(".card").count() > 0
