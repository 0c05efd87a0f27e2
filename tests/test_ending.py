"""The app is told to stop while people grade: whatever was acknowledged is kept, and the process ends in time."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import HTTPCookieProcessor, Request, build_opener
from uuid import uuid4

import pytest

from mdr.services.runs.jobs import Jobs
from mdr.settings import ROOT
from mdr.storage.judgement_files import read_snapshot, snapshots
from mdr.storage.judgements import JudgementStore

pytestmark = pytest.mark.slow
PROMISED = 10.0
_AT = re.compile(r"mdr is at (\S+)/")


class Served:
    """A server process, and what it said."""

    def __init__(self, home: Path, *what: str) -> None:
        self.home = home
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MDR_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.serving", str(home), *what],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self.url = ""
        assert self.process.stderr
        for line in self.process.stderr:
            self.said.append(line)
            if found := _AT.search(line):
                self.url = found[1]
                break
        assert self.url, "".join(self.said)
        self._reader = threading.Thread(target=lambda: self.said.extend(self.process.stderr or ()))
        self._reader.start()

    def end(self, number: signal.Signals) -> tuple[int, float]:
        """Its exit status, and the seconds that it took to end."""
        began = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(60)
        took = time.monotonic() - began
        self._reader.join()
        return status, took

    def store(self) -> JudgementStore:
        return JudgementStore(self.home / "judgements.duckdb")


@contextmanager
def served(home: Path, *what: str) -> Iterator[Served]:
    server = Served(home, *what)
    try:
        yield server
    finally:
        server.process.kill()


def visitor(url: str) -> Any:
    browser = build_opener(HTTPCookieProcessor())
    browser.open(f"{url}/", timeout=60).close()
    return browser


def post(browser: Any, url: str, value: Any) -> Any:
    request = Request(url, json.dumps(value).encode(), {"content-type": "application/json"})
    with browser.open(request, timeout=60) as reply:
        return json.load(reply)


def wait_until(there: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


class Judges:
    """People who grade without a pause until nobody answers any more."""

    def __init__(self, url: str, count: int = 6) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[BaseException] = []
        self._url = url
        self._threads = [threading.Thread(target=self._judge) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        wait_until(lambda: len(self.acknowledged) >= count or bool(self.refused))
        assert not self.refused

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)

    def _judge(self) -> None:
        browser = visitor(self._url)
        while True:
            event = uuid4().hex
            sent = {"event": event, "collection": "sample", "query": "zebra", "passage": "h3", "grade": 2}
            try:
                post(browser, f"{self._url}/mdr/grade", sent)
            except (OSError, HTTPException) as error:
                if getattr(error, "code", None) == 429:  # grading faster than people may
                    time.sleep(0.2)
                    continue
                self.refused.append(error)
                return
            self.acknowledged.append(event)


def kept_all(server: Served, judges: Judges) -> int:
    """Every acknowledged grade is in the file, once; gives how many events there are."""
    store = server.store()
    there = store.table().column("event").to_pylist()
    store.close()
    assert set(judges.acknowledged) <= set(there)
    assert len(set(there)) == len(there)
    return len(there)


def test_grades_under_way_are_finished_and_a_snapshot_is_written(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        judges = Judges(server.url)
        judges.wait_for(40)
        status, took = server.end(signal.SIGINT)
        judges.join()
    assert (status, took < PROMISED) == (0, True), (took, server.said)
    count = kept_all(server, judges)
    [snapshot] = snapshots(tmp_path / "snapshots")
    assert read_snapshot(snapshot).num_rows == count
    assert "ending (SIGINT)" in "".join(server.said)


def test_searches_and_runs_under_way_hold_nothing_up(tmp_path: Path) -> None:
    with served(tmp_path, "slow", "running") as server:

        def search() -> None:
            with suppress(OSError, HTTPException):
                sent = {"data": ["slow", "hybrid", 10, [], 0, ""]}
                post(visitor(server.url), f"{server.url}/gradio_api/run/search", sent)

        searches = [threading.Thread(target=search) for _ in range(3)]
        for thread in searches:
            thread.start()
        judges = Judges(server.url, 3)
        judges.wait_for(20)
        status, took = server.end(signal.SIGTERM)
        judges.join()
        for thread in searches:
            thread.join(60)
        jobs = Jobs(tmp_path / "runs", {}, may_start=False)
        assert [job.state for job in jobs.all()] == ["running"]  # it is a process of its own
        (tmp_path / "runs" / "go").touch()
        wait_until(lambda: jobs.all()[0].state == "done")
    assert (status, took < PROMISED) == (0, True), (took, server.said)
    assert read_snapshot(snapshots(tmp_path / "snapshots")[-1]).num_rows == kept_all(server, judges)


def test_a_snapshot_that_hangs_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    with served(tmp_path, "hung") as server:
        judges = Judges(server.url, 3)
        judges.wait_for(20)
        status, took = server.end(signal.SIGTERM)
        judges.join()
    assert (status, took < PROMISED) == (1, True), (took, server.said)
    assert re.search(r"no last snapshot was written: it was not finished in \d+ s", "".join(server.said))
    kept_all(server, judges)
    assert snapshots(tmp_path / "snapshots") == []


def test_before_it_serves_it_ends_at_once() -> None:
    code = "import time, mdr.ui.ending as it; it.end_at_once_when_told(); print(flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(50) == 128 + signal.SIGTERM
    process.stdout.close()
