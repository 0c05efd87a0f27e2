"""The routes beside Gradio's: what they keep, what they refuse, and that nothing sent to them breaks them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mdr.errors import StorageError
from mdr.settings import ROOT
from mdr.types import Query
from mdr.ui.door.visitors import VISITOR, visitor
from mdr.ui.parts.render import Renderer
from mdr.ui.search.grading import Routes
from mdr.workbench import SAMPLE
from tests.browser.stub import StubWorkbench

GRADE = {"event": "0123456789abcdef", "collection": SAMPLE, "query": "zebra", "passage": "h3", "grade": 2}


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubWorkbench]:
    workbench = StubWorkbench(tmp_path_factory.mktemp("grading"))
    yield workbench
    workbench.judging.store.close()


@pytest.fixture
def client(workbench: StubWorkbench) -> TestClient:
    app = Starlette(routes=Routes(workbench, SAMPLE, Renderer(ROOT / "assets")).routes())
    return TestClient(app, cookies={VISITOR: uuid4().hex})


def grades(workbench: StubWorkbench, client: TestClient, query: str = "zebra") -> dict[str, int]:
    found, _ = workbench.searcher().recognise(query)
    return workbench.judging.grades(visitor(client.cookies).name, SAMPLE, found)


def test_a_grade_is_on_disk_when_it_is_answered_and_can_be_taken_back(
    workbench: StubWorkbench, client: TestClient
) -> None:
    reply = client.post("/mdr/grade", json=GRADE | {"event": "first-grade", "rank": 3, "engine": "hybrid"})
    assert reply.status_code == 200 and reply.json() == {"event": "first-grade", "grade": 2}
    assert grades(workbench, client) == {"h3": 2}
    client.post("/mdr/grade", json=GRADE | {"event": "second-grade", "grade": 0})
    assert grades(workbench, client) == {"h3": 0}
    client.post("/mdr/grade", json=GRADE | {"event": "third-grade", "grade": None})
    assert grades(workbench, client) == {}


def test_the_same_event_counts_once(workbench: StubWorkbench, client: TestClient) -> None:
    before = workbench.judging.store.count()
    for _ in range(3):
        assert client.post("/mdr/grade", json=GRADE | {"event": "said-thrice"}).status_code == 200
    assert workbench.judging.store.count() == before + 1


def test_a_question_of_the_collection_keeps_its_id(workbench: StubWorkbench, client: TestClient) -> None:
    known: Query = workbench.searcher().collection.queries()[0]
    client.post("/mdr/grade", json=GRADE | {"event": "known-query", "query": known.text})
    assert workbench.judging.store.history(SAMPLE)[-1].query == known.id


def test_visitors_are_anonymous_and_apart(workbench: StubWorkbench, client: TestClient) -> None:
    client.post("/mdr/grade", json=GRADE | {"event": "visitor-one"})
    stored = workbench.judging.store.history(SAMPLE)[-1].annotator
    assert stored.startswith("visitor-") and client.cookies[VISITOR] not in stored
    other = TestClient(client.app, cookies={VISITOR: uuid4().hex})
    other.post("/mdr/grade", json=GRADE | {"event": "visitor-two", "grade": 1})
    assert grades(workbench, other) == {"h3": 1} and grades(workbench, client) == {"h3": 2}


@pytest.mark.parametrize("cookies", [{}, {VISITOR: "somebody'; drop table events"}, {VISITOR: "f" * 31}])
def test_nothing_is_kept_for_somebody_who_could_not_find_it_again(
    workbench: StubWorkbench, client: TestClient, cookies: dict[str, str]
) -> None:
    before = workbench.judging.store.count()
    reply = TestClient(client.app, cookies=cookies).post("/mdr/grade", json=GRADE | {"event": "no-cookie-here"})
    assert reply.status_code == 401 and "cookies" in reply.json()["remedy"]
    assert workbench.judging.store.count() == before


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"passage": "nowhere"}, 404, "nowhere"),
        ({"collection": "other"}, 404, "other"),
        ({"grade": 4}, 422, "grade"),
        ({"grade": -1}, 422, "grade"),
        ({"grade": "2"}, 422, "grade"),
        ({"grade": True}, 422, "grade"),
        ({"grade": 1.5}, 422, "grade"),
        ({"event": ""}, 422, "event"),
        ({"event": "x" * 65}, 422, "event"),
        ({"event": "a\nb-c-d-e-f"}, 422, "event"),
        ({"query": " \u200b"}, 422, "nothing to search for"),
        ({"query": "a" * 5_000}, 422, "characters"),
        ({"rank": 0}, 422, "rank"),
        ({"engine": "guess"}, 422, "engine"),
        ({"annotator": "somebody else"}, 422, "annotator"),
    ],
)
def test_refusals_say_what_and_what_instead(
    workbench: StubWorkbench, client: TestClient, change: dict[str, Any], status: int, says: str
) -> None:
    before = workbench.judging.store.count()
    reply = client.post("/mdr/grade", json=GRADE | {"event": "to-be-refused"} | change)
    assert reply.status_code == status
    assert says in reply.json()["problem"] and reply.json()["remedy"]
    assert "set-cookie" not in reply.headers and workbench.judging.store.count() == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"origin": "http://testserver", "sec-fetch-site": "same-origin"}, 200),
        ({"content-type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_only_this_site_may_post(client: TestClient, headers: dict[str, str], status: int) -> None:
    sent = {"content-type": "application/json"} | headers
    grade = json.dumps(GRADE | {"event": uuid4().hex})
    assert client.post("/mdr/grade", content=grade, headers=sent).status_code == status


def test_the_id_of_another_judgement_is_refused(workbench: StubWorkbench, client: TestClient) -> None:
    client.post("/mdr/grade", json=GRADE | {"event": "taken-already"})
    for change in ({"grade": 1}, {"passage": "h4"}):
        reply = client.post("/mdr/grade", json=GRADE | {"event": "taken-already"} | change)
        assert reply.status_code == 422 and "another judgement" in reply.json()["problem"]
    assert grades(workbench, client) == {"h3": 2}


def test_a_long_body_is_cut_off(client: TestClient) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 10_000

    reply = client.post("/mdr/grade", content=body(), headers={"content-type": "application/json"})
    assert reply.status_code == 413


HARD_TEXT = st.text() | st.text(st.sampled_from("a\x00\ud800\udfff\u202e\n'\"%"), min_size=1)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GRADE, "x"]), inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_no_body_breaks_it(client: TestClient, body: bytes) -> None:
    reply = client.post("/mdr/grade", content=body, headers={"content-type": "application/json"})
    assert 400 <= reply.status_code < 500 and reply.json()["problem"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=st.dictionaries(st.sampled_from(["query", "passage", "collection", "event"]), HARD_TEXT, min_size=1))
def test_no_text_breaks_it(client: TestClient, change: dict[str, str]) -> None:
    sent = json.dumps(GRADE | change)  # lone surrogates go as escapes, which is valid JSON
    reply = client.post("/mdr/grade", content=sent, headers={"content-type": "application/json"})
    assert reply.status_code < 500


def test_a_full_disk_is_told(client: TestClient, workbench: StubWorkbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("the judgement was not saved: no space left", "free some disk space, then grade again")

    monkeypatch.setattr(workbench.judging.store, "append", full)
    reply = client.post("/mdr/grade", json=GRADE | {"event": "disk-is-full"})
    assert reply.status_code == 503 and "disk space" in reply.json()["remedy"]


def test_a_passage_comes_as_escaped_html(client: TestClient) -> None:
    reply = client.get("/mdr/passage", params={"id": "<b id=hurt>"})
    assert reply.status_code == 200 and "&lt;script&gt;alert(1)" in reply.text and "<script" not in reply.text
    assert client.get("/mdr/passage", params={"id": "nowhere"}).status_code == 404
    assert client.get("/mdr/passage").status_code == 404
