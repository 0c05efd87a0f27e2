"""The page "Judge" under quick hands: keys that come while something is still on its way."""

from __future__ import annotations

from typing import Any

from mdr.core.campaigns import Campaign
from mdr.workbench import SAMPLE
from tests.browser.judging import campaign, open_campaign, saved, shown, sign_in
from tests.browser.stub import StubWorkbench
from tests.browser.visiting import Visit


def judging(visit: Visit, workbench: StubWorkbench, address: str, made: Campaign) -> Any:
    page = visit("/", viewport={"width": 1280, "height": 900})
    sign_in(page, workbench, address, "ann")
    open_campaign(page, address, made.id)
    return page


def test_nothing_of_before_is_in_sight_while_judging_begins_again(
    visit: Visit, workbench: StubWorkbench, address: str
) -> None:
    page = judging(visit, workbench, address, campaign(workbench, "Again"))
    page.get_by_role("button", name="Languages").click()
    held: list[Any] = []
    page.route("**/mdr/judge/next", lambda route: held.append(route))
    page.get_by_role("button", name="Start judging").click()
    page.get_by_text("One moment").wait_for()
    assert page.locator(".judge-item").count() == 0
    held[0].continue_()
    page.locator(".judge-item").wait_for()


def test_a_note_is_known_before_the_next_key(visit: Visit, workbench: StubWorkbench, address: str) -> None:
    """The browser tells that a dialog closed only a moment later."""
    made = campaign(workbench, "Reasons")
    page = judging(visit, workbench, address, made)
    first = shown(page)
    page.keyboard.press("x")
    page.get_by_role("dialog").wait_for()
    page.evaluate("""async () => {
        document.querySelector("dialog[open] [data-judge-reason]").click();
        await null;
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "3", bubbles: true }));
    }""")
    page.wait_for_function("item => document.querySelector('.judge-item')?.dataset.item !== item", arg=str(first))
    saved(page)
    told = workbench.judging.store.history(SAMPLE, campaign=made.id)
    assert [event.action for event in told][:1] == ["cannot-judge"]
    assert told[0].passage == made.items[first].passage
