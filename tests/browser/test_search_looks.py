"""How the page "Search" looks, for everyone, and what programs see of it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.browser.asking import CAT, question
from tests.browser.conftest import SCREENSHOTS
from tests.browser.stub import StubWorkbench
from tests.browser.visiting import Visit

CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = channels(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const node of document.querySelectorAll('main *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.offsetParent || node.closest('.sr-only, [data-testid=status-tracker]')) continue;
    const [a, b] = [light(channels(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push([node.tagName, node.className, ratio, node.textContent.trim().slice(0, 20)]);
  }
  return bad;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", f"/?q={quote(CAT)}&beside=bm25", "/?q=%3F", "/?q=qqqqqq&engine=bm25&langs=th"])
def test_contrast_is_enough_for_everyone(visit: Visit, path: str, scheme: str) -> None:
    page = visit(path, color_scheme=scheme)
    if "roar" in path:
        page.locator("#hit-1 .grade").first.click()
        page.locator("#hit-1 .saved[data-state=done]").wait_for()
        page.locator("#hit-1 [data-twin]").first.click()
        page.locator("#hit-1 .twin").first.wait_for()
        page.locator("#hit-1 [data-why]").click()
        page.locator("#hit-1 .why").wait_for()
    page.wait_for_timeout(300)  # colours fade in
    assert page.evaluate(CONTRASTS) == []


def test_colours_can_be_switched_and_stay(visit: Visit) -> None:
    page = visit(color_scheme="light")
    page.get_by_role("button", name="Light or dark colours").click()
    assert page.evaluate("document.body.classList.contains('dark')")
    page.reload()
    page.wait_for_selector(".welcome")
    page.wait_for_function("document.body.classList.contains('dark')")


def test_little_motion_is_respected(visit: Visit) -> None:
    page = visit(f"/?q={quote(CAT)}", reduced_motion="reduce")
    moving = "nodes => nodes.filter(node => getComputedStyle(node).animationName !== 'none').length"
    assert page.locator("main *").evaluate_all(moving) == 0


@pytest.mark.parametrize("lang", ["en", "ar", "ja", "th"])
def test_pictures_and_phones(visit: Visit, workbench: StubWorkbench, lang: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    path = f"/?q={quote(question(workbench, lang))}"
    visit(path).screenshot(path=SCREENSHOTS / f"search-{lang}.png")
    phone = visit(path, viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True, is_mobile=True)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    options = phone.locator("#options :is(fieldset, .menu)").evaluate_all(
        "nodes => nodes.filter(node => node.offsetParent).map(node => node.getBoundingClientRect().right)"
    )
    assert len(options) >= 4 and max(options) <= 390  # every choice is in reach
    assert phone.evaluate("document.activeElement.closest('#query')") is None  # no keyboard over the page
    phone.screenshot(path=SCREENSHOTS / f"search-{lang}-phone.png")


# -- programs ---------------------------------------------------------------------------------------------


def test_programs_can_search(visit: Visit, address: str) -> None:
    from gradio_client import Client

    client = Client(address, verbose=False)
    found = client.predict(query="zebra", engine="bm25", k=2, api_name="/search")
    assert len(found["found"]) == 2 and found["found"][0]["lexical"]["rank"] == 1
    assert "/search" in client.view_api(return_format="dict")["named_endpoints"]
    with pytest.raises(Exception, match="engines are"):
        client.predict(query="zebra", engine="magic", api_name="/search")
    visit()
