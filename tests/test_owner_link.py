"""The link by which whoever owns the machine signs in: it serves once, only from the terminal, and never on a Space."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from mdr.core.permissions import MACHINE, Person
from mdr.errors import InputError
from mdr.settings import ROOT, Settings
from mdr.ui.app import greeting
from mdr.ui.door.sign_in import SignInPage
from mdr.ui.door.visitors import who
from mdr.ui.parts.render import Renderer
from mdr.workbench import Workbench
from tests.door import PASSWORD, cheap_hashes, guarded  # noqa: F401

URL = "http://127.0.0.1:7860"


@pytest.fixture
def workbench(tmp_path: Path) -> Workbench:
    return Workbench(Settings(home=tmp_path, sign_in="required"))


def client_of(workbench: Workbench) -> TestClient:
    name = Route("/", lambda request: PlainTextResponse(f"{who(request).name} {who(request).role}"))
    app: Any = guarded(workbench, [name, *SignInPage(workbench, Renderer(ROOT / "assets")).routes()])
    return TestClient(app, follow_redirects=False)


def link_of(workbench: Workbench) -> str:
    [_, line] = greeting(workbench, URL, shown=True)
    address = urlsplit(line.rpartition(" ")[2])
    assert f"{address.scheme}://{address.netloc}" == URL
    return f"{address.path}?{address.query}"


def test_it_signs_the_owner_in_once(workbench: Workbench) -> None:
    client, link = client_of(workbench), link_of(workbench)
    reply = client.get(link)
    assert reply.status_code == 303 and reply.headers["location"] == "../"  # the token leaves the address
    assert client.get("/").text == "owner admin"
    again = client_of(workbench)
    refused = again.get(link)
    assert refused.status_code == 403 and "has been used" in refused.text and "set-cookie" not in refused.headers
    assert "mdr accounts invite --role admin" in refused.text
    assert client.get("/").text == "owner admin"


def test_a_new_link_ends_the_one_before(workbench: Workbench) -> None:
    before, now = link_of(workbench), link_of(workbench)
    client = client_of(workbench)
    assert client.get(before).status_code == 403
    assert client.get(now).status_code == 303


@pytest.mark.parametrize("token", ["", "x", "\u0661" * 32, "a" * 5_000])
def test_guesses_let_nobody_in(workbench: Workbench, token: str) -> None:
    client = client_of(workbench)
    assert client.get("/mdr/owner", params={"token": token}).status_code == 403  # no link was made
    link_of(workbench)
    assert client.get("/mdr/owner", params={"token": token}).status_code == 403
    assert workbench.accounts.everyone(MACHINE) == []


def test_it_is_shown_to_a_terminal_only_and_never_on_a_space(tmp_path: Path, workbench: Workbench) -> None:
    assert greeting(workbench, URL, shown=False) == [f"mdr is at {URL}/"]
    space = Workbench(Settings(home=tmp_path / "space", space_id="somebody/mdr"))
    assert greeting(space, URL, shown=True) == [f"mdr is at {URL}/"]


def test_the_name_is_the_owners_alone(workbench: Workbench) -> None:
    for name in ("owner", "OWNER", " Owner "):
        with pytest.raises(InputError, match="kept for others"):
            workbench.accounts.add(MACHINE, name, "judge", PASSWORD)


def test_who_was_made_less_is_admin_again(workbench: Workbench) -> None:
    client_of(workbench).get(link_of(workbench))
    workbench.accounts.set_role(MACHINE, "owner", "judge")
    client = client_of(workbench)
    client.get(link_of(workbench))
    assert client.get("/").text == "owner admin"
    [listed] = workbench.accounts.everyone(MACHINE)
    assert listed.signs_in == "with the link of the terminal"


def test_a_closed_owner_stays_out(workbench: Workbench) -> None:
    client_of(workbench).get(link_of(workbench))
    workbench.accounts.close(Person("another", "admin"), "owner")
    assert client_of(workbench).get(link_of(workbench)).status_code == 403
