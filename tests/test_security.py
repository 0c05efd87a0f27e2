"""The door: what it turns away before any route sees it, and what it says to browsers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from mdr.errors import StorageError
from mdr.settings import Settings
from mdr.ui.door import body as security_body
from mdr.ui.door.headers import hashes
from mdr.ui.door.visitors import SESSION, VISITOR, who
from mdr.workbench import Workbench
from tests.door import guarded

PAGE = "<html><SCRIPT>one()</SCRIPT><script type=module src=a.js></script><script>'<script>'</script></html>"


async def page(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def echo(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body()), "who": who(request).name})


async def broken(request: Request) -> Response:
    raise StorageError("the disk is full", "free some space")


ROUTES = [
    Route("/", page),
    Route("/{rest:path}/echo", echo, methods=["GET", "POST", "PUT", "DELETE"]),
    Route("/broken", broken),
]


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    return guarded(Workbench(Settings(home=tmp_path)), ROUTES)


@pytest.fixture
def client(app: Starlette) -> TestClient:
    return TestClient(app)


# -- what is not there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("/gradio_api/proxy=http://127.0.0.1/echo", "/gradio_api/stream/a/echo", "/gradio_api/vibe-edit/echo"),
        *("/gradio_api/component_server/echo", "/gradio_api/runs/echo", "/gradio_api/dev/reload/echo"),
        *("/login/echo", "/logout/echo", "/monitoring/echo", "/docs/echo", "/openapi.json/echo"),
    ],
)
def test_what_gradio_brings_along_is_closed(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == client.post(path).status_code == 404
    assert client.get("/runs/echo").status_code == 200, "a page may have the name of what is closed elsewhere"


@pytest.mark.parametrize("host", ["evil.example/..", "a b", "[", "<script>", "a:b", "a@b"])
def test_a_host_that_is_none_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 400


def test_an_error_of_ours_is_told_as_one(client: TestClient) -> None:
    reply = client.get("/broken")
    assert reply.status_code == 503 and reply.json() == {"problem": "the disk is full", "remedy": "free some space"}


# -- other sites ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://testserver.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_no_other_site_changes_anything_anywhere(client: TestClient, method: str, headers: dict[str, str]) -> None:
    for path in ("/mdr/echo", "/gradio_api/run/echo"):
        assert client.request(method, path, headers=headers).status_code == 403
    assert client.request(method, "/mdr/echo", headers={"origin": "http://testserver"}).status_code == 200


# -- how much -------------------------------------------------------------------------------------------------


def long(chunks: int) -> Iterator[bytes]:
    """A body that does not say how long it is."""
    yield from (b" " * 65536 for _ in range(chunks))


def test_a_body_is_a_megabyte_at_most(client: TestClient) -> None:
    megabyte = security_body.MEGABYTE
    assert client.post("/mdr/echo", content=b" " * megabyte).json()["bytes"] == megabyte
    assert client.post("/mdr/echo", content=b" " * (megabyte + 1)).status_code == 413
    assert client.post("/mdr/echo", content=long(16)).json()["bytes"] == megabyte
    assert client.post("/mdr/echo", content=long(17)).status_code == 413
    assert client.request("DELETE", "/x/echo", content=b" " * (megabyte + 1)).status_code == 413


def test_an_upload_may_be_longer_and_says_how_long(client: TestClient) -> None:
    upload = "/gradio_api/upload/echo"
    assert client.post(upload, content=b" " * 3 * security_body.MEGABYTE).json()["bytes"] == 3 * security_body.MEGABYTE
    assert client.post(upload, content=long(1)).status_code == 411
    assert client.post(upload, headers={"content-length": str(10**9)}, content=b"").status_code == 413


# -- who ------------------------------------------------------------------------------------------------------


def test_a_made_up_session_is_that_of_a_visitor(client: TestClient) -> None:
    token = "ab" * 16
    for session in ("made-up", "\"'; DROP TABLE sessions; --", "%00"):
        client.cookies = {SESSION: session, VISITOR: token}  # type: ignore[assignment]
        assert client.get("/mdr/echo").json()["who"].startswith("visitor-")
        assert token not in client.get("/mdr/echo").text


def test_accounts_that_cannot_be_read_stop_no_visitor(tmp_path: Path) -> None:
    (tmp_path / "accounts.sqlite").write_bytes(b"no database" * 1000)
    client = TestClient(guarded(Workbench(Settings(home=tmp_path)), ROUTES), cookies={SESSION: "x", VISITOR: "ab" * 16})
    assert client.get("/mdr/echo").json()["who"].startswith("visitor-")


# -- what browsers are told -----------------------------------------------------------------------------------


def test_every_answer_has_its_headers(client: TestClient) -> None:
    for reply in (client.get("/"), client.get("/nowhere"), client.post("/x/echo", headers={"origin": "null"})):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
        policy = reply.headers["content-security-policy"]
        for rule in ("default-src 'self'", "object-src 'none'", "base-uri 'self'", "frame-ancestors 'self'"):
            assert rule in policy
        scripts = re.search(r"script-src ([^;]*)", policy)
        assert scripts and "unsafe-inline" not in scripts[1] and "http" not in scripts[1] and "*" not in policy
        assert "strict-transport-security" not in reply.headers


def test_scripts_of_a_page_have_its_nonce_and_no_other(client: TestClient) -> None:
    one, two = client.get("/"), client.get("/")
    [nonce] = re.findall(r"'nonce-([^']+)'", one.headers["content-security-policy"])
    assert one.text.count(f'nonce="{nonce}"') == 3 and "'<script>'" in one.text, "what a script says is left alone"
    assert nonce not in two.headers["content-security-policy"] and nonce not in two.text
    assert int(one.headers["content-length"]) == len(one.content)


def test_a_script_of_ours_is_known_by_its_hash() -> None:
    said = hashes("<style>a</style><script>alert(1)</script><script>two</script>")
    assert said.count("sha256-") == 2
    assert "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='" in said  # as browsers compute it


def test_a_space_may_be_framed_by_the_hub(tmp_path: Path) -> None:
    space = TestClient(guarded(Workbench(Settings(home=tmp_path, SPACE_ID="somebody/mdr")), ROUTES))
    reply = space.get("/")
    assert "frame-ancestors 'self' https://huggingface.co" in reply.headers["content-security-policy"]
    assert "SameSite=None; Secure; Partitioned" in reply.headers["set-cookie"]
    assert "strict-transport-security" in reply.headers


def test_newcomers_are_told_apart_by_where_they_come_from(tmp_path: Path) -> None:
    """Behind the hub's proxy, by the address that it appends; what stands before that anybody can write."""
    from mdr.ui.door.visitors import address

    scope = {"type": "http", "client": ("10.0.0.1", 1), "headers": [(b"x-forwarded-for", b"9.9.9.9, 192.0.2.1")]}
    assert address(Request(scope), framed=True) == "192.0.2.1"
    assert address(Request(scope), framed=False) == "10.0.0.1"
