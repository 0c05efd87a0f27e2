"""The app as its visitor meets it: start, first search, every search, every grade.

    python -m benchmarks.app [--searches 60]

Starts `python app.py` in a folder of its own, twice: the first start imports and indexes the sample, the second reuses
it and is measured. A headless Chromium asks questions of the sample in all its languages. Parity first: the cards of
the page are the passages that the `/search` endpoint returns. A grade is timed from the press to the tick that says it
is on disk; beside it, what the same visitor would wait for a Gradio event that does nothing but answer.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAUSE = 0.5
"""Seconds between searches: who asks faster for long is told to wait."""
PRESS_AND_WAIT = """async (text) => {
  const box = document.querySelector('#query :is(input, textarea)');
  box.value = text;
  box.dispatchEvent(new Event('input', { bubbles: true }));
  await new Promise(requestAnimationFrame);
  const root = document.querySelector('#answer');
  const before = root.querySelector('[data-answer]').dataset.answer;
  const started = performance.now();
  document.querySelector('#go').click();
  while (root.querySelector('[data-answer]').dataset.answer === before) await new Promise((next) => setTimeout(next));
  return performance.now() - started;
}"""
LAST_REQUEST = """() => {
  const sent = performance.getEntriesByType('resource').filter((entry) => entry.name.includes('run/predict')).at(-1);
  return sent.responseEnd - sent.requestStart;
}"""
GRADE_AND_WAIT = """async (place) => {
  const card = document.querySelectorAll('.card')[place];
  const started = performance.now();
  card.querySelector('.grade[data-grade="1"]').click();
  while (card.querySelector('.saved').dataset.state !== 'done') await new Promise((next) => setTimeout(next));
  return performance.now() - started;
}"""


def start(home: str) -> tuple[subprocess.Popen[str], str, float]:
    """The running app, its address, and the seconds until it said so."""
    began = time.perf_counter()
    environment = {**os.environ, "MDR_HOME": home, "MDR_PORT": "0"}
    app = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert app.stderr
    said = []
    for line in app.stderr:
        said.append(line)
        if found := re.search(r"http://\S+", line):
            return app, found.group().rstrip("/"), time.perf_counter() - began
    raise SystemExit("the app did not start:\n" + "".join(said))


def stop(app: subprocess.Popen[str]) -> None:
    app.terminate()
    app.wait(timeout=20)


def questions(count: int) -> list[str]:
    """Questions of the sample, spread over its languages and topics."""
    with (ROOT / "data" / "sample" / "queries.jsonl").open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return texts[:: max(1, len(texts) // count)][:count]


def same_passages(page: Any, address: str, text: str) -> None:
    """The page shows what the endpoint returns."""
    from gradio_client import Client

    answer = Client(address, verbose=False).predict(query=text, quota=3, api_name="/search")
    shown = page.locator(".card").evaluate_all("cards => cards.map((card) => card.dataset.passage)")
    assert shown == [found["id"] for found in answer["found"]], (shown, answer)


def visit(address: str, browser: Any, began: float, ready: float, asked: list[str]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"start to address": [1000 * ready]}
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector("#answer .welcome")
    page.wait_for_selector("#query [dir=auto]")
    times["start to usable page"] = [1000 * (time.perf_counter() - began)]
    times["first search"] = [page.evaluate(PRESS_AND_WAIT, asked[0])]
    same_passages(page, address, asked[0])
    page.evaluate("performance.setResourceTimingBufferSize(10000)")
    searches, requests, service, grades = [], [], [], []
    for number, text in enumerate(asked):
        time.sleep(PAUSE)
        searches.append(page.evaluate(PRESS_AND_WAIT, text))
        requests.append(page.evaluate(LAST_REQUEST))
        said = page.locator(".took").inner_text()
        service.append(float(re.sub(r"\D", "", said) or 1))
        grades.append(page.evaluate(GRADE_AND_WAIT, number % page.locator(".card").count()))
    return times | {
        "search, in the browser": searches,
        "  of that the request": requests,
        "  of that the search itself": service,
        "grade, press to durable": grades,
        "Gradio event that only answers": [page.evaluate(PRESS_AND_WAIT, " ") for _ in asked if not time.sleep(PAUSE)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=60)
    asked = questions(parser.parse_args().searches)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no Chromium; `apt-get install chromium` provides it")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        app, _, first = start(home)
        stop(app)
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        began = time.perf_counter()
        app, address, ready = start(home)
        try:
            times = {"first start, with indexing": [1000 * first], **visit(address, browser, began, ready, asked)}
        finally:
            stop(app)
        browser.close()
    print(f"{'':34}{'p50 ms':>10}{'p95 ms':>10}{'n':>6}")
    for name, values in times.items():
        high = sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]
        print(f"{name:34}{statistics.median(values):10.1f}{high:10.1f}{len(values):6}")


if __name__ == "__main__":
    main()
