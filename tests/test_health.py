"""What machines ask the server: does it live, can it work, how is it doing; and who may know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from mdr.errors import BusyError, StorageError
from mdr.services.machine import health as module
from mdr.settings import ROOT
from mdr.ui.door.admission import Admission
from mdr.ui.door.guard import Guard
from mdr.ui.door.visitors import VISITOR
from mdr.ui.parts.render import Renderer
from mdr.ui.search.grading import Routes
from mdr.ui.watching.health import HealthRoutes
from mdr.ui.watching.metrics import Metrics
from mdr.ui.watching.watch import Watch
from mdr.workbench import SAMPLE
from tests.browser.stub import StubWorkbench

TOKEN = "a token of a collector"
HERE: dict[str, Any] = {"base_url": "http://127.0.0.1:7860", "client": ("127.0.0.1", 50_000)}
AWAY: dict[str, Any] = {"base_url": "http://mdr.example", "client": ("192.0.2.7", 50_000)}


class Server:
    """A workbench behind its door, with the routes for machines and those for grades."""

    def __init__(self, home: Path) -> None:
        self.workbench = StubWorkbench(home)
        self.workbench.settings.metrics_token = SecretStr(TOKEN)
        self.admission = Admission()
        health = self.workbench.health()
        metrics = Metrics(self.workbench, health, self.admission)
        grades = Routes(self.workbench, SAMPLE, Renderer(ROOT / "assets"))
        guard = {"session": lambda token: None, "settings": self.workbench.settings, "admission": self.admission}
        self.app = Starlette(
            routes=[*HealthRoutes(self.workbench.settings, health, metrics).routes(), *grades.routes()],
            middleware=[Middleware(Watch, seen=metrics.seen), Middleware(Guard, **guard)],
        )

    def client(self, where: dict[str, Any] = HERE) -> TestClient:
        return TestClient(self.app, cookies={VISITOR: uuid4().hex}, **where)

    def numbers(self) -> dict[str, float]:
        """Every value by its name and labels."""
        text = self.client().get("/metrics").text
        return {
            f"{sample.name}{sorted(sample.labels.values())}": sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module, "_FRESH", -1.0)
    server = Server(tmp_path)
    yield server
    server.workbench.judging.store.close()


def broken(*_: Any, **__: Any) -> Any:
    raise StorageError("the file /home/ana/judgements.duckdb is gone", "put it back")


def test_it_lives_and_is_ready(server: Server) -> None:
    client = server.client(AWAY)
    assert client.get("/healthz").json() == {"alive": True}
    reply = client.get("/readyz")
    assert (reply.status_code, reply.json()) == (200, {"ready": True, "troubles": {}})


def test_what_does_not_work_is_told_and_whoever_looks_after_it_learns_why(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(server.workbench.judging.store), "count", broken)
    monkeypatch.setattr(type(server.workbench.searcher().dense.encoder), "encode", lambda *_: 1 / 0)
    reply = server.client().get("/readyz")
    assert reply.status_code == 503
    assert reply.json()["troubles"] == {
        "judgements": "the file /home/ana/judgements.duckdb is gone; put it back",
        "encoder": "ZeroDivisionError: division by zero",
    }
    away = server.client(AWAY).get("/readyz")
    assert away.status_code == 503 and set(away.json()["troubles"]) == {"judgements", "encoder"}
    assert "/home" not in away.text and "Zero" not in away.text
    assert server.client(AWAY).get("/healthz").status_code == 200, "it lives all the same"


def test_a_disk_that_takes_nothing_is_not_ready(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server.workbench.judging.store.count() == 0  # it is open

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    troubles = server.client().get("/readyz").json()["troubles"]
    assert list(troubles) == ["disk"] and "free some space" in troubles["disk"]


def test_asking_often_costs_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FRESH", 3600.0)
    asked: list[int] = []
    usual = module.Health._write
    monkeypatch.setattr(module.Health, "_write", lambda its: (asked.append(1), usual(its)))
    for _ in range(5):
        assert server.client().get("/readyz").status_code == 200
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("where", "headers", "allowed"),
    [
        (HERE, {}, True),
        (AWAY, {}, False),
        (AWAY, {"authorization": f"Bearer {TOKEN}"}, True),
        (AWAY, {"authorization": f"bearer {TOKEN}"}, True),
        (AWAY, {"authorization": "Bearer "}, False),
        (AWAY, {"authorization": "Bearer wrong"}, False),
        (AWAY, {"authorization": f"Basic {TOKEN}"}, False),
        (HERE, {"x-forwarded-for": "192.0.2.7"}, False),
        (HERE, {"forwarded": "for=192.0.2.7"}, False),
        (HERE, {"host": "mdr.example"}, False),
        ({**HERE, "client": ("192.0.2.7", 1)}, {}, False),
    ],
)
def test_numbers_are_for_this_machine_and_for_the_token(
    server: Server, where: dict[str, Any], headers: dict[str, str], allowed: bool
) -> None:
    reply = server.client(where).get("/metrics", headers=headers)
    assert reply.status_code == (200 if allowed else 403)
    assert ("mdr_requests_total" in reply.text) is allowed or allowed


def test_without_a_token_none_opens(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.workbench.settings.metrics_token = SecretStr("")
    routes = HealthRoutes(server.workbench.settings, server.workbench.health(), None)  # type: ignore[arg-type]
    app = Starlette(routes=routes.routes())
    for header in ("Bearer ", "Bearer", ""):
        assert TestClient(app, **AWAY).get("/metrics", headers={"authorization": header}).status_code == 403


def test_numbers_tell_what_happened(server: Server) -> None:
    client = server.client()
    grade = {"collection": SAMPLE, "query": "zebra", "passage": "h3", "grade": 2}
    before = server.numbers()
    assert client.post("/mdr/grade", json=grade | {"event": uuid4().hex}).status_code == 200
    assert client.post("/mdr/grade", json=grade | {"event": "?"}).status_code == 422
    assert client.get("/no/such/page").status_code == 404
    after = server.numbers()
    gained = {name: value - before.get(name, 0) for name, value in after.items()}
    assert gained["mdr_judgements_acknowledged_total[]"] == 1 == gained["mdr_judgement_events[]"]
    assert gained["mdr_requests_total['200', 'judge']"] == 1 == gained["mdr_requests_total['422', 'judge']"]
    assert gained["mdr_request_seconds_count['judge']"] == 2
    assert after["mdr_home_free_bytes[]"] > 0 and after["mdr_judgement_bytes[]"] > 0
    assert "mdr_snapshot_age_seconds[]" not in after, "there is none yet"
    server.workbench.snapshots.take()
    assert 0 <= server.numbers()["mdr_snapshot_age_seconds[]"] < 600
    assert after["mdr_runs['running']"] == 0 == after["mdr_line['search', 'waiting']"]


def test_numbers_tell_what_was_refused(server: Server) -> None:
    from mdr.core.permissions import Person

    with pytest.raises(BusyError):
        for _ in range(1_000):
            server.admission._spend("save", Person("visitor-1"), "192.0.2.1")
    server.admission.lines["search"].refused["full"] += 3
    after = server.numbers()
    assert after["mdr_refused_total['rate', 'save']"] == 1 and after["mdr_refused_total['full', 'search']"] == 3


def test_what_cannot_be_known_is_left_out(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(server.workbench.judging.store), "count", broken)
    numbers = server.numbers()
    assert "mdr_judgement_events[]" not in numbers and numbers["mdr_home_free_bytes[]"] > 0


def test_nothing_that_a_visitor_chose_becomes_a_label(server: Server) -> None:
    client = server.client()
    secret = "sesame-opens"
    for path in (f"/{secret}", f"/mdr/{secret}", f"/mdr/passage?id={secret}", f"/gradio_api/{secret}", "/%0A%22"):
        client.get(path, headers={"x-request-id": secret, "user-agent": secret})
    text = client.get("/metrics").text
    assert secret not in text and len(text) < 100_000
