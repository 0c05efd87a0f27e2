"""The page "Guide": what it says, that its example is a real one, and that it asks nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import SCREENSHOTS
from tests.browser.stub import StubWorkbench
from tests.browser.test_search_looks import CONTRASTS
from tests.browser.visiting import Visit


@pytest.fixture
def guide(visit: Visit) -> Any:
    page = visit("/")
    page.goto(page.url.rstrip("/") + "/guide")
    page.wait_for_selector(".guide")
    return page


def test_it_has_its_screens_and_papers(guide: Any) -> None:
    names = guide.locator(".guide > section > h2").all_inner_texts()
    links = guide.locator(".guide nav a").all_inner_texts()
    assert len(names) == len(links) == 6
    for link in guide.locator(".guide nav a").all():
        assert guide.locator(str(link.get_attribute("href"))).count() == 1
    assert guide.locator(".paper").count() == 4
    assert guide.locator(".paper dt").all_inner_texts() == ["Published", "Our reading"] * 4
    assert "mdr_visitor" in guide.locator("#privacy").inner_text()


def test_its_example_is_found_by_the_very_search(guide: Any, workbench: StubWorkbench) -> None:
    link = guide.locator("blockquote a")
    text = link.inner_text()
    firsts = guide.locator(".ways li > span:last-child").all_inner_texts()
    found = [
        hit.passage.title
        for engine in ("hybrid", "dense", "bm25")
        for hit in workbench.searcher().search(text, engine=engine, k=3).found
    ]
    assert firsts == found
    link.click()
    guide.wait_for_function("text => document.querySelector('.answer')?.dataset.query === text", arg=text)


def test_its_model_cards_open_and_are_plain(guide: Any) -> None:
    card = guide.locator(".model-card").first
    card.locator("summary").focus()
    guide.keyboard.press("Enter")
    assert card.locator(".markdown table").count() > 0
    assert guide.locator(".guide :is(script, img, iframe, form)").count() == 0
    assert guide.locator(".markdown :is(h1, h2)").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_everyone(visit: Visit, scheme: str) -> None:
    page = visit("/", color_scheme=scheme, viewport={"width": 390, "height": 844})
    page.goto(page.url.rstrip("/") + "/guide")
    page.wait_for_selector(".guide")
    page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true; })")
    page.wait_for_timeout(300)  # colours fade in
    assert page.evaluate(CONTRASTS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if SCREENSHOTS.is_dir():
        page.screenshot(path=SCREENSHOTS / f"guide-{scheme}-phone.png")
