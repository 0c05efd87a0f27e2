"""The whole app behind its door, as it is served: every route accounted for, nothing leaks, nothing is fetched."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import loops
import pytest

from mdr.core.permissions import MACHINE
from mdr.ui.app import PAGES, serve
from mdr.ui.door.guard import CLOSED
from tests.browser.stub import StubWorkbench
from tests.door import PASSWORD, cheap_hashes  # noqa: F401

KNOWN = re.compile(
    r"/gradio_api/(user|login_check|app_id|info|openapi\.json|file[=/]|reset|heartbeat/|run/|api/|call/|queue/|cancel|"
    r"upload|startup-events|theme\.css|mcp)|/(config/?|static/.*|assets/.*|svelte/.*|favicon\.ico|theme\.css|robots\.txt|"
    r"pwa_icon.*|manifest\.json|gradio_api/deep_link)?$|/(healthz|readyz|metrics)$"
)
"""What of Gradio's this app uses, or what does no harm, and what machines ask."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def workbench(home: Path) -> Iterator[StubWorkbench]:
    workbench = StubWorkbench(home)
    workbench.accounts.add(MACHINE, "Ana", "admin", PASSWORD)
    yield workbench
    workbench.judging.store.close()


@pytest.fixture(scope="module")
def app(workbench: StubWorkbench) -> Iterator[Any]:
    app = serve(workbench)
    yield app
    app.close()


@pytest.fixture
def client(app: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app.local_url, timeout=60) as client:
        client.get("/")
        yield client


def test_every_route_is_ours_or_known_or_closed(app: Any) -> None:
    """A later Gradio may bring routes that nobody here has thought about."""
    pages = {f"/{page.path}" for page in PAGES}
    paths = {route.path.rstrip("/") or "/" for route in app.app.routes if hasattr(route, "path")}
    unknown = {
        path
        for path in paths - pages
        if not (path.startswith("/mdr/") or CLOSED.match(path) or KNOWN.match(path) or path == "/{page}")
    }
    assert not unknown


def test_the_first_page_sets_the_cookie_that_grades_go_by(client: httpx.Client, workbench: StubWorkbench) -> None:
    grade = {"collection": "sample", "query": "zebra", "passage": "h3", "grade": 1}
    for _ in range(2):  # a lost answer, and the same again
        reply = client.post("/mdr/grade", json=grade | {"event": "served-grade"})
        assert reply.status_code == 200 and "set-cookie" not in reply.headers


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../../../etc/passwd", "app.py", "{home}/accounts.sqlite", "{home}/x/../accounts.sqlite"],
)
def test_no_file_of_the_machine_is_served(client: httpx.Client, home: Path, path: str) -> None:
    wanted = path.format(home=home)
    for prefix in ("/gradio_api/file=", "/gradio_api/file/", "/static/", "/assets/", "/svelte/", "/mdr/"):
        reply = client.get(f"{prefix}{wanted}")
        assert reply.status_code in (400, 403, 404), (prefix, reply.status_code)
        assert "root:" not in reply.text and "SQLite" not in reply.text and "MDR_" not in reply.text


class Knocked(http.server.BaseHTTPRequestHandler):
    """Somebody whom the server should never call."""

    count = 0

    def do_GET(self) -> None:
        Knocked.count += 1
        self.send_error(404)

    do_HEAD = do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


def test_no_address_of_a_visitor_is_fetched(client: httpx.Client, app: Any) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Knocked)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/x"
    file = {"path": url, "url": url, "meta": {"_type": "gradio.FileData"}, "orig_name": "x"}
    for fn_index in range(8):
        client.post("/gradio_api/run/predict", json={"data": [file, file], "fn_index": fn_index, "session_hash": "a"})
    client.post("/gradio_api/run/search", json={"data": [file, "hybrid", 10, [], 0, ""]})
    for path in (f"/gradio_api/proxy={url}", f"/gradio_api/file={url}", f"/gradio_api/file/{url}"):
        assert client.get(path, follow_redirects=False).status_code >= 400
    params = {"name": "search", "arguments": {"query": url}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    accept = {"accept": "application/json, text/event-stream"}
    assert client.post("/gradio_api/mcp/", json=call, headers=accept).status_code < 500
    server.shutdown()
    server.server_close()
    assert Knocked.count == 0


def test_gradio_has_forgotten_how_to_fetch(app: Any, tmp_path: Path) -> None:
    from gradio import Error, processing_utils

    with pytest.raises(Error, match="not fetched"):
        loops.run(processing_utils.async_ssrf_protected_download("https://example.org/", str(tmp_path)))
    with pytest.raises(Error, match="not fetched"):
        processing_utils.save_url_to_cache("https://example.org/", str(tmp_path))
    block = next(block for block in app.blocks.values() if hasattr(block, "async_move_resource_to_block_cache"))
    with pytest.raises(Error, match="not fetched"):
        loops.run(block.async_move_resource_to_block_cache("https://example.org/"))


def test_long_bodies_and_other_sites_reach_no_route_of_gradio(client: httpx.Client) -> None:
    for path in ("/gradio_api/run/search", "/gradio_api/queue/join", "/gradio_api/mcp/"):
        assert client.post(path, content=b" " * (1 << 20) + b"{}").status_code == 413
        assert client.post(path, json={}, headers={"origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize("path", [f"/static/{'a' * 256}", "/static" + "/a" * 3_000, f"/gradio_api/file={'я' * 128}"])
def test_names_that_no_file_can_have_are_nowhere(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_who_signs_in_is_known_to_every_route(client: httpx.Client, workbench: StubWorkbench) -> None:
    client.post("/mdr/sign-in", data={"name": "Ana", "password": PASSWORD})
    assert client.get("/mdr/me").json() == {"name": "Ana", "role": "admin"}
    grade = {"event": "by-ana-herself", "collection": "sample", "query": "zebra", "passage": "h4", "grade": 3}
    assert client.post("/mdr/grade", json=grade).status_code == 200
    assert workbench.judging.store.find("by-ana-herself").annotator == "Ana"  # type: ignore[union-attr]


def test_where_people_must_sign_in_nothing_works_without(tmp_path: Path) -> None:
    workbench = StubWorkbench(tmp_path)
    workbench.settings.sign_in = "required"
    workbench.accounts.add(MACHINE, "Ana", "judge", PASSWORD)
    app = serve(workbench)
    try:
        with httpx.Client(base_url=app.local_url, timeout=60) as client:
            for path in ("/config", "/gradio_api/info", "/mdr/passage?id=h3", "/gradio_api/mcp/schema", "/judge"):
                assert client.get(path).status_code == 401
            query = {"data": ["zebra", "hybrid", 3, [], 0, ""]}
            assert client.post("/gradio_api/run/search", json=query).status_code == 401
            client.post("/mdr/sign-in", data={"name": "Ana", "password": PASSWORD})
            assert client.get("/").status_code == client.get("/config").status_code == 200
    finally:
        app.close()
