"""Which language a visitor is spoken to in, and how it is chosen."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from mdr.ui.words.catalogue import _, speaking
from mdr.ui.words.speaking import CHOSEN, Speaking, in_language, routes, wanted


@pytest.mark.parametrize(
    ("cookies", "accepted", "language"),
    [
        ({}, "", "en"),
        ({}, "ar", "ar"),
        ({}, "zh-TW,zh;q=0.9,en;q=0.8", "zh"),
        ({}, "fr, es;q=0.2, ar;q=0.7", "ar"),
        ({}, "ar;q=0, es", "es"),
        ({}, "fr,de", "en"),
        ({}, "*;q=0.1, ;;,q=, es;q=1e9, ar;q=x" + "," * 5_000, "en"),
        ({CHOSEN: "es"}, "ar", "es"),
        ({CHOSEN: "tlh"}, "ar", "ar"),
        ({CHOSEN: "../es"}, "", "en"),
    ],
)
def test_a_choice_comes_before_what_the_browser_asks_for(
    cookies: dict[str, str], accepted: str, language: str
) -> None:
    assert wanted(cookies, accepted) == language


@pytest.fixture
def client() -> TestClient:
    def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(_("Search"))

    return TestClient(
        Starlette(routes=[Route("/", page), *routes(framed=False)], middleware=[Middleware(Speaking)]),
        base_url="http://here",
        follow_redirects=False,
    )


def test_a_choice_is_kept_for_its_visitor_alone(client: TestClient) -> None:
    answer = client.post("/mdr/language", data={"language": "es"}, headers={"referer": "http://here/judge?x=1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/judge?x=1")
    assert "HttpOnly" in answer.headers["set-cookie"] and "SameSite=Lax" in answer.headers["set-cookie"]
    assert client.get("/").text == "Buscar"
    client.cookies.clear()
    assert client.get("/").text == "Search"
    assert client.get("/", headers={"accept-language": "zh"}).text == "搜索"


@pytest.mark.parametrize("language", ["", "xx", "en\r\nset-cookie: a=b", "\ud800", "<b>"])
def test_what_is_no_language_changes_nothing(client: TestClient, language: str) -> None:
    answer = client.post("/mdr/language", content=f"language={language}".encode("utf-8", "replace"))
    assert answer.status_code == 303 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("referer", ["", "http://elsewhere/x", "http://here//elsewhere", "http://[", "javascript:1"])
def test_nobody_is_sent_elsewhere(client: TestClient, referer: str) -> None:
    answer = client.post("/mdr/language", data={"language": "ar"}, headers={"referer": referer} if referer else {})
    assert answer.headers["location"] == "../"


def test_a_page_says_its_language_and_direction() -> None:
    page = b'<!doctype html>\n<html\n\tlang="en"\n\tstyle=""><head><title>x</title>'
    with speaking("ar"):
        told = in_language(page)
    assert b'<html lang="ar" dir="rtl"' in told and b'<script>Object.defineProperty' in told
    assert b'lang="en" dir="ltr"' in in_language(page)
    assert in_language(b"<p>a piece</p>") == b"<p>a piece</p>"
