"""Judging as twenty people feel it: saving a grade and having the next item, over HTTP; and a key to its paint.

    python -m benchmarks.judging_speed [--judges 20] [--grades 40] [--pause 0.5] [--keys 60]

Starts `python app.py` in a folder of its own. Each judge has a connection and a cookie of their own, grades what the
server hands out, and waits a moment in between, still far faster than people read; every answer brings the next item.
Parity first: what was acknowledged is in the judgement file once, with its grade and judge, and no two judges were
handed an item that wants one. Beside it the floor: the same post where the server has nothing to do but refuse it.
Then a headless Chromium grades by keyboard: from the key to the frame that shows the next item.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from benchmarks.app import start, stop
from mdr.core.campaigns import Campaign
from mdr.services.campaigns.service import OPEN_POOL
from mdr.settings import Settings
from mdr.ui.door.visitors import VISITOR, visitor
from mdr.ui.judge.routes import key_of
from mdr.workbench import SAMPLE, Workbench

AHEAD = 6
KEY_TO_PAINT = """async (key) => {
  const before = document.querySelector('.judge-item').dataset.item;
  const started = performance.now();
  document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  const took = performance.now() - started;
  if (document.querySelector('.judge-item')?.dataset.item === before) throw new Error('nothing new was painted');
  return took;
}"""


class Judge:
    """One person with a cookie and a connection."""

    def __init__(self, address: str) -> None:
        token = secrets.token_hex(16)
        self.person = visitor({VISITOR: token})
        self._http = httpx.AsyncClient(base_url=address, cookies={VISITOR: token}, timeout=30)
        self._place = {"campaign": OPEN_POOL, "judge": key_of(self.person), "tab": secrets.token_hex(8)}
        self._items: list[int] = []
        self.given: dict[int, int] = {}
        self.times: dict[str, list[float]] = {"save and next": [], "refused at the door": []}

    async def begin(self, langs: list[str]) -> None:
        """The first items."""
        self._place["langs"] = langs  # type: ignore[assignment]
        answer = await self._post("next", {"count": AHEAD})
        self._items = [item["item"] for item in answer.json()["items"]]

    async def grade(self, number: int, pause: float) -> None:
        """Think, grade, and see that there is more."""
        await asyncio.sleep(pause * (0.5 + secrets.randbelow(1000) / 1000))
        item = self._items.pop(0)
        grade = number % 4
        said = {"event": secrets.token_hex(16), "action": "grade", "item": item, "grade": grade, "have": self._items}
        started = time.perf_counter()
        answer = await self._post("say", {**said, "count": 1, "seconds": 1.0})
        self.times["save and next"].append(1000 * (time.perf_counter() - started))
        answer.raise_for_status()
        self._items += [item["item"] for item in answer.json()["items"]]
        self.given[item] = grade
        started = time.perf_counter()
        refused = await self._http.post("/mdr/judge/say", json={})
        self.times["refused at the door"].append(1000 * (time.perf_counter() - started))
        assert refused.status_code == 422

    async def end(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def _post(self, path: str, values: dict[str, Any]) -> httpx.Response:
        return await self._http.post(f"/mdr/judge/{path}", json={**self._place, **values})


async def judge_all(address: str, judges: list[Judge], grades: int, pause: float, langs: list[str]) -> None:
    """All of them at once, for so many grades each."""
    for judge in judges:
        await judge.begin(langs)

    async def work(judge: Judge) -> None:
        for number in range(grades):
            await judge.grade(number, pause)

    await asyncio.gather(*map(work, judges))
    for judge in judges:
        await judge.end()


def parity(bench: Workbench, campaign: Campaign, judges: list[Judge]) -> None:
    """What was acknowledged is there, once and as it was; items went to as many judges as they want."""
    stored = [event for event in bench.judging.store.history(SAMPLE, campaign=OPEN_POOL) if event.grade is not None]
    known = {judge.person.name for judge in judges}
    found = Counter((event.annotator, event.query, event.passage, event.grade) for event in stored)
    told = Counter(
        (judge.person.name, campaign.items[item].query, campaign.items[item].passage, grade)
        for judge in judges
        for item, grade in judge.given.items()
    )
    assert Counter({key: count for key, count in found.items() if key[0] in known}) == told, "lost or doubled"
    people = Counter(item for judge in judges for item in judge.given)
    assert all(count <= campaign.items[item].judges for item, count in people.items()), "an item had too many judges"


def keys(address: str, count: int) -> list[float]:
    """Milliseconds from a key to the paint of the next item, in a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        found = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{address}/judge?campaign={OPEN_POOL}")
        page.wait_for_selector(".judge-languages select")
        for choice in page.locator(".judge-languages select").all():
            choice.select_option("native")
        page.click(".judge-languages .start")
        page.wait_for_selector(".judge-item")
        times = []
        for number in range(count):
            times.append(page.evaluate(KEY_TO_PAINT, str(number % 4)))
            page.wait_for_timeout(200)
        page.wait_for_selector("[data-judge-saved][data-state=done]", state="attached")
        browser.close()
    return times


def row(name: str, values: list[float]) -> str:
    values = sorted(values)
    high = values[min(len(values) - 1, int(0.95 * len(values)))]
    return f"{name:34}{statistics.median(values):10.1f}{high:10.1f}{values[-1]:10.1f}{len(values):8}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judges", type=int, default=20)
    parser.add_argument("--grades", type=int, default=40, help="of each judge, as far as the sample's pool reaches")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two grades of a judge, on average")
    parser.add_argument("--keys", type=int, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        app, address, _ = start(home)
        try:
            painted = keys(address, asked.keys) if asked.keys else []
            bench = Workbench(Settings(home=Path(home)))
            campaign = bench.campaigns.get(OPEN_POOL, SAMPLE)
            room = (campaign.drawn - asked.keys) // asked.judges - AHEAD  # what lies on other desks is not handed out
            judges = [Judge(address) for _ in range(asked.judges)]
            langs = list(campaign.langs)
            asyncio.run(judge_all(address, judges, max(1, min(asked.grades, room)), asked.pause, langs))
        finally:
            stop(app)
        parity(bench, campaign, judges)
        bench.judging.store.close()
    print(f"{len(judges)} judges, a grade every {asked.pause} s each")
    print(f"{'':34}{'p50 ms':>10}{'p95 ms':>10}{'max':>10}{'n':>8}")
    for name in judges[0].times:
        print(row(name, [time for judge in judges for time in judge.times[name]]))
    if painted:
        print(row("key to paint, in the browser", painted))


if __name__ == "__main__":
    main()
