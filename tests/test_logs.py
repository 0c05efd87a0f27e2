"""What the server says of itself: one line for each event, whole, and nothing that somebody typed or owns."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from mdr.settings import Settings
from mdr.types import Event
from mdr.ui.watching import logs
from mdr.ui.watching.watch import ROUTES, Watch, route_of

SECRET = "sesame opens the door"


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loggers are the process's own; other tests get them back."""
    root, ours = logging.getLogger(), logging.getLogger("mdr")
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(our_level)


def client() -> TestClient:
    async def well(request: Request) -> PlainTextResponse:
        await request.body()
        return PlainTextResponse("well")

    async def badly(request: Request) -> PlainTextResponse:
        raise ValueError(SECRET)

    routes = [Route("/mdr/grade", well, methods=["GET", "POST"]), Route("/mdr/why", badly), Route("/healthz", well)]
    app = Starlette(routes=routes, middleware=[Middleware(Watch, seen=lambda *_: None)])
    return TestClient(app, raise_server_exceptions=False)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_request_is_one_line_of_json_without_what_was_sent(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Settings(logs="json"))
    headers = {"cookie": f"mdr_visitor={SECRET}", "authorization": f"Bearer {SECRET}", "x-forwarded-for": "192.0.2.7"}
    reply = client().post(f"/mdr/grade?query={SECRET}", json={"query": SECRET}, headers=headers)
    [line] = lines(capsys)
    assert line.keys() == {"at", "level", "logger", "said", "request", "route", "method", "status", "ms"}
    assert (line["route"], line["method"], line["status"]) == ("judge", "POST", 200) and line["ms"] >= 0
    assert reply.headers["x-request-id"] == line["request"] and "sesame" not in json.dumps(line)
    assert "192.0.2.7" not in json.dumps(line)


def test_an_error_says_where_it_was_and_not_what_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Settings(logs="json"))
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("mdr.ui.search.answers").exception("a search failed")
    try:
        raise OSError(28, "x", "/home/ana/sesame")
    except OSError:
        logging.getLogger("mdr.ui.search.answers").exception("a grade was not kept")
    first, second = lines(capsys)
    assert first["said"] == "a search failed" and first["trouble"].startswith("ValueError\n")
    assert "test_logs.py" in first["trouble"] and "sesame" not in json.dumps([first, second])
    assert "No space left" in second["trouble"]


def test_what_fails_is_told_always_and_the_rest_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    for kind, told in (("problems", []), ("plain", ["/mdr/grade"]), ("json", ["/mdr/grade"])):
        logs.set_up(Settings(logs=kind))
        for path in ("/mdr/grade", "/healthz", "/assets/x.js"):
            client().get(path)
        assert len(capsys.readouterr().err.splitlines()) == len(told), kind
        client().get("/mdr/why")
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and "500" in said[0] and "sesame" not in said[0]


def test_ids_of_proxies_are_kept_if_they_are_ids(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Settings(logs="plain"))
    for given, kept in (("0123-abcd-4567", True), ("short", False), ('x" injected="1', False), ("a" * 65, False)):
        assert (client().get("/mdr/grade", headers={"x-request-id": given}).headers["x-request-id"] == given) is kept
    assert "injected" not in capsys.readouterr().err


def test_everything_that_speaks_speaks_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(Settings(logs="json"))
    foreign = logging.getLogger("uvicorn.error")
    foreign.addHandler(logging.StreamHandler(sys.stderr))
    logs.adopt()
    foreign.error("two\nlines \u2028 and a quote\"")
    warnings.warn("careful", stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    logs.tell(Event("index", "started", "20 passages"))
    logs.tell(Event("index", "progress", "20 passages", 1, 2))
    logs.tell_address("http://127.0.0.1:7860/")
    said = lines(capsys)
    assert [line["level"] for line in said] == ["error", "warning", "error", "info", "info"]
    assert said[2]["trouble"].startswith("ZeroDivisionError")
    assert (said[3]["stage"], said[3]["kind"]) == ("index", "started") and said[4]["url"].endswith(":7860/")


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "page"),
        ("/compare", "page"),
        ("/mdr/grade", "judge"),
        ("/mdr/judge/say", "judge"),
        ("/mdr/judge/next", "judging"),
        ("/gradio_api/run/predict", "search"),
        ("/gradio_api/queue/data", "stream"),
        ("/metrics", "health"),
        ("//etc/passwd", "page"),
        ("", "page"),
    ],
)
def test_classes_of_requests(path: str, route: str) -> None:
    assert route_of(path) == route


def test_a_longer_beginning_stands_before_a_shorter() -> None:
    rows = list(ROUTES)
    for number, start in enumerate(rows):
        assert not any(start.startswith(earlier) for earlier in rows[:number]), f"{start} is never reached"


def test_a_token_is_not_shown(tmp_path: Path) -> None:
    """The token of a collector is in no representation of the settings."""
    settings = Settings(home=tmp_path, metrics_token=SECRET)
    assert SECRET not in repr(settings) and SECRET not in str(settings.model_dump())
