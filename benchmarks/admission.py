"""Two hundred visitors search at once while a few people judge: who is answered, who has to wait, and how long.

    python benchmarks/admission.py [SECONDS]

Serves the sample collection with the shipped encoder in a process of its own, on loopback. First the judges alone, then
the judges while every visitor searches, and again as soon as they may (a refusal says when); at one search of five they
hang up before long. What must hold: searches end with 200 or with 429 and a `Retry-After`, never otherwise, nobody's
grade is refused, the server stays ready, and when all have gone it computes nothing more. The aim for grades is a p95
of 50 ms; whether that held is told and no more, since it says as much of the machine as of the app.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import httpx

ROOT = Path(__file__).resolve().parent.parent
VISITORS, JUDGES = 200, 5
HANG_UP, EVERY = 0.2, 5
"""Seconds after which visitors have had enough, at one search of so many."""
AIM = 50.0
"""Milliseconds in which 95 of 100 grades are saved."""
HUNG_UP = 0
"""In the place of a status: the visitor did not wait for it."""
Measured: TypeAlias = tuple[list[float], Counter[int]]
"""Milliseconds, and how often which answer came."""
QUESTIONS = ("Which planet has rings?", "चंद्रमा", "¿Quién pintó la Mona Lisa?", "富士山", "zebra")


async def judge(client: httpx.AsyncClient, passage: str, until: float, took: list[float], said: Counter[int]) -> None:
    """Somebody who grades steadily, about four times a second."""
    while time.monotonic() < until:
        grade = {"event": uuid4().hex, "collection": "sample", "query": QUESTIONS[0], "passage": passage, "grade": 2}
        began = time.perf_counter()
        reply = await client.post("/mdr/grade", json=grade)
        took.append(1000 * (time.perf_counter() - began))
        said[reply.status_code] += 1
        await asyncio.sleep(0.25)


async def visit(client: httpx.AsyncClient, number: int, until: float, took: list[float], said: Counter[int]) -> None:
    """Somebody who searches, and again as soon as they may."""
    turn = 0
    while time.monotonic() < until:
        question = QUESTIONS[number % len(QUESTIONS)]
        asked = {"data": [question, "hybrid", 10, [], 0, ""], "session_hash": f"visitor{number}"}
        began = time.perf_counter()
        turn += 1
        try:
            patience = HANG_UP if (number + turn) % EVERY == 0 else 60.0
            reply = await client.post("/gradio_api/run/search", json=asked, timeout=patience)
        except httpx.TimeoutException:
            said[HUNG_UP] += 1
            continue
        said[reply.status_code] += 1
        if reply.status_code == 429:
            await asyncio.sleep(float(reply.headers["retry-after"]))
        else:
            took.append(1000 * (time.perf_counter() - began))


async def judges(url: str, passage: str, seconds: float) -> Measured:
    """All judges, each a browser of its own."""
    took: list[float] = []
    said: Counter[int] = Counter()
    clients = [browser(url) for _ in range(JUDGES)]
    until = time.monotonic() + seconds
    await asyncio.gather(*(judge(client, passage, until, took, said) for client in clients))
    return took, said


async def visitors(url: str, apart: bool, seconds: float) -> Measured:
    """All visitors, each a browser of its own; of one address, as in a school, or each of an address of its own."""
    took: list[float] = []
    said: Counter[int] = Counter()
    clients = [browser(url, f"127.1.0.{number + 1}" if apart else "127.0.0.1") for number in range(VISITORS)]
    until = time.monotonic() + seconds
    await asyncio.gather(*(visit(client, it, until, took, said) for it, client in enumerate(clients)))
    return took, said


def browser(url: str, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """Somebody with a cookie, as the first page gives them."""
    limits = httpx.Limits(max_connections=1, keepalive_expiry=2)  # the server drops idle ones after five seconds
    cookies = {"mdr_visitor": uuid4().hex}
    way = httpx.AsyncHTTPTransport(local_address=address, limits=limits)
    return httpx.AsyncClient(base_url=url, timeout=60, transport=way, cookies=cookies)


def measure(what: Callable[..., Coroutine[Any, Any, Measured]], *given: Any) -> Measured:
    """In a process of its own: those who judge must not wait for those who search on this side."""
    return asyncio.run(what(*given))


def idle_after(url: str) -> float:
    """Seconds until nothing is searched for any more."""
    began = time.monotonic()
    while time.monotonic() - began < 60:
        numbers = httpx.get(f"{url}/metrics", timeout=60).text
        if not re.search(r'^mdr_line\{.*what="search"\} [^0]', numbers, re.MULTILINE):
            return time.monotonic() - began
        time.sleep(0.1)
    raise AssertionError("searches go on that nobody waits for")


def late_of(took: list[float]) -> float:
    """The 95th of 100."""
    return sorted(took)[min(len(took) - 1, int(0.95 * len(took)))]


def line(what: str, took: list[float], said: Counter[int]) -> None:
    """One row: how many, how long, and with which answers."""
    if took:
        half, late = statistics.median(took), late_of(took)
        print(f"{what:42} {len(took):6} {half:8.1f} {late:8.1f} {max(took):8.1f}   {dict(said)}")


def main() -> None:
    """Serve, measure, stop."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "MDR_HOME": home, "MDR_PORT": "0", "PYTHONUNBUFFERED": "1"}
        said = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
        app = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, **said)
        assert app.stderr
        try:
            url = next(found[1] for row in app.stderr if (found := re.search(r"mdr is at (\S+)/", row)))
            print(f"{'':42} {'count':>6} {'p50 ms':>8} {'p95 ms':>8} {'max ms':>8}   answers")
            asked = {"data": [QUESTIONS[0], "hybrid", 1, [], 0, ""]}
            reply = httpx.post(f"{url}/gradio_api/run/search", json=asked, timeout=60)
            passage = reply.json()["data"][0]["found"][0]["id"]
            with ProcessPoolExecutor(2) as pool:
                line("grades, nobody searching", *pool.submit(measure, judges, url, passage, seconds).result())
                for whence, apart in (("one address", False), ("as many", True)):
                    searching = pool.submit(measure, visitors, url, apart, seconds + 2)
                    time.sleep(1)
                    graded = pool.submit(measure, judges, url, passage, seconds).result()
                    line(f"grades, {VISITORS} searching from {whence}", *graded)
                    line("  their searches", *searching.result())
                    assert set(searching.result()[1]) <= {HUNG_UP, 200, 429}, "a visitor got an error"
                    assert set(graded[1]) == {200}, "a judge was refused"
                    assert httpx.get(f"{url}/readyz", timeout=60).status_code == 200, "it is not ready any more"
                    late = late_of(graded[0])
                    print(f"  idle {idle_after(url):.1f} s after the last one left")
                    print(f"  p95 {late:.1f} ms: {'within' if late <= AIM else 'above'} {AIM:g} ms")
        finally:
            app.terminate()
            app.wait(30)


if __name__ == "__main__":
    main()
