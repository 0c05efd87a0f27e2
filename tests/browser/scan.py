"""What the accessibility scanner axe finds on a page, in words. Its script comes with a test requirement."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


def trouble(page: Any) -> list[str]:
    """What is wrong with what is in sight, seriously or worse: rule, place and reason."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(_script())
    page.evaluate(_LAID_OUT)
    asked = {"resultTypes": ["violations"], "runOnly": RULES}
    found = page.evaluate("asked => axe.run(document, asked)", asked)["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("moderate", "serious", "critical")
        for node in rule["nodes"]
    ]


def troubles(page: Any) -> dict[str, list[str]]:
    """The same in light colours on a desk and in dark ones on a phone, where there is any."""
    found = {}
    for colours, window in (("light", DESK), ("dark", PHONE)):
        page.set_viewport_size(window)
        page.evaluate(_COLOURED, colours == "dark")
        page.wait_for_function(_STILL)
        if said := trouble(page):
            found[colours] = said
    return found


_LAID_OUT = "document.querySelectorAll('.card').forEach(its => { its.style.contentVisibility = 'visible'; })"
"""Cards out of sight are not laid out, which the scanner takes for lying on one another."""
_COLOURED = """dark => {
  document.documentElement.classList.toggle('dark', dark);
  document.body.classList.toggle('dark', dark);
}"""
_STILL = "document.getAnimations().every(its => its.playState !== 'running')"


@cache
def _script() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
