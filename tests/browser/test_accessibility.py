"""Every page and its main states, before the scanner axe and the keyboard: nobody is kept out.

Each state is scanned in light colours on a desk and in dark ones on a phone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("axe_playwright_python", reason="the scanner is a test requirement")

from mdr.core.campaigns import Rules
from mdr.core.permissions import MACHINE, Person
from tests.browser.asking import CAT
from tests.browser.judging import campaign, open_campaign, sign_in
from tests.browser.scan import trouble, troubles
from tests.browser.stub import StubWorkbench
from tests.browser.training import NASTY, PairsWorkbench, browse, pairs, pairs_address

__all__ = ["browse", "pairs", "pairs_address"]  # fixtures

Visit = Callable[..., Any]
DESK = {"viewport": {"width": 1280, "height": 900}}
OPEN = "document.querySelectorAll('details').forEach(node => { node.open = true; })"


# -- searching ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/?q=%3F", "/?q=qqqqqq&engine=bm25&langs=th"])
def test_search_before_and_without_an_answer(visit: Visit, path: str) -> None:
    assert troubles(visit(path, **DESK)) == {}


def test_search_with_everything_open(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}&beside=bm25", **DESK)
    page.locator("#hit-1 .grade").first.click()
    page.locator("#hit-1 .saved[data-state=done]").wait_for()
    page.locator("#hit-1 [data-twin]").first.click()
    page.locator("#hit-1 .twin").first.wait_for()
    page.locator("#hit-1 [data-why]").click()
    page.locator("#hit-1 .why").wait_for()
    assert troubles(page) == {}


def test_search_over_hostile_texts(visit: Visit) -> None:
    assert troubles(visit("/?q=zebra", **DESK)) == {}


# -- comparing and evaluating ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/compare",
        "/compare?q=rivers-nile-factual.en",
        "/compare?view=nothing",
        *(f"/evaluate?view={view}" for view in ("scores", "holes", "bias", "agreement", "queries")),
        "/evaluate?run=nothing",
    ],
)
def test_compare_and_evaluate(look: Visit, path: str) -> None:
    page = look(path, **DESK)
    page.evaluate(OPEN)
    assert troubles(page) == {}
    look.complaints.clear()  # type: ignore[attr-defined]  # the browser reports a refusal as well


# -- judging --------------------------------------------------------------------------------------------------


def test_judge_from_the_list_to_the_end(visit: Visit, workbench: StubWorkbench, address: str) -> None:
    made = campaign(workbench, "Scanned", size=2, guidelines="# Read\n\n*carefully*")
    page = visit("/", **DESK)
    sign_in(page, workbench, address, "scanned")
    page.goto(f"{address}/judge")
    page.get_by_role("article", name="Scanned").get_by_role("button", name="Progress").click()
    page.get_by_role("table", name="By language of the passage").wait_for()
    assert troubles(page) == {}
    page.goto(f"{address}/judge?campaign={made.id}")
    page.locator(".judge-languages").wait_for()
    assert troubles(page) == {}
    open_campaign(page, address, made.id)
    page.keyboard.press("h")
    page.keyboard.press("t")
    assert troubles(page) == {}
    page.keyboard.press("1")
    page.wait_for_function("document.querySelector('[data-judge-saved]').dataset.state === 'done'")
    page.keyboard.press("1")
    page.get_by_role("heading", name="Nothing is left for you here").wait_for()
    assert troubles(page) == {}


@pytest.mark.parametrize("key", ["?", "x", "n"])
def test_judge_with_a_dialog_open(visit: Visit, workbench: StubWorkbench, address: str, key: str) -> None:
    made = campaign(workbench, f"Dialog {key}")
    page = visit("/", **DESK)
    sign_in(page, workbench, address, "scanned")
    open_campaign(page, address, made.id)
    page.keyboard.press(key)
    page.locator("dialog[open]").wait_for()
    assert troubles(page) == {}


def test_judge_where_judges_differ(visit: Visit, workbench: StubWorkbench, address: str) -> None:
    made = campaign(workbench, "Scanned conflict", size=2, rules=Rules(repeats=0, overlap=1.0))
    for name, grade in (("ann", 0), ("bob", 3)):
        workbench.judging_queue.say(Person(name, "judge"), made, 0, "grade", grade=grade, seconds=5.0)
    page = visit("/", **DESK)
    sign_in(page, workbench, address, "scanned-chief", "lead")
    page.goto(f"{address}/judge?campaign={made.id}&conflicts=1")
    page.get_by_role("table", name="What the judges said").wait_for()
    assert troubles(page) == {}


# -- training data and runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["browse", "dropped", "report", "pair", "nothing", "passage", "not used"])
def test_training_data(browse: Visit, pairs: PairsWorkbench, what: str) -> None:
    recipe = pairs.mined.manifest.recipe
    passage = pairs.pairs()[0].positives[0]
    addresses = {
        "browse": "",
        "dropped": "?show=dropped",
        "report": "?show=report",
        "pair": f"?pair={recipe}/kept/{len(pairs.pairs()) - len(NASTY)}",
        "nothing": "?text=qqqqqq",
        "passage": f"?passage={quote(passage)}",
        "not used": "?passage=nobody-knows-it",
    }
    page = browse(addresses[what], **DESK)
    page.wait_for_selector("#training-data [data-frame]:not([aria-busy])")
    if what == "pair":
        page.locator("table.now").wait_for()
    assert troubles(page) == {}


@pytest.mark.parametrize("address", ["", "?recipe=mine-sample", "?run=round-1", "?left=round-1&right=sample"])
def test_runs(browse: Visit, address: str) -> None:
    page = browse(address, "runs", **DESK)
    page.evaluate(OPEN)
    assert troubles(page) == {}


# -- the keyboard ---------------------------------------------------------------------------------------------

FOCUSED = """() => {
  const focused = document.activeElement;
  const outlined = (node) => {
    const style = getComputedStyle(node);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  };
  window.stops = [...(window.stops || []), focused];
  const before = window.stops.at(-2);
  return {
    name: focused.outerHTML.slice(0, 120),
    inPage: focused !== document.body,
    seen: [focused, focused.closest('label')].some((node) => node && outlined(node)),
    onward: !before || Boolean(before.compareDocumentPosition(focused) & Node.DOCUMENT_POSITION_FOLLOWING),
  };
}"""


def tabbed(page: Any, stops: int) -> None:
    """So many presses of Tab go through the page in the order that it is read, and each can be seen."""
    page.evaluate("document.activeElement.blur()")
    for _ in range(stops):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if not found["inPage"]:  # the end: next is the browser's own frame
            return
        assert found["seen"] and found["onward"], found["name"]


def test_focus_is_seen_and_goes_in_reading_order(visit: Visit, look: Visit, browse: Visit) -> None:
    tabbed(visit(f"/?q={quote(CAT)}", **DESK), 45)
    tabbed(look("/evaluate", **DESK), 45)
    tabbed(browse("?run=round-1", "runs", **DESK), 30)
    tabbed(browse("", **DESK), 30)


# -- the rest -------------------------------------------------------------------------------------------------


def test_guide_with_its_cards_open(visit: Visit, address: str) -> None:
    page = visit("/", **DESK)
    page.goto(f"{address}/guide")
    page.wait_for_selector(".guide")
    page.evaluate(OPEN)
    assert troubles(page) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_sign_in_and_invitations(visit: Visit, workbench: StubWorkbench, address: str, scheme: str) -> None:
    page = visit("/", **DESK, color_scheme=scheme)
    page.goto(f"{address}/mdr/sign-in")
    assert trouble(page) == []
    page.get_by_label("Name").fill("nobody")
    page.get_by_label("Password").fill("wrong, and long enough")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    assert trouble(page) == []
    page.goto(f"{address}/mdr/invite?token={workbench.accounts.invite(MACHINE, 'judge')}")
    page.get_by_role("heading", name="You are invited").wait_for()
    assert trouble(page) == []
    sign_in(page, workbench, address, "scanned")
    page.goto(f"{address}/mdr/sign-in")
    assert trouble(page) == []
    visit.complaints.clear()  # type: ignore[attr-defined]  # the browser reports the refusal as well
