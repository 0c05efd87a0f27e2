"""The page "Judge" when things go wrong or people mean harm: nothing is lost, mixed up, or taken for markup."""

from __future__ import annotations

from typing import Any

import pytest

from mdr.core.campaigns import Rules
from mdr.core.permissions import MACHINE, Person
from mdr.services.campaigns.service import Plan
from mdr.workbench import SAMPLE
from tests.browser.judging import campaign, open_campaign, press, saved, shown, sign_in
from tests.browser.stub import HOSTILE, StubWorkbench
from tests.browser.test_search_looks import CONTRASTS
from tests.browser.visiting import Visit

WINDOW = {"viewport": {"width": 1280, "height": 900}}
BOTH = Rules(repeats=0, overlap=1.0)


def window(visit: Visit, workbench: StubWorkbench, address: str, id: str, name: str = "ann") -> Any:
    page = visit("/", **WINDOW)
    sign_in(page, workbench, address, name)
    open_campaign(page, address, id)
    return page


def test_a_server_that_is_away_loses_nothing_and_keeps_the_order(
    visit: Visit, workbench: StubWorkbench, address: str
) -> None:
    made = campaign(workbench, "Away")
    page = window(visit, workbench, address, made.id)
    page.route("**/mdr/judge/*", lambda route: route.abort())
    first = shown(page)
    press(page, "1")
    press(page, "2")
    press(page, "u")  # before anything arrived
    press(page, "3")
    page.locator("[data-judge-saved][data-state=waiting]").wait_for()
    assert "4 kept in this browser" in page.locator("[data-judge-saved]").inner_text()
    page.unroute("**/mdr/judge/*")
    saved(page)
    stored = workbench.judging.store.history(SAMPLE, campaign=made.id)
    assert [(event.action, event.grade) for event in stored] == [
        ("grade", 1),
        ("grade", 2),
        ("withdraw", None),
        ("grade", 3),
    ]
    assert stored[2].undoes == stored[1].event and stored[3].passage == stored[1].passage
    assert workbench.campaigns.desk(made).grades(first)["hf:ann"].grade == 1
    visit.complaints.clear()  # type: ignore[attr-defined]  # the requests that were made to fail


def test_what_is_not_saved_survives_a_reload_and_counts_once(
    visit: Visit, workbench: StubWorkbench, address: str
) -> None:
    made = campaign(workbench, "Reload")
    page = window(visit, workbench, address, made.id)

    def lost(route: Any) -> None:  # saved, but the answer never comes
        route.fetch()
        route.abort()

    page.route("**/mdr/judge/say", lost, times=1)
    press(page, "2")
    page.locator("[data-judge-saved][data-state=waiting]").wait_for()
    page.route("**/mdr/judge/say", lambda route: route.abort())
    press(page, "1")
    page.reload()
    page.unroute("**/mdr/judge/say")
    page.wait_for_function("!Object.keys(localStorage).some((key) => key.startsWith('mdr-judge-unsaved'))")
    assert [event.grade for event in workbench.judging.store.history(SAMPLE, campaign=made.id)] == [2, 1]
    visit.complaints.clear()  # type: ignore[attr-defined]  # the requests that were made to fail


def test_what_one_left_unsaved_is_never_saved_as_anothers(visit: Visit, workbench: StubWorkbench, address: str) -> None:
    made = campaign(workbench, "Changed")
    page = window(visit, workbench, address, made.id)
    sign_in(page, workbench, address, "bob")  # in another window of the same browser
    press(page, "3")
    page.get_by_text("this page belongs to somebody else").wait_for()
    open_campaign(page, address, made.id)
    press(page, "1")
    saved(page)
    stored = workbench.judging.store.history(SAMPLE, campaign=made.id)
    assert [(event.annotator, event.grade) for event in stored] == [("hf:bob", 1)]
    sign_in(page, workbench, address, "ann")
    page.goto(f"{address}/judge")
    page.get_by_text("Saved what was left from before").wait_for()
    stored = workbench.judging.store.history(SAMPLE, campaign=made.id)
    assert [(event.annotator, event.grade) for event in stored] == [("hf:bob", 1), ("hf:ann", 3)]
    visit.complaints.clear()  # type: ignore[attr-defined]  # the browser reports the refusals as well


def test_two_windows_and_two_visitors_do_not_mix(visit: Visit, workbench: StubWorkbench, address: str) -> None:
    made = campaign(workbench, "Windows", size=30)
    page = window(visit, workbench, address, made.id)
    second = page.context.new_page()
    open_campaign(second, address, made.id)
    other = window(visit, workbench, address, made.id, "bob")
    seen: list[int] = []
    for turn in range(3):
        for who in (page, second, other):
            seen.append(shown(who))
            press(who, str(turn))
    assert len(set(seen)) == 9
    press(page, "u")
    assert shown(page) == seen[6] and shown(second) not in seen
    for who in (page, second, other):
        saved(who)
    by_person = workbench.campaigns.desk(made).of_judge
    assert [said.grade for said in by_person["hf:bob"]] == [0, 1, 2]
    assert sorted(said.item for said in by_person["hf:ann"]) == sorted({*seen[0::3], *seen[1::3]} - {seen[6]})
    second.close()


