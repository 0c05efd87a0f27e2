"""Which language a visitor is spoken to in: the one they chose, else what their browser asks for, else English.

A choice is a cookie of that visitor, set by a plain form. It is known before anything is made for a request, so pages
come in the right language and direction at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mdr.ui.door import visitors
from mdr.ui.parts.render import lang_attribute
from mdr.ui.words.catalogue import ENGLISH, SPOKEN, direction, language, speaking

CHOSEN = "mdr_language"
"""The cookie with the language that somebody chose."""
_HTML = re.compile(rb'<html\s+lang="en"')
_HEAD = re.compile(rb"<head>")
_BROWSER = {"zh": "zh-CN"}
"""What Gradio calls its own translations, where its name is another."""


def wanted(cookies: Mapping[str, str], accepted: str) -> str:
    """The language to speak, by a visitor's cookies and their browser's Accept-Language.

    >>> wanted({}, "fr-CH, fr;q=0.9, es-MX;q=0.8, en;q=0.7")
    'es'
    """
    chosen = cookies.get(CHOSEN, "")
    if chosen in SPOKEN:
        return chosen
    asked = [_asked(part) for part in accepted[:1_000].split(",")]
    likes = [(-weight, place, code) for place, (code, weight) in enumerate(asked) if weight > 0 and code in SPOKEN]
    return min(likes)[2] if likes else ENGLISH


def _asked(part: str) -> tuple[str, float]:
    tag, _, weight = part.partition(";")
    value = weight.strip().removeprefix("q=")
    code = tag.strip().lower().partition("-")[0]
    return code, float(value) if re.fullmatch(r"[01](\.\d{1,3})?", value) else float(not value)


class Speaking:
    """ASGI middleware: everything made for a request is made in its visitor's language."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        with speaking(wanted(request.cookies, request.headers.get("accept-language", ""))):
            await self._app(scope, receive, send)


def in_language(page: bytes) -> bytes:
    """A page of Gradio's, which says it is English, as one in the language that is spoken. Gradio's own words follow
    what the browser says its language is."""
    code = _BROWSER.get(language(), language())
    tell = f"<script>Object.defineProperty(navigator,'language',{{value:{json.dumps(code)}}})</script>"
    page = _HTML.sub(f'<html lang="{lang_attribute(language())}" dir="{direction()}"'.encode(), page, count=1)
    return _HEAD.sub(f"<head>{tell}".encode(), page, count=1)


def routes(*, framed: bool) -> list[Route]:
    """For the web server."""

    async def choose(request: Request) -> Response:
        """Keep what was chosen, and back to the page that it was chosen on."""
        sent = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=20)
        code = sent.get("language", [""])[0]
        response = RedirectResponse(_back(request), HTTPStatus.SEE_OTHER)
        if code in SPOKEN:
            secure = visitors.secure(request, framed=framed)
            cookie = visitors.cookie(CHOSEN, code, visitors.YEAR, secure=secure, framed=framed)
            response.headers.append("set-cookie", cookie)
        return response

    return [Route("/mdr/language", choose, methods=["POST"])]


def _back(request: Request) -> str:
    """Where the form stood, if that is a page of ours."""
    try:
        came = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "../"
    hosts = {request.headers.get("host"), request.headers.get("x-forwarded-host")}
    path = came.path if came.netloc in hosts and re.fullmatch(r"/(?![/\\])[^\x00-\x20\\\x7f]*", came.path) else ""
    return f"{path}?{came.query}" if path and came.query else path or "../"
