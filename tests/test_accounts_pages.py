"""Signing in by the browser: forms, cookies, and Hugging Face's side played by a server of our own."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from mdr.core.permissions import MACHINE, Person
from mdr.services.people.accounts import LIMITS
from mdr.settings import ROOT, Settings
from mdr.ui.door.sign_in import SignInPage
from mdr.ui.door.visitors import SESSION, VISITOR, who
from mdr.ui.parts.render import Renderer
from mdr.workbench import Workbench
from tests.door import PASSWORD, cheap_hashes, guarded  # noqa: F401


def app_of(workbench: Workbench) -> Any:
    name = Route("/", lambda request: PlainTextResponse(f"{who(request).name} {who(request).role}"))
    return guarded(workbench, [name, *SignInPage(workbench, Renderer(ROOT / "assets")).routes()])


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    workbench = Workbench(Settings(home=tmp_path_factory.mktemp("home")))
    workbench.accounts.add(MACHINE, "Ana", "lead", PASSWORD)
    return workbench


@pytest.fixture
def client(workbench: Workbench) -> TestClient:
    return TestClient(app_of(workbench), follow_redirects=False)


def sign_in(client: TestClient, **changes: str) -> Any:
    return client.post("/mdr/sign-in", data={"name": "Ana", "password": PASSWORD} | changes)


def test_signing_in_and_out(client: TestClient, workbench: Workbench) -> None:
    assert "Sign in" in client.get("/mdr/sign-in").text
    reply = sign_in(client, next="/judge?campaign=1")
    assert reply.status_code == 303 and reply.headers["location"] == "/judge?campaign=1"
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith(SESSION) and "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
    assert client.get("/").text == "Ana lead" and client.get("/mdr/me").json() == {"name": "Ana", "role": "lead"}
    assert "You are signed in" in client.get("/mdr/sign-in").text
    token = client.cookies[SESSION]
    client.post("/mdr/sign-out")
    assert SESSION not in client.cookies and workbench.accounts.person(token) is None


def test_a_planted_session_is_worth_nothing_after_signing_in(client: TestClient, workbench: Workbench) -> None:
    planted = workbench.accounts.sign_in("Ana", PASSWORD, "192.0.2.7")
    client.cookies.set(SESSION, planted)
    sign_in(client)
    assert workbench.accounts.person(planted) is None


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1", "/a\nb"])
def test_nobody_is_sent_elsewhere(client: TestClient, next: str) -> None:
    assert sign_in(client, next=next).headers["location"] == "../"


def test_wrong_guesses_are_told_and_end(workbench: Workbench) -> None:
    client = TestClient(app_of(workbench), client=("192.0.2.9", 1))
    for _ in range(LIMITS["name and address"]):
        reply = sign_in(client, password="<script>alert(1)</script>", name="<b>Ana")
        assert reply.status_code == 403 and "do not belong together" in reply.text and "alert(1)" not in reply.text
        assert 'value="&lt;b&gt;Ana"' in reply.text
    assert sign_in(client, name="<b>Ana").status_code == 429


def test_another_site_signs_nobody_in(client: TestClient) -> None:
    client.headers["origin"] = "https://evil.example"
    assert sign_in(client).status_code == 403 and SESSION not in client.cookies


def test_an_invitation_makes_an_account(client: TestClient, workbench: Workbench) -> None:
    token = workbench.accounts.invite(MACHINE, "judge")
    assert "invited as a judge" in client.get("/mdr/invite", params={"token": token}).text
    taken = client.post("/mdr/invite", data={"token": token, "name": "ana", "password": PASSWORD})
    assert taken.status_code == 422 and "taken" in taken.text and token in taken.text
    made = client.post("/mdr/invite", data={"token": token, "name": "Ben", "password": PASSWORD})
    assert made.status_code == 303 and client.get("/").text == "Ben judge"
    assert client.get("/mdr/invite", params={"token": token}).status_code == 404


def test_over_https_and_on_a_space_cookies_are_secure(workbench: Workbench, tmp_path: Path) -> None:
    https = TestClient(app_of(workbench), base_url="https://testserver", follow_redirects=False)
    assert "SameSite=Lax; Secure" in sign_in(https).headers["set-cookie"]
    space = Workbench(Settings(home=tmp_path, SPACE_ID="somebody/mdr"))
    space.accounts.add(MACHINE, "Ana", "lead", PASSWORD)
    framed = sign_in(TestClient(app_of(space), follow_redirects=False))
    assert "SameSite=None; Secure; Partitioned" in framed.headers["set-cookie"]


def test_who_must_sign_in_is_led_there_and_back(tmp_path: Path) -> None:
    workbench = Workbench(Settings(home=tmp_path, sign_in="required"))
    workbench.accounts.add(MACHINE, "Ana", "lead", PASSWORD)
    workbench.accounts.add(MACHINE, "Vic", "visitor", PASSWORD)
    client = TestClient(app_of(workbench), follow_redirects=False)
    page = client.get("/?q=a&lang=b", headers={"accept": "text/html"})
    assert page.status_code == 303 and page.headers["location"] == "/mdr/sign-in?next=%2F%3Fq%3Da%26lang%3Db"
    assert client.get("/").status_code == 401 and client.get("/mdr/me").status_code == 401
    sign_in(client, name="Vic")
    assert client.get("/").status_code == 401, "an account that nobody gave a role is not enough"
    sign_in(client)
    assert client.get("/").text == "Ana lead"


# -- Hugging Face ---------------------------------------------------------------------------------------------


class Hub(BaseHTTPRequestHandler):
    """Speaks OpenID Connect as the hub does, and checks what it is sent."""

    challenge, elsewhere = "", ""

    def do_GET(self) -> None:
        here = f"http://127.0.0.1:{self.server.server_address[1]}"
        if self.path.endswith("openid-configuration"):
            names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
            self._say({f"{name}_endpoint": f"{Hub.elsewhere or here}/oauth/{path}" for name, path in names.items()})
        elif self.headers["authorization"] == "Bearer a-token":
            self._say({"sub": "1", "preferred_username": "owner"})

    def do_POST(self) -> None:
        sent = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        digest = hashlib.sha256(sent["code_verifier"][0].encode()).digest()
        right = self.headers["authorization"] == "Basic " + base64.b64encode(b"client:secret").decode()
        right &= base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == Hub.challenge
        right &= sent["code"] == ["a-code"] and sent["redirect_uri"] == ["https://mdr.example/mdr/hub/callback"]
        self._say({"access_token": "a-token"} if right else {}, 200 if right else 400)

    def _say(self, value: Any, status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workbench]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = Settings(home=tmp_path, SPACE_HOST="mdr.example", OAUTH_CLIENT_ID="client")
    settings.hub_secret = SecretStr("secret")
    settings.hub = f"http://127.0.0.1:{server.server_address[1]}"
    yield Workbench(settings)
    server.shutdown()
    server.server_close()


def begin(client: TestClient) -> str:
    """Off to the hub; gives the state that it brings back."""
    asked = parse_qs(urlsplit(client.get("/mdr/hub").headers["location"]).query)
    assert asked["redirect_uri"] == ["https://mdr.example/mdr/hub/callback"] and asked["client_id"] == ["client"]
    Hub.challenge = asked["code_challenge"][0]
    return asked["state"][0]


def come_back(client: TestClient, state: str, code: str = "a-code") -> Any:
    return client.get("/mdr/hub/callback", params={"state": state, "code": code})


def test_the_hub_vouches_for_people(space: Workbench) -> None:
    client = TestClient(app_of(space), follow_redirects=False)
    assert "Hugging Face" in client.get("/mdr/sign-in").text
    assert come_back(client, begin(client)).status_code == 303
    assert client.get("/").text == "hf:owner visitor"
    space.accounts.set_role(MACHINE, "hf:owner", "judge")
    assert client.get("/").text == "hf:owner judge"


@pytest.mark.parametrize("setting", ["space_owner", "admins"])
def test_the_owner_of_a_space_is_its_admin(space: Workbench, setting: str) -> None:
    setattr(space.settings, setting, "owner")
    client = TestClient(app_of(space), follow_redirects=False)
    come_back(client, begin(client))
    assert space.accounts.person(client.cookies[SESSION]) == Person("hf:owner", "admin")


def test_a_sign_in_that_was_begun_elsewhere_ends_here(space: Workbench) -> None:
    client, victim = (TestClient(app_of(space), follow_redirects=False) for _ in range(2))
    state = begin(client)
    wrong = [come_back(client, *back) for back in [("another",), (state, ""), ("",)]]
    for reply in [come_back(victim, state), *wrong]:
        assert reply.status_code == 403 and "begun in this browser" in reply.text
    assert come_back(client, state, "another-code").status_code == 503
    assert SESSION not in victim.cookies and SESSION not in client.cookies


def test_a_hub_that_points_elsewhere_is_not_followed(space: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hub, "elsewhere", "http://127.0.0.1:1")
    reply = TestClient(app_of(space), follow_redirects=False).get("/mdr/hub")
    assert reply.status_code == 503 and "own host" in reply.text


def test_secrets_are_in_no_error(space: Workbench) -> None:
    space.settings.hub_secret = SecretStr("correct horse")
    assert "correct" not in f"{space.settings!r} {space.settings} {space.settings.model_dump()}"
    space.settings.hub = "http://127.0.0.1:1"
    reply = TestClient(app_of(space)).get("/mdr/hub")
    assert reply.status_code == 503 and "127.0.0.1" not in reply.text


def test_newcomers_get_their_cookie_with_the_first_page(workbench: Workbench) -> None:
    client = TestClient(app_of(workbench))
    client.get("/mdr/me")
    assert VISITOR not in client.cookies, "only pages give one: what is fetched beside them must not give another"
    reply = client.get("/mdr/sign-in")
    assert "HttpOnly" in reply.headers["set-cookie"] and reply.headers["cache-control"] == "no-store"
    first = client.cookies[VISITOR]
    assert "set-cookie" not in client.get("/mdr/sign-in").headers and client.cookies[VISITOR] == first
    client.cookies.set(VISITOR, "made up")
    client.get("/mdr/sign-in")
    assert client.get("/").text.startswith("visitor-")