def test_disagreements_are_settled_side_by_side(visit: Visit, workbench: StubWorkbench, address: str) -> None:
    made = campaign(workbench, "Disagreements", size=4, rules=BOTH)
    for name, grade in (("ann", 0), ("bob", 3)):
        for item in (0, 2):
            workbench.judging_queue.say(Person(name, "judge"), made, item, "grade", grade=grade, seconds=5.0)
    page = visit("/", **WINDOW)
    sign_in(page, workbench, address, "chief", "lead")
    page.goto(f"{address}/judge")
    page.get_by_role("article", name="Disagreements").get_by_role("link", name="Settle 2 disagreements").click()
    table = page.get_by_role("table", name="What the judges said")
    table.wait_for()
    assert [row.inner_text().split()[:2] for row in table.locator("tbody tr").all()] == [["ann", "0"], ["bob", "3"]]
    page.keyboard.press("n")
    page.keyboard.type("bob is right")
    page.keyboard.press("Control+Enter")
    first = shown(page)
    press(page, "3")
    press(page, "u")
    assert shown(page) == first
    press(page, "2")
    press(page, "1")
    page.get_by_text("Every disagreement is settled").wait_for()
    saved(page)
    decided = workbench.judging.store.current("adjudications", SAMPLE, campaign=made.id)
    assert sorted(event.grade or 0 for event in decided) == [1, 2]
    notes = [event.note for event in workbench.judging.store.history(SAMPLE, campaign=made.id) if event.note]
    assert notes == ["bob is right"]


def test_a_visitor_finds_no_way_into_a_named_campaign(visit: Visit, workbench: StubWorkbench, address: str) -> None:
    made = campaign(workbench, "Invited only", annotators=("hf:ann",))
    page = visit("/", **WINDOW)
    page.goto(f"{address}/judge")
    card = page.get_by_role("article", name="Invited only")
    assert "sign in" in card.inner_text() and card.get_by_role("link", name="Judge").count() == 0
    page.goto(f"{address}/judge?campaign={made.id}")
    page.get_by_role("alert").get_by_text("only judges may judge in a campaign").wait_for()
    visit.complaints.clear()  # type: ignore[attr-defined]  # the browser reports the refusal as well


def test_programs_can_see_the_campaigns(visit: Visit, workbench: StubWorkbench, address: str) -> None:
    from gradio_client import Client

    made = campaign(workbench, "For programs")
    found = {it["id"]: it for it in Client(address, verbose=False).predict(api_name="/campaigns")}
    assert found[made.id]["name"] == "For programs" and found[made.id]["wanted"] == 12 and found[made.id]["open"]
    visit()


ADDED = "script, img, iframe, #hurt, [onclick], [onerror], a[href^=javascript]"


def test_hostile_text_is_text_everywhere(visit: Visit, workbench: StubWorkbench, address: str) -> None:
    query = workbench.searcher().collection.queries()[0].id
    name = "<img src=x onerror=alert(1)>{{7*7}} ${alert(2)}"
    plan = Plan(
        name,
        SAMPLE,
        guidelines="<script>alert(3)</script> [x](javascript:alert(4)) {{x}} **bold**",
        scale={0: "<b onclick=alert(5)>no</b>", 2: "${alert(6)}"},
        rules=BOTH,
    )
    made = workbench.campaigns.make(MACHINE, plan, listed=[(query, it.id) for it in HOSTILE])
    evil = Person("<script>alert(7)</script>", "judge")
    note = "<img src=x onerror=alert(8)> \u202e {{y}}"
    workbench.judging_queue.say(evil, made, 0, "grade", grade=0)
    page = visit("/", **WINDOW)
    sign_in(page, workbench, address, "chief", "lead")
    page.goto(f"{address}/judge")
    page.get_by_role("article").filter(has_text=name).get_by_role("button", name="Progress").click()
    page.get_by_text(evil.name).wait_for()
    open_campaign(page, address, made.id)
    page.get_by_role("button", name="Guidelines").click()
    assert "<script>alert(3)</script>" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    for turn in range(len(HOSTILE)):
        assert page.locator(f"#judge :is({ADDED})").count() == 0
        if turn == 0:
            page.keyboard.press("n")
            page.locator("textarea").fill(note)
            page.keyboard.press("Control+Enter")
        press(page, "2")
    saved(page)
    assert page.locator("h1", has_text="{{7*7}}").inner_text() == name
    page.goto(f"{address}/judge?campaign={made.id}&conflicts=1")
    page.get_by_role("table", name="What the judges said").get_by_text(evil.name).wait_for()
    assert page.locator(f"#judge :is({ADDED})").count() == 0 and "\u202e" not in page.content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_names_are_enough_for_everyone(
    visit: Visit, workbench: StubWorkbench, address: str, scheme: str
) -> None:
    made = campaign(workbench, f"Looks {scheme}", size=3)
    page = visit("/", **WINDOW, color_scheme=scheme)
    sign_in(page, workbench, address, "ann")
    page.goto(f"{address}/judge")
    page.get_by_role("article", name="Open pool").get_by_role("button", name="Progress").click()
    page.get_by_role("table").wait_for()
    assert page.evaluate(CONTRASTS) == []
    open_campaign(page, address, made.id)
    page.keyboard.press("h")
    press(page, "1")
    page.keyboard.press("t")
    page.locator(".twin").wait_for()
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    assert page.evaluate(CONTRASTS) == []
    nameless = page.evaluate(
        "[...document.querySelectorAll('#judge :is(button, a, input, select, textarea)')].filter(node =>"
        " !(node.ariaLabel || node.textContent.trim() || node.labels?.length)).length"
    )
    assert nameless == 0
    page.wait_for_function("document.querySelector('#mdr-live').textContent.startsWith('Question in ')")
