"""The page "Runs" as a person meets it: recipes, plans, a run from start to end, stopping, and runs compared."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from stand_in import stand_in

from mdr.recipes.methods import recipe
from mdr.recipes.scales import scale
from tests.browser.conftest import SCREENSHOTS
from tests.browser.test_search_looks import CONTRASTS
from tests.browser.training import PairsWorkbench, Visit, browse, pairs, pairs_address

__all__ = ["browse", "pairs", "pairs_address"]  # fixtures

HOSTILE = "<img src=x onerror=alert(1)> {{this}} ${alert(2)} \u202e"


@pytest.fixture(autouse=True, scope="module")
def _recipes(pairs: PairsWorkbench, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One that reads two passages, one whose texts are hostile, one that cannot be read."""
    folder = tmp_path_factory.mktemp("tiny")
    texts = {"en": "Nile", "ja": "ナイル川"}
    rows = [{"id": lang, "lang": lang, "title": "", "text": text} for lang, text in texts.items()]
    (folder / "corpus.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    own = pairs.settings.home / "recipes"
    own.mkdir()
    step = f"[steps.collection]\nstage = 'prepare'\nsettings = {{ format = 'folder', path = '{folder}' }}\n"
    (own / "tiny.toml").write_text(f"# Two passages.\nname = 'tiny'\n{step}", encoding="utf-8")
    (own / "hostile.toml").write_text(f"# {HOSTILE}\nname = 'hostile'\n{step}", encoding="utf-8")
    (own / "broken.toml").write_text("name = ", encoding="utf-8")


def runs(browse: Visit, address: str = "", **options: Any) -> Any:
    return browse(address, "runs", **options)


def test_recipes_and_what_was_made_are_listed(browse: Visit) -> None:
    page = runs(browse)
    names = page.locator(".recipe h3").all_inner_texts()
    assert {"mine-sample", "sample", "tiny", "hostile", "broken"} <= set(names)
    assert "It cannot be run" in page.locator(".recipe").filter(has_text="broken").inner_text()
    assert page.get_by_role("link", name="round-1").count() == 1
    assert page.locator(".recipe :is(img, script)").count() == 0
    assert "<img src=x onerror=alert(1)>" in page.locator(".recipe").filter(has_text="hostile").inner_text()


def test_a_run_shows_its_graph_and_leads_to_its_pairs(browse: Visit, pairs: PairsWorkbench) -> None:
    page = runs(browse, "?run=round-1")
    graph = page.locator("svg.graph")
    assert graph.get_attribute("role") == "img" and "mined: " in graph.locator("desc").text_content()
    assert graph.locator(".node").count() == 3 and graph.locator(".arrow").count() == 2
    assert page.locator("ol.steps > li strong").all_inner_texts().__len__() == 3
    page.get_by_role("link", name="Open these pairs").click()
    page.wait_for_selector("#training-data .pair")
    assert pairs.mined.manifest.recipe in page.url


def test_two_runs_are_compared(browse: Visit) -> None:
    page = runs(browse, "?run=round-1")
    page.get_by_role("button", name="Show what differs").click()
    page.wait_for_function("location.search.includes('left=round-1')")
    page.wait_for_selector(".command:has-text('mdr diff')")
    assert "only round-1 has" in page.locator("[data-said]").inner_text().lower()
    assert "nothing was evaluated" in page.locator("#runs").inner_text()
    page.go_back()
    page.wait_for_selector("svg.graph")


@pytest.mark.parametrize("address", ["?run=nothing", "?job=..", "?recipe=../secret", f"?run={quote(HOSTILE)}"])
def test_what_is_not_there_is_said(browse: Visit, address: str) -> None:
    page = runs(browse, address)
    assert page.get_by_role("alert").inner_text()
    assert page.locator("#runs :is(img, script)").count() == 0


@pytest.mark.slow
def test_a_recipe_is_planned_started_watched_and_survives_a_reload(browse: Visit, pairs: PairsWorkbench) -> None:
    page = runs(browse)
    page.locator(".recipe").filter(has_text="Two passages").get_by_role("link", name="See what it would do").click()
    page.wait_for_selector("ol.steps .make", timeout=60_000)
    assert "0 of 1 steps are there" in page.locator("[data-said]").inner_text()
    assert "recipes/tiny.toml" in page.locator(".command").inner_text()
    page.get_by_role("button", name="Start").click()
    page.wait_for_function("location.search.includes('job=')")
    page.reload()
    page.wait_for_selector(".live[data-state=done]", timeout=120_000)
    assert "made" in page.locator("ol.steps > li .state").inner_text()
    page.get_by_role("link", name="See what it made").click()
    page.wait_for_selector("h1:has-text('tiny')")
    assert "2 passages" in page.locator("ol.steps").inner_text()
    assert pairs.store.run("tiny")


def test_a_run_can_be_watched_and_stopped(
    browse: Visit, pairs: PairsWorkbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = runs(browse)
    monkeypatch.setattr(sys, "executable", str(stand_in(tmp_path)))
    page.locator(".recipe").filter(has_text="Two passages").get_by_role("button", name="Start").click()
    page.wait_for_selector(".live[data-state=running]", timeout=60_000)
    overview = runs(browse)
    assert "Running." in overview.locator(".job.running").inner_text()
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector(".live[data-state=stopped]", timeout=60_000)
    assert page.get_by_role("button", name="Go on from there").is_enabled()
    overview.wait_for_selector(".job.stopped", timeout=60_000)  # it looks by itself
    assert pairs.runs.jobs.all()[0].state == "stopped"


def test_where_runs_are_off_the_page_says_so(
    browse: Visit, pairs: PairsWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = runs(browse)
    monkeypatch.setattr(pairs.settings, "runs", "off")
    page.locator("[data-run=tiny]").click()
    page.locator(".starting .saved[data-state=refused]").wait_for()
    assert "switched off" in page.locator(".starting .saved[data-state=refused]").inner_text()
    page = runs(browse)
    assert page.locator("[data-run]").count() == 0 and "switched off" in page.locator("#runs").inner_text()
    browse.complaints.clear()  # type: ignore[attr-defined]  # the browser reports the refusal as well


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_looks(browse: Visit, scheme: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    for address in ("", "?run=round-1", "?left=round-1&right=sample"):
        page = runs(browse, address, color_scheme=scheme)
        page.wait_for_timeout(300)  # colours fade in
        assert page.evaluate(CONTRASTS) == []
    page = runs(browse, "?run=round-1", color_scheme=scheme)
    page.screenshot(path=SCREENSHOTS / f"runs-{scheme}.png")
    phone = runs(browse, "", viewport={"width": 390, "height": 844}, color_scheme=scheme, is_mobile=True)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_programs_can_list_and_compare(browse: Visit, pairs_address: str) -> None:
    from gradio_client import Client

    client = Client(pairs_address, verbose=False)
    found = client.predict(api_name="/runs")
    assert "sample" in [recipe["id"] for recipe in found["recipes"]] and "round-1" in found["made"]
    differing = client.predict(left="round-1", right="sample", api_name="/run_diff")
    assert differing["only_right"] == ["collection"] and differing["gain"] is None and differing["no_gain"]
    runs(browse)


def test_programs_can_start_watch_and_cancel(
    browse: Visit, pairs: PairsWorkbench, pairs_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradio_client import Client

    runs(browse)
    monkeypatch.setattr(sys, "executable", str(stand_in(tmp_path)))
    client = Client(pairs_address, verbose=False)
    job = client.predict(recipe="lestm", api_name="/run_start")
    assert (job["recipe"], job["name"], job["state"]) == ("lestm", "lestm.demo.whole.0", "queued")
    watched = client.predict(job=job["id"], api_name="/run_watch")
    steps = recipe("lestm", scale("demo", pairs.settings.sample)).steps
    assert [step["name"] for step in watched["steps"]] == [step.name for step in steps]
    assert watched["steps"][-1]["state"] == "waiting"
    client.predict(job=job["id"], api_name="/run_cancel")
    assert pairs.runs.jobs.wait(60)
    assert client.predict(job=job["id"], api_name="/run_watch")["state"] == "stopped"
    with pytest.raises(Exception, match="no job"):
        client.predict(job="../secret", api_name="/run_watch")
    monkeypatch.setattr(pairs.settings, "runs", "admin")
    for name, asked in (("/run_start", {"recipe": "tiny"}), ("/run_cancel", {"job": job["id"]})):
        with pytest.raises(Exception, match="only admins may start or stop runs"):
            client.predict(**asked, api_name=name)
    assert len([each for each in pairs.runs.jobs.all() if each.recipe == "tiny" and each.state == "queued"]) == 0
