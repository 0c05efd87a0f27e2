"""The policy that browsers are given: every page keeps to it, and what somebody smuggles in stays dead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mdr.ui.app import PAGES

WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => violations.push(
  `${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
SMUGGLED = """
(text) => { document.body.insertAdjacentHTML('beforeend', text); const made = document.createElement('script');
made.textContent = 'window.hurt = true'; document.body.append(made); }
"""
HANDLERS = "<img src=data:, onerror='window.hurt = true'><a id=smuggled href='javascript:window.hurt=true'>x</a>"


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    context.add_init_script(WATCH)
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


@pytest.mark.parametrize("path", [page.path for page in PAGES] + ["mdr/sign-in"])
def test_every_page_keeps_to_the_policy(tab: Any, address: str, path: str) -> None:
    foreign: list[str] = []
    tab.on("request", lambda request: foreign.append(request.url))
    tab.goto(f"{address}/{path}")
    tab.wait_for_load_state("networkidle")
    tab.wait_for_selector("#head .brand, .door")
    assert tab.evaluate("violations") == []
    assert [url for url in foreign if not url.startswith((address, "data:", "blob:"))] == []


def test_a_search_and_a_grade_keep_to_it(tab: Any, address: str) -> None:
    tab.goto(f"{address}/?q=zebra")
    tab.wait_for_selector("#answer .card")
    tab.locator("#answer .card .grade[data-grade='2']").first.click()
    tab.wait_for_selector("#answer .card .saved[data-state=done]")
    assert tab.evaluate("violations") == []
    [cookie] = tab.context.cookies()
    assert cookie["name"] == "mdr_visitor" and cookie["httpOnly"] and cookie["sameSite"] == "Lax"
    assert tab.evaluate("document.cookie") == ""


def test_what_is_smuggled_in_stays_dead(tab: Any, address: str) -> None:
    tab.goto(address)
    tab.wait_for_selector("#head .brand")
    tab.evaluate(SMUGGLED, HANDLERS)
    tab.evaluate("document.querySelector('#smuggled').click()")
    tab.wait_for_function("violations.length >= 3")
    assert tab.evaluate("window.hurt") is None


def test_no_other_site_frames_it(tab: Any, address: str) -> None:
    tab.set_content(f"<iframe src='{address}/'></iframe>")
    tab.wait_for_timeout(1_000)
    assert not any(frame.url.startswith(address) and frame.query_selector("#head") for frame in tab.frames[1:])
