"""What tests of the page "Judge" share: people with sessions, small campaigns, and windows where they judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from mdr.core.campaigns import Campaign, Rules
from mdr.core.permissions import MACHINE
from mdr.services.campaigns.service import Plan
from mdr.ui.door.visitors import SESSION
from mdr.workbench import SAMPLE
from tests.browser.stub import StubWorkbench

Judge = Callable[..., Any]


def campaign(workbench: StubWorkbench, name: str, size: int = 12, **more: Any) -> Campaign:
    """English, Arabic and Japanese questions with passages of all three, taken in turn."""
    collection = workbench.searcher().collection
    queries = [next(query for query in collection.queries() if query.lang == lang) for lang in ("en", "ar", "ja")]
    passages = [[it.id for it in collection.passages() if it.lang == lang] for lang in ("en", "ar", "ja")]
    listed = [(queries[n % 3].id, passages[n // 3 % 3][n]) for n in range(size)]
    rules = more.pop("rules", Rules(repeats=0, overlap=0))
    return workbench.campaigns.make(MACHINE, Plan(name, SAMPLE, rules=rules, **more), listed=listed)


def sign_in(page: Any, workbench: StubWorkbench, address: str, name: str, role: str = "judge") -> None:
    """From now on the page's visitor is an account."""
    token = workbench.accounts.sign_in_from_hub(name)
    workbench.accounts.set_role(MACHINE, f"hf:{name}", role)
    page.context.add_cookies([{"name": SESSION, "value": token, "url": address}])


def open_campaign(page: Any, address: str, id: str, ability: str = "native") -> None:
    """Go there; say that all languages are read; wait for the first item."""
    page.goto(f"{address}/judge?campaign={quote(id)}")
    page.wait_for_selector(".judge-languages:not([hidden]), .judge-work:not([hidden])")
    if page.locator(".judge-languages").is_visible():
        for choice in page.locator(".judge-languages select").all():
            choice.select_option(ability)
        page.get_by_role("button", name="Start judging").click()
    page.locator(".judge-item").wait_for()


def shown(page: Any) -> int:
    """The number of the item in sight."""
    return int(page.locator(".judge-item").get_attribute("data-item"))


def press(page: Any, key: str) -> None:
    """A key that is done with the item: the next one, or the end, comes at once."""
    now = "document.querySelector('.judge-work:not([hidden]) .judge-item')?.dataset.item || 'the end'"
    before = page.evaluate(now)
    page.keyboard.press(key)
    page.wait_for_function(f"before => ({now}) !== before", arg=before)


def saved(page: Any) -> None:
    """Everything is on disk."""
    page.locator("[data-judge-saved][data-state=done]").wait_for(state="attached")
