"""Searches that nobody waits for any more stop, through the whole app as it is served."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mdr.core.stopping import still_wanted, wanted
from mdr.errors import StoppedError
from mdr.services.search.service import Answer
from mdr.ui.app import serve
from tests.browser.stub import StubWorkbench

PATIENCE = 60.0
ASKED = {"data": ["zebra", "hybrid", 3, [], 0, ""]}


class Slow:
    """In the place of a search: takes for ever, in pieces, and knows why it ended."""

    def __init__(self) -> None:
        self.began, self.ended = threading.Event(), threading.Event()
        self.problem = ""

    def search(self, *_: Any, **__: Any) -> Answer:
        try:
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                still_wanted()
                self.began.set()
                time.sleep(0.01)
            raise AssertionError("nobody stopped it")
        except StoppedError as error:
            self.problem = error.problem
            raise
        finally:
            self.ended.set()


@contextmanager
def serving(home: Path, seconds: float) -> Iterator[tuple[str, StubWorkbench]]:
    """The app, whose searches may take so many seconds."""
    workbench = StubWorkbench(home)
    workbench.settings.search_seconds = seconds
    app = serve(workbench)
    try:
        yield app.local_url.rstrip("/"), workbench
    finally:
        app.close()
        workbench.judging.store.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, StubWorkbench]]:
    with serving(tmp_path_factory.mktemp("stopping"), 0.5) as served:
        yield served


def slowed(workbench: StubWorkbench, monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow()
    monkeypatch.setattr(workbench.searcher(), "search", slow.search)
    return slow


def test_a_search_that_takes_too_long_says_so(
    served: tuple[str, StubWorkbench], monkeypatch: pytest.MonkeyPatch
) -> None:
    slowed(served[1], monkeypatch)
    reply = httpx.post(f"{served[0]}/gradio_api/run/search", json=ASKED, timeout=PATIENCE)
    assert reply.status_code == 503 and "took longer than the 0.5 seconds" in reply.json()["error"]


def test_so_does_one_out_of_the_queue(served: tuple[str, StubWorkbench], monkeypatch: pytest.MonkeyPatch) -> None:
    slow = slowed(served[1], monkeypatch)
    began = httpx.post(f"{served[0]}/gradio_api/call/search", json=ASKED, timeout=PATIENCE).json()
    with httpx.stream("GET", f"{served[0]}/gradio_api/call/search/{began['event_id']}", timeout=PATIENCE) as reply:
        assert "error" in reply.read().decode()
    assert "took longer" in slow.problem


def test_a_search_stops_when_its_visitor_hangs_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, 0) as (url, workbench):
        slow, body = slowed(workbench, monkeypatch), json.dumps(ASKED)
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST /gradio_api/run/search HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json"
            connection.sendall(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
            assert slow.began.wait(PATIENCE)
        assert slow.ended.wait(PATIENCE) and slow.problem == "whoever asked has gone"


def test_who_asks_wrongly_is_told_and_is_no_fault_of_ours(served: tuple[str, StubWorkbench]) -> None:
    asked = {"data": ["zebra", "nonsense", 3, [], 0, ""]}
    reply = httpx.post(f"{served[0]}/gradio_api/run/search", json=asked, timeout=PATIENCE)
    assert reply.status_code == 422 and "there is no engine" in reply.json()["error"]


def test_limits_hold_within_each_other() -> None:
    with wanted(0) as outer, wanted(3600):
        still_wanted()
        outer.gone = True
        with pytest.raises(StoppedError, match="gone"):
            still_wanted()
    still_wanted()
