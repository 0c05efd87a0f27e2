"""What tests of the page "Search" do again and again."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.browser.stub import StubWorkbench

CAT = "Which cat is unable to roar but purrs and chirps like a bird?"


def submit(page: Any, text: str) -> None:
    box = page.get_by_label("Your question, in any language")
    box.fill(text)
    box.press("Enter")


def ask(page: Any, text: str) -> None:
    submit(page, text)
    page.wait_for_function("text => document.querySelector('.answer')?.dataset.query === text", arg=text)


def address_of(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def question(workbench: StubWorkbench, lang: str) -> str:
    return next(query.text for query in workbench.searcher().collection.queries() if query.lang == lang)
