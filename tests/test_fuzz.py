"""Whatever is sent to whichever route: no answer is a failure of the server, none hangs, and it lives on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from schemathesis import GenerationMode

from mdr.core.permissions import MACHINE
from mdr.ui.app import serve
from mdr.ui.door import admission
from mdr.ui.judge.routes import JudgementPosted, Wanted
from mdr.ui.runs.routes import StartPosted, StopPosted
from mdr.ui.search.grading import GradePosted
from mdr.ui.training_data.routes import VerdictPosted
from tests.browser.stub import StubWorkbench
from tests.door import PASSWORD, cheap_hashes  # noqa: F401
from tests.fuzzing import BODIES, FIELDS, OBJECTS, TEXT, TYPES, examples, knock

LIMITS = httpx.Limits(keepalive_expiry=2)
"""The server drops connections that are idle for five seconds; one must not be used at that very moment."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    workbench = StubWorkbench(tmp_path_factory.mktemp("fuzz"))
    workbench.accounts.add(MACHINE, "Ana", "admin", PASSWORD)
    with pytest.MonkeyPatch.context() as patch:  # or most would be turned away at the door
        patch.setattr(admission, "RATES", dict.fromkeys(admission.RATES, admission.Rate(1e9, 1e9)))
        app = serve(workbench)
        yield app
        app.close()
    workbench.judging.store.close()


@pytest.fixture(scope="module")
def session(app: Any) -> httpx.Cookies:
    """Of an admin who signed in before the storm: afterwards nobody can, for a while."""
    with httpx.Client(base_url=app.local_url, timeout=60) as client:
        client.get("/")
        assert client.post("/mdr/sign-in", data={"name": "Ana", "password": PASSWORD}).status_code == 303
        return client.cookies


