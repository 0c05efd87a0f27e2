"""The page "Judge" as a judge meets it: from the list of campaigns through every key to the end of the queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mdr.core.campaigns import Campaign, Rules
from mdr.ui.parts.render import tongue
from mdr.workbench import SAMPLE
from tests.browser.conftest import SCREENSHOTS
from tests.browser.judging import Judge, campaign, open_campaign, press, saved, shown, sign_in
from tests.browser.stub import StubWorkbench
from tests.browser.visiting import Visit


@pytest.fixture
def judge(visit: Visit, workbench: StubWorkbench, address: str) -> Iterator[Judge]:
    """A window in which somebody judges in a campaign."""

    def start(made: Campaign, name: str = "ann", role: str = "judge", **options: Any) -> Any:
        page = visit("/", **({"viewport": {"width": 1280, "height": 900}} | options))
        sign_in(page, workbench, address, name, role)
        open_campaign(page, address, made.id)
        return page

    yield start


def events(workbench: StubWorkbench, made: Campaign) -> list[Any]:
    return workbench.judging.store.history(SAMPLE, campaign=made.id)


def test_a_newcomer_judges_in_the_open_pool(visit: Visit, workbench: StubWorkbench, address: str) -> None:
    page = visit("/", viewport={"width": 1280, "height": 900}, locale="ja-JP")
    page.goto(f"{address}/judge")
    card = page.get_by_role("article", name="Open pool")
    card.get_by_role("link", name="Judge in Open pool").click()
    assert "campaign=open" in page.url
    assert page.locator("select[name=ja]").input_value() == "native"
    assert page.locator("select[name=ar]").input_value() == ""
    page.get_by_role("button", name="Start judging").click()
    page.locator(".judge-item").wait_for()
    assert page.locator(".judge-item").get_attribute("data-lang") == "ja"
    press(page, "2")
    saved(page)
    last = workbench.judging.store.history(SAMPLE, campaign="open")[-1]
    assert (last.grade, last.ability, last.passage_lang) == (2, "native", "ja") and last.inclusion
    page.go_back()
    page.get_by_role("article", name="Open pool").wait_for()
    assert page.title() == "Judge · mdr"


def test_every_grade_key_saves_and_advances_in_three_languages(judge: Judge, workbench: StubWorkbench) -> None:
    made = campaign(workbench, "Grades")
    page = judge(made)
    given = {}
    for turn in range(12):
        number = shown(page)
        given[number] = turn % 4
        item, query = made.items[number], made.queries[made.items[number].query]
        text = page.locator(".judge-item").inner_text()
        assert tongue(query.lang).name in text and tongue(item.lang).name in text
        direction = "node => getComputedStyle(node).direction"
        assert page.locator("#judge-question").evaluate(direction) == tongue(query.lang).direction
        assert page.locator(".judge-item .passage").evaluate(direction) == tongue(item.lang).direction
        press(page, str(turn % 4))
    page.get_by_role("heading", name="Nothing is left for you here").wait_for()
    stored = {(event.query, event.passage): event for event in events(workbench, made)}
    assert {key: event.grade for key, event in stored.items()} == {
        (made.items[number].query, made.items[number].passage): grade for number, grade in given.items()
    }
    assert {event.query_lang for event in stored.values()} == {"en", "ar", "ja"}
    assert sorted(event.rank for event in stored.values()) == list(range(1, 13))
    assert all(event.seconds is not None and event.ability == "native" for event in stored.values())


@pytest.mark.parametrize("lang", ["en", "ar", "ja"])
def test_undo_to_any_depth(judge: Judge, workbench: StubWorkbench, lang: str) -> None:
    made = campaign(workbench, f"Undo {lang}", langs=(lang,), size=12)
    page = judge(made, f"undo-{lang}")
    first = shown(page)
    press(page, "1")
    if made.drawn > 1:
        second = shown(page)
        press(page, "s")
        press(page, "u")
        assert shown(page) == second and "You had skipped this" in page.locator("[data-judge-before]").inner_text()
    page.keyboard.press("u")
    page.wait_for_function("item => document.querySelector('.judge-item').dataset.item === item", arg=str(first))
    assert "You had given 1" in page.locator("[data-judge-before]").inner_text()
    saved(page)
    assert not workbench.campaigns.desk(made).of_item.get(first)
    page.keyboard.press("u")
    page.get_by_text("nothing to take back").wait_for()
    press(page, "3")
    saved(page)
    assert workbench.campaigns.desk(made).grades(first)[f"hf:undo-{lang}"].grade == 3


def test_undo_goes_on_after_a_reload_and_in_a_new_window(judge: Judge, workbench: StubWorkbench, address: str) -> None:
    made = campaign(workbench, "Undo later")
    page = judge(made)
    first = shown(page)
    press(page, "1")
    second = shown(page)
    press(page, "2")
    saved(page)
    page.reload()
    page.locator(".judge-item").wait_for()
    press(page, "u")
    assert shown(page) == second
    saved(page)
    other = page.context.new_page()
    open_campaign(other, address, made.id)
    press(other, "u")
    assert shown(other) == first
    saved(other)
    assert workbench.campaigns.desk(made).of_item[first] == []
    other.close()


def test_cannot_judge_asks_why(judge: Judge, workbench: StubWorkbench) -> None:
    made = campaign(workbench, "Cannot")
    page = judge(made)
    page.keyboard.press("x")
    dialog = page.get_by_role("dialog", name="Why can it not be judged?")
    page.keyboard.press("Escape")
    assert not dialog.is_visible() and not events(workbench, made)
    page.keyboard.press("x")
    press(page, "2")  # the second reason, not a grade
    page.keyboard.press("x")
    dialog.get_by_label("In other words").fill("2 bytes missing")
    press(page, "Enter")
    saved(page)
    first, second = events(workbench, made)
    assert (first.action, first.note) == ("cannot-judge", "the question makes no sense")
    assert (second.action, second.note, second.grade) == ("cannot-judge", "2 bytes missing", None)


def test_a_note_stays_with_the_item(judge: Judge, workbench: StubWorkbench) -> None:
    made = campaign(workbench, "Notes")
    page = judge(made)
    number = shown(page)
    page.keyboard.press("n")
    page.keyboard.type("0 1 2 3 <b>u</b> ملاحظة")
    page.keyboard.press("Control+Enter")
    saved(page)
    assert shown(page) == number
    [note] = events(workbench, made)
    assert (note.action, note.note) == ("note", "0 1 2 3 <b>u</b> ملاحظة")


def test_a_twin_opens_in_the_language_that_is_read_best(judge: Judge, workbench: StubWorkbench) -> None:
    made = campaign(workbench, "Twins")
    page = judge(made)
    page.get_by_role("button", name="Languages").click()
    for lang, ability in (("en", "partial"), ("ar", "translation"), ("ja", "native")):
        page.locator(f"select[name={lang}]").select_option(ability)
    page.get_by_role("button", name="Start judging").click()
    page.locator(".judge-item").wait_for()
    while page.locator(".judge-item").get_attribute("data-lang") == "ja":
        press(page, "0")
    page.keyboard.press("t")
    page.locator(".judge-item .twin .passage[lang=ja]").wait_for()
    page.keyboard.press("t")
    page.locator(".judge-item .twin").wait_for(state="detached")


def test_evidence_is_hidden_until_wanted_and_kept_with_the_grade(judge: Judge, workbench: StubWorkbench) -> None:
    made = campaign(workbench, "Evidence")
    page = judge(made)
    assert not page.locator(".evidence").is_visible()
    press(page, "1")
    page.keyboard.press("h")
    assert page.locator(".evidence").is_visible()
    press(page, "1")
    assert page.locator(".evidence").is_visible()
    page.keyboard.press("h")
    press(page, "1")  # it was seen, though hidden again
    press(page, "1")
    saved(page)
    assert [event.evidence for event in events(workbench, made)] == [False, True, True, False]


def test_a_blind_campaign_never_shows_evidence(judge: Judge, workbench: StubWorkbench) -> None:
    page = judge(campaign(workbench, "Blind", blind=True))
    page.keyboard.press("h")
    page.get_by_text("This campaign hides what the systems said").wait_for()
    assert page.locator(".evidence").count() == 0
    assert page.get_by_role("button", name="Evidence").count() == 0


def test_help_and_guidelines_open_by_key_and_button(judge: Judge, workbench: StubWorkbench) -> None:
    page = judge(campaign(workbench, "Help", guidelines="# Read\n\n*carefully*"))
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    assert "take back the last" in dialog.inner_text()
    number = shown(page)
    page.keyboard.press("1")  # no grade while it is open
    assert shown(page) == number
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Guidelines").click()
    assert page.get_by_role("dialog", name="Guidelines").locator("em").inner_text() == "carefully"


def test_fewer_grades_have_fewer_keys(judge: Judge, workbench: StubWorkbench) -> None:
    made = campaign(workbench, "Binary", scale={0: "no", 1: "yes"})
    page = judge(made)
    number = shown(page)
    page.keyboard.press("3")
    page.keyboard.press("2")
    assert shown(page) == number and page.locator(".judge-grade").count() == 2
    press(page, "1")
    saved(page)
    assert [event.grade for event in events(workbench, made)] == [1]


def test_a_key_held_down_counts_once(judge: Judge, workbench: StubWorkbench) -> None:
    made = campaign(workbench, "Held")
    page = judge(made)
    for _ in range(5):
        page.keyboard.down("2")  # without up: the browser says that it repeats
    page.keyboard.up("2")
    saved(page)
    assert len(events(workbench, made)) == 1


def test_the_end_offers_what_was_skipped_and_shows_progress(judge: Judge, workbench: StubWorkbench) -> None:
    made = campaign(workbench, "The end", size=4)
    page = judge(made)
    for key in ("1", "s", "1", "1"):
        press(page, key)
    page.get_by_role("heading", name="Nothing is left for you here").wait_for()
    assert "You have judged 3 here" in page.locator(".judge-end").inner_text()
    assert page.get_by_role("table", name="By language of the passage").is_visible()
    page.get_by_role("button", name="Go through what you skipped").click()
    page.locator(".judge-work .judge-item").wait_for()
    press(page, "0")
    page.get_by_role("heading", name="Nothing is left for you here").wait_for()
    page.get_by_text("You have judged 4 here").wait_for()
    assert not page.get_by_role("button", name="Go through what you skipped").is_visible()
    page.keyboard.press("u")
    page.locator(".judge-work:not([hidden]) .judge-item").wait_for()


def test_hidden_repeats_are_told_kindly_to_their_judge_alone(judge: Judge, workbench: StubWorkbench) -> None:
    made = campaign(workbench, "Repeats", size=36, rules=Rules(repeats=1.0, overlap=0))
    page = judge(made)
    for _ in range(36):
        press(page, "1")
    saved(page)
    page.get_by_role("link", name="All campaigns").first.click()
    page.get_by_role("article", name="Repeats").get_by_role("button", name="Progress").click()
    kind = page.locator(".kind")
    kind.wait_for()
    assert "came to you twice" in kind.inner_text() and "Nobody else is told" in kind.inner_text()
    other = judge(made, "somebody-else")
    other.get_by_role("link", name="All campaigns").first.click()
    other.get_by_role("article", name="Repeats").get_by_role("button", name="Progress").click()
    other.get_by_role("table", name="By language of the passage").wait_for()
    assert other.locator(".kind").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_and_phones(judge: Judge, workbench: StubWorkbench, scheme: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    made = campaign(workbench, f"Pictures {scheme}")
    page = judge(made, color_scheme=scheme)
    page.screenshot(path=SCREENSHOTS / f"judge-{scheme}.png")
    phone = judge(made, viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True, is_mobile=True)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    for button in phone.locator(".judge-grade").all():
        box = button.bounding_box()
        assert box["height"] >= 48 and 600 < box["y"] < 844 - box["height"]  # where thumbs are
    number = shown(phone)
    phone.locator(".judge-grade").nth(2).tap()
    phone.wait_for_function("item => document.querySelector('.judge-item').dataset.item !== item", arg=str(number))
    phone.screenshot(path=SCREENSHOTS / f"judge-{scheme}-phone.png")
