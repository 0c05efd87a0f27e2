"""Grades on the page "Search": kept, shown again, taken back; a server that is away loses none."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from mdr.services.judging.service import GRADES
from mdr.ui.door.visitors import VISITOR
from tests.browser.asking import CAT
from tests.browser.stub import StubWorkbench
from tests.browser.visiting import Visit


def test_a_grade_is_kept_shown_again_and_taken_back(visit: Visit, workbench: StubWorkbench) -> None:
    page = visit(f"/?q={quote(CAT)}")
    card = page.locator(".card").nth(2)
    id = card.get_attribute("data-passage")
    partly = card.get_by_role("button", name=f"2 {GRADES[2]}")
    partly.click()
    card.locator(".saved[data-state=done]").wait_for()
    stored = workbench.judging.store.history("sample")[-1]
    assert (stored.passage, stored.grade, stored.rank, stored.engine) == (id, 2, 3, "hybrid")
    page.reload()
    page.wait_for_selector(".card")
    partly = page.locator(".card").nth(2).get_by_role("button", name=f"2 {GRADES[2]}")
    assert partly.get_attribute("aria-pressed") == "true"
    partly.click()
    page.locator(".card").nth(2).locator(".saved[data-state=done]").wait_for()
    assert workbench.judging.store.history("sample")[-1].action == "withdraw"
    [cookie] = [cookie for cookie in page.context.cookies() if cookie["name"] == VISITOR]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")


def test_a_grade_survives_a_server_that_is_away_and_keeps_its_order(visit: Visit, workbench: StubWorkbench) -> None:
    page = visit(f"/?q={quote(CAT)}")
    before = workbench.judging.store.count()
    tries: list[str] = []

    def unreliable(route: Any) -> None:
        tries.append(route.request.post_data_json["event"])
        if len(tries) == 1:
            route.abort()
        elif len(tries) == 2:  # saved, but the answer gets lost: the same event comes again
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/mdr/grade", unreliable)
    card = page.locator(".card").nth(4)
    card.get_by_role("button", name=f"1 {GRADES[1]}").click()
    card.get_by_role("button", name=f"0 {GRADES[0]}").click()
    card.locator(".saved[data-state=done]").wait_for()
    assert tries[0] == tries[1] == tries[2] != tries[3] and len(tries) == 4
    assert [event.grade for event in workbench.judging.store.history("sample")[before:]] == [1, 0]
    visit.complaints.clear()  # type: ignore[attr-defined]  # the requests that were made to fail


def test_a_refused_grade_says_why(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}")
    card = page.locator(".card").first
    card.evaluate("node => { node.dataset.passage = 'nowhere'; }")
    card.get_by_role("button", name=f"3 {GRADES[3]}").click()
    card.locator(".saved[data-state=refused]").wait_for()
    assert "nowhere" in card.locator(".saved").inner_text()
    visit.complaints.clear()  # type: ignore[attr-defined]  # the browser reports the refusal as well


def test_a_hostile_passage_can_be_graded(visit: Visit, workbench: StubWorkbench) -> None:
    page = visit("/?q=zebra")
    card = page.locator(".card").filter(has_text="alert(1)").first
    card.get_by_role("button", name=f"0 {GRADES[0]}").click()
    card.locator(".saved[data-state=done]").wait_for()
    assert workbench.judging.store.history("sample")[-1].passage == "<b id=hurt>"

def test_a_grade_shows_in_both_columns(visit: Visit, workbench: StubWorkbench) -> None:
    page = visit(f"/?q={quote(CAT)}&engine=dense&beside=bm25")
    before = workbench.judging.store.count()
    left = page.locator(".system").first.locator(".card").first
    right = page.locator(f".system >> nth=1 >> .card[data-passage='{left.get_attribute('data-passage')}']")
    right.get_by_role("button", name=f"3 {GRADES[3]}").click()
    left.locator(".saved[data-state=done]").wait_for()
    assert left.locator(".grade[aria-pressed=true]").inner_text().startswith("3")
    [event] = workbench.judging.store.history("sample")[before:]
    assert event.engine == "bm25"