@pytest.fixture(scope="module", params=["visitor", "admin"])
def client(app: Any, session: httpx.Cookies, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    cookies = session if request.param == "admin" else None
    with httpx.Client(base_url=app.local_url, timeout=60, limits=LIMITS, cookies=cookies) as client:
        client.get("/")
        assert client.get("/mdr/me").json()["role"] == request.param
        yield client


@pytest.fixture(scope="module")
def ours(app: Any) -> list[tuple[str, str]]:
    """Our routes, with each of their methods. Signing out and beginning to measure would end or change the rest."""
    found = [
        (method, route.path)
        for route in app.app.routes
        if getattr(route, "path", "").startswith("/mdr/")
        for method in sorted(route.methods - {"HEAD"})
    ]
    return [it for it in found if it[1] not in ("/mdr/sign-out", "/mdr/evaluate/start")]


def well(reply: httpx.Response | None, sent: Any) -> None:
    """An answer, or a refusal that says why. 503 is one: a service that is not there says so."""
    assert reply is None or reply.status_code < 500 or reply.status_code == 503, (reply.status_code, reply.text, sent)
    if reply is not None and reply.headers.get("content-type", "").startswith("text/html"):
        assert "<script>alert(1)" not in reply.text


@examples(80)
@given(data=st.data())
def test_no_query_breaks_a_route(client: httpx.Client, ours: list[tuple[str, str]], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([path for method, path in ours if method == "GET"]))
    params = data.draw(st.dictionaries(FIELDS | TEXT, TEXT, max_size=5))
    well(knock(client, "GET", path, params=params), (path, params))


@examples(80)
@given(data=st.data(), body=BODIES, type=TYPES)
def test_no_body_breaks_a_route(
    client: httpx.Client, ours: list[tuple[str, str]], data: st.DataObject, body: bytes, type: str
) -> None:
    path = data.draw(st.sampled_from([path for method, path in ours if method == "POST"]))
    well(knock(client, "POST", path, content=body, headers={"content-type": type}), (path, body[:200], type))


@examples(50)
@given(data=st.data(), body=OBJECTS)
def test_almost_right_bodies_break_no_route(
    client: httpx.Client, ours: list[tuple[str, str]], data: st.DataObject, body: dict[str, Any]
) -> None:
    path = data.draw(st.sampled_from([path for method, path in ours if method == "POST"]))
    right = {"event": "0123456789abcdef", "collection": "sample", "query": "zebra", "passage": "h3", "grade": 2}
    right |= {"campaign": "open", "item": 0, "action": "grade", "ability": "native", "recipe": "sample", "job": "x"}
    sent = {name: value for name, value in (right | body).items() if data.draw(st.booleans())}
    reply = knock(client, "POST", path, json=sent) if _plain(sent) else None
    well(reply, (path, sent))


@examples(20)
@given(path=TEXT, method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"]))
def test_no_address_breaks_it(client: httpx.Client, path: str, method: str) -> None:
    for prefix in ("/", "/mdr/", "/gradio_api/", "/static/", "/gradio_api/file="):
        well(knock(client, method, prefix + path), (method, prefix + path))


@examples(30)
@given(headers=st.dictionaries(st.sampled_from(["cookie", "origin", "host", "sec-fetch-site", "accept"]), TEXT))
def test_no_header_breaks_it(client: httpx.Client, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/"), ("GET", "/mdr/me"), ("POST", "/mdr/grade"), ("POST", "/mdr/sign-in")):
        well(knock(client, method, path, headers=headers), (path, headers))


def test_afterwards_it_lives(client: httpx.Client) -> None:
    grade = {"event": "after-the-storm", "collection": "sample", "query": "zebra", "passage": "h3", "grade": 2}
    assert client.post("/mdr/grade", json=grade).status_code in (200, 422)  # 422: the same event, of the other client
    assert client.get("/").status_code == 200


# -- what the API says of itself --------------------------------------------------------------------------


SHAPES: Mapping[str, type[BaseModel]] = {
    "/mdr/grade": GradePosted,
    "/mdr/judge/next": Wanted,
    "/mdr/judge/say": JudgementPosted,
    "/mdr/runs/start": StartPosted,
    "/mdr/runs/stop": StopPosted,
    "/mdr/training-data/verdict": VerdictPosted,
}
FORMS = {"/mdr/sign-in", "/mdr/sign-out", "/mdr/invite", "/mdr/language", "/mdr/upload/qrels", "/mdr/evaluate/start"}
"""What is posted as a form or a file, or is empty: these have no shape in JSON."""


@pytest.fixture(scope="module")
def described(client: httpx.Client) -> list[Any]:
    """Our routes and the typed functions, as an OpenAPI document says them."""
    shapes, parts = {}, {}
    for path, shape in SHAPES.items():
        shapes[path] = shape.model_json_schema(ref_template="#/components/schemas/{model}")
        parts |= shapes[path].pop("$defs", {})
    for name, function in client.get("/gradio_api/info").json()["named_endpoints"].items():
        types = [parameter["type"] for parameter in function["parameters"]]
        fixed = {"prefixItems": types, "items": False, "minItems": len(types)} if types else {"maxItems": 0}
        data = {"type": "array", **fixed}
        given = {"type": "object", "properties": {"data": data}, "required": ["data"]}
        shapes[f"/gradio_api/run{name}"] = given
    paths = {
        path: {
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": shape}}},
                "responses": {"default": {"description": "an answer, or why there is none"}},
            }
        }
        for path, shape in shapes.items()
    }
    about = {"openapi": "3.1.0", "info": {"title": "mdr", "version": "1"}, "paths": paths}
    schema = schemathesis.openapi.from_dict({**about, "components": {"schemas": parts}})
    return [schema[path]["POST"] for path in paths]


def test_every_body_in_json_has_a_shape(ours: list[tuple[str, str]]) -> None:
    posted = {path for method, path in ours if method == "POST"}
    assert posted | FORMS == SHAPES.keys() | FORMS


@examples(60)
@given(data=st.data(), right=st.booleans())
def test_nothing_of_its_shape_or_almost_breaks_the_api(
    client: httpx.Client, described: list[Any], data: st.DataObject, right: bool
) -> None:
    operation = data.draw(st.sampled_from(described))
    mode = GenerationMode.POSITIVE if right else GenerationMode.NEGATIVE
    sent = data.draw(operation.as_strategy(generation_mode=mode)).as_transport_kwargs()
    kept = {name: sent[name] for name in ("params", "json", "headers", "data") if sent.get(name) is not None}
    well(knock(client, "POST", operation.path, **kept), sent)


def _plain(value: Any) -> bool:
    """Whether JSON can say it: httpx refuses to send NaN."""
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    if isinstance(value, dict):
        return all(map(_plain, value.values()))
    return all(map(_plain, value)) if isinstance(value, list) else True
