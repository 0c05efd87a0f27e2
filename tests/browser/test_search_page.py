"""The page "Search" as a person meets it: asking, reading, moving, and nothing that breaks it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.browser.asking import CAT, address_of, ask, question, submit
from tests.browser.stub import HOSTILE, StubWorkbench
from tests.browser.visiting import Visit

# -- asking -----------------------------------------------------------------------------------------------


def test_a_question_is_answered_and_can_be_linked_to(visit: Visit) -> None:
    page = visit()
    assert page.evaluate("document.activeElement.closest('#query') !== null")
    ask(page, CAT)
    assert page.locator(".card").count() == 10
    assert address_of(page) == {"q": [CAT]}
    assert CAT in page.title()
    said = page.locator(".summary").inner_text()
    assert "10 passages" in said and "English" in said and "ms" in said
    page.go_back()
    page.wait_for_selector(".welcome")
    assert page.get_by_label("Your question, in any language").input_value() == ""


def test_going_back_faster_than_answers_come_keeps_every_place(visit: Visit) -> None:
    page = visit()
    for word in ("zebra", "crane", "sailing"):
        ask(page, word)
    twice = "() => [history.back(), addEventListener('popstate', () => history.back(), { once: true })]"
    page.evaluate(twice)
    page.wait_for_selector(".answer[data-query=zebra]")
    assert address_of(page) == {"q": ["zebra"]}
    for word in ("crane", "sailing"):
        page.go_forward()
        page.wait_for_selector(f".answer[data-query={word}]")
        assert address_of(page) == {"q": [word]}


def test_options_narrow_the_answer_at_once_and_come_back_from_the_address(visit: Visit) -> None:
    page = visit()
    ask(page, "zebra")
    page.get_by_role("radio", name="Words", exact=True).check()
    page.wait_for_selector(".answer[data-engine=bm25]")
    page.get_by_role("checkbox", name="ไทย").check()
    page.wait_for_function("document.querySelectorAll('.card').length === 1")
    assert address_of(page) == {"q": ["zebra"], "engine": ["bm25"], "langs": ["th"]}
    again = visit("/" + page.url.rpartition("/")[2])
    assert again.get_by_label("Your question, in any language").input_value() == "zebra"
    assert again.get_by_role("radio", name="Words", exact=True).is_checked()
    assert again.get_by_role("checkbox", name="ไทย").is_checked()
    assert again.locator(".card").count() == 1


def test_an_example_in_every_language_is_one_click_away(visit: Visit) -> None:
    page = visit()
    links = page.locator(".examples a")
    assert links.count() == 12
    assert len({link.get_attribute("lang") for link in page.locator(".examples .question").all()}) == 12
    thai = page.locator(".examples a", has=page.locator(":lang(th)"))
    text = thai.locator(".question").inner_text()
    thai.click()
    page.wait_for_selector(".card")
    assert page.locator(".answer").get_attribute("data-query") == text
    assert "Thai" in page.locator(".summary").inner_text()


def test_waiting_shows(visit: Visit) -> None:
    page = visit()
    held: list[Any] = []
    page.route("**/run/predict*", lambda route: held.append(route))
    submit(page, "zebra")
    page.wait_for_selector("#answer[aria-busy=true]")
    held[0].continue_()
    page.wait_for_selector("#answer:not([aria-busy]) .card")


def test_a_failure_is_told_and_the_next_search_works(visit: Visit) -> None:
    page = visit()
    page.route("**/run/predict*", lambda route: route.fulfill(status=500, json={"error": "broken"}), times=1)
    submit(page, "zebra")
    page.wait_for_selector("#mdr-live.notice")
    assert "failed" in page.locator("#mdr-live").inner_text()
    assert page.locator("#answer[aria-busy]").count() == 0
    ask(page, "zebra")
    assert page.locator("#mdr-live.notice").count() == 0
    visit.complaints.clear()  # type: ignore[attr-defined]  # the request that was made to fail


def test_too_many_searches_are_told_to_wait(visit: Visit) -> None:
    page = visit()
    refusal = {"problem": "you are asking faster than this server answers", "remedy": "wait"}
    page.route("**/run/predict*", lambda route: route.fulfill(status=429, json=refusal), times=1)
    submit(page, "zebra")
    page.wait_for_selector("#mdr-live.notice")
    assert "Wait a few seconds" in page.locator("#mdr-live").inner_text()
    box = page.locator("#mdr-live").bounding_box()
    assert box and page.viewport_size and box["y"] + box["height"] <= page.viewport_size["height"], "it is seen"
    page.route("**/run/predict*", lambda route: route.fulfill(status=500, json={"error": "broken"}), times=1)
    submit(page, "zebra")
    page.get_by_text("The search failed").wait_for()
    ask(page, "zebra")
    visit.complaints.clear()  # type: ignore[attr-defined]  # the requests that were made to fail


def test_what_failed_meanwhile_does_not_hide_an_answer(visit: Visit) -> None:
    """An address is on its way when a question fails: its answer is shown and its address kept all the same."""
    page = visit("/?q=zebra")
    page.wait_for_selector(".card")
    held: list[Any] = []
    page.route("**/run/predict*", lambda route: held.append(route))
    page.evaluate("history.pushState(null, '', '?q=lion'); dispatchEvent(new PopStateEvent('popstate'))")
    while not held:
        page.wait_for_timeout(20)
    page.evaluate("mdr.failed()")
    held[0].continue_()
    page.wait_for_selector(".answer[data-query=lion]")
    page.wait_for_function("document.title.startsWith('lion')")
    assert page.locator("#answer[aria-busy]").count() == 0


def test_a_server_that_has_gone_is_told(visit: Visit) -> None:
    page = visit()
    page.route("**/run/predict*", lambda route: route.abort())
    submit(page, "zebra")
    page.get_by_text("Connection to the server was lost").wait_for()
    visit.complaints.clear()  # type: ignore[attr-defined]  # the request that was made to fail


def test_a_quota_mixes_languages(visit: Visit) -> None:
    page = visit("/?q=zebra&quota=1")
    langs = [card.get_attribute("lang") for card in page.locator(".card > .passage").all()]
    assert len(langs) == len(set(langs)) > 1


def test_nothing_found_offers_ways_out(visit: Visit) -> None:
    page = visit("/?q=qqqqqq&langs=te,th&engine=bm25")
    assert "Nothing here matches" in page.locator(".nothing").inner_text()
    page.get_by_text("Search passages in all languages").click()
    page.wait_for_function("!location.search.includes('langs')")
    page.get_by_text("Start again with an example").click()
    page.wait_for_selector(".welcome")


@pytest.mark.parametrize("query", ["a" * 5_000, "?!", "\u200b\u202e"])
def test_what_cannot_be_searched_is_said(visit: Visit, query: str) -> None:
    page = visit(f"/?q={quote(query)}")
    assert page.get_by_role("alert").inner_text()
    ask(page, "zebra")
    assert page.locator(".card").count() > 0


def test_an_address_made_by_hand_is_read_as_far_as_it_makes_sense(visit: Visit) -> None:
    page = visit("/?q=zebra%ff%00&engine=magic&langs=xx,,fi&k=1e9&quota=-1&q=2")
    assert page.get_by_role("radio", name="Words and meaning").is_checked()
    assert page.get_by_role("checkbox", name="suomi").is_checked()


ADDED = "script, img, iframe, #hurt, [onclick], [onerror], a[href^=javascript]"
"""What the hostile passages would add to the page if they could."""

# -- reading ----------------------------------------------------------------------------------------------


def test_hostile_passages_are_text(visit: Visit) -> None:
    page = visit("/?q=zebra")
    whole = page.locator("#answer").inner_text()
    for passage in HOSTILE[:2]:
        assert passage.title in whole and passage.text in whole
    assert "zebra </p></article><iframe src=//example.org>" in whole
    assert page.locator(f"#answer :is({ADDED})").count() == 0
    assert "\u202e" not in page.content() and "\x07" not in page.content()
    for query in ("<img src=x onerror=alert(6)> zebra", "{{zebra}} ${alert(7)}", "zebra\"'><script>alert(8)</script>"):
        ask(page, query)
        assert page.locator("#answer :is(script, img)").count() == 0
        assert page.get_by_label("Your question, in any language").input_value() == query


def test_a_megabyte_is_cut_until_it_is_wanted(visit: Visit) -> None:
    page = visit("/?q=zebra&engine=bm25")
    card = page.locator(".card[data-passage=long]")
    assert len(card.locator(".passage").inner_text()) < 2_000
    card.get_by_text("Show all").click()
    page.wait_for_function(
        "document.querySelector('.card[data-passage=long] .passage').textContent.length > 1000000"
    )
    assert card.locator(".passage").evaluate("node => node.textContent").strip() == HOSTILE[-1].text
    assert card.locator(".passage *").count() == 0


def test_matches_are_marked_without_relying_on_colour(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}")
    mark = page.locator(".card mark").first
    assert mark.get_attribute("title")
    assert "underline" in mark.evaluate("node => getComputedStyle(node).textDecorationLine")


def test_directions_and_glyphs_follow_the_language(visit: Visit, workbench: StubWorkbench) -> None:
    page = visit(f"/?q={quote(question(workbench, 'ar'))}")
    direction = "node => getComputedStyle(node).direction"
    assert page.locator("#query input, #query textarea").evaluate(direction) == "rtl"
    assert page.locator(".card .passage:lang(ar)").first.evaluate(direction) == "rtl"
    page = visit("/")
    fonts = {
        lang: page.locator(f".examples .question:lang({lang})").evaluate("node => getComputedStyle(node).fontFamily")
        for lang in ("zh", "ja", "ko")
    }
    assert len(set(fonts.values())) == 3
    assert "CJK SC" in fonts["zh"] and "CJK JP" in fonts["ja"] and "CJK KR" in fonts["ko"]


def test_the_same_passage_opens_in_another_language(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}")
    card = page.locator(".card").first
    finnish = card.get_by_role("button", name="suomi")
    finnish.click()
    twin = card.get_by_role("group", name="the same passage in Finnish")
    twin.wait_for()
    assert twin.locator(".passage").get_attribute("lang") == "fi"
    assert finnish.get_attribute("aria-expanded") == "true"
    finnish.click()
    assert card.locator(".twin").count() == 0 and finnish.get_attribute("aria-expanded") == "false"


# -- keyboard and screen readers --------------------------------------------------------------------------


def test_everything_goes_by_keyboard(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}")
    here = "document.activeElement.id"
    for key, card in (("j", "hit-1"), ("j", "hit-2"), ("k", "hit-1"), ("k", "hit-1"), ("j", "hit-2")):
        page.keyboard.press(key)
        assert page.evaluate(here) == card
    page.keyboard.press("3")
    page.locator("#hit-2 .saved[data-state=done]").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("zebra j k 0")
    assert page.get_by_label("Your question, in any language").input_value() == "zebra j k 0"
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.answer').dataset.query === 'zebra j k 0'")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(here) == "hit-1"


def test_choices_are_groups_with_names_and_arrow_keys(visit: Visit) -> None:
    page = visit()
    for name in ("Search by", "Passages", "Per language", "Passages in (none chosen: all)"):
        page.get_by_role("group", name=name, exact=True).wait_for()
    page.get_by_role("radio", name="Words and meaning").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", name="Meaning", exact=True).is_checked()


def test_screen_readers_hear_the_answer_and_the_names(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}")
    page.wait_for_function("document.querySelector('#mdr-live')?.textContent.includes('10 passages')")
    first = page.get_by_role("article").first
    assert first.get_by_role("heading", level=3).count() == 1
    assert first.get_by_role("group", name="How well does this passage answer?").get_by_role("button").count() == 4
    nameless = page.evaluate(
        "[...document.querySelectorAll('main :is(button, a, input)')].filter(node => node.offsetParent"
        " && !(node.ariaLabel || node.textContent.trim() || node.labels?.length)).length"
    )
    assert nameless == 0
