"""Who a request is from.

A person who signed in has a session; everybody else a random cookie that the server set with the first page. The
middleware in `guard.py` looks that up once for every request and leaves it in the request's state.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request

from mdr.core.permissions import NOBODY, Person
from mdr.ui.parts.requests import Refusal

VISITOR = "mdr_visitor"
"""The cookie of somebody who has not signed in."""
SESSION = "mdr_session"
"""The cookie of somebody who has."""
YEAR = 365 * 24 * 3600
_TOKEN = re.compile("[0-9a-f]{32}")


def who(request: Any) -> Person:
    """The person behind a request of Starlette or Gradio; `NOBODY` where there is no cookie that we made."""
    found = getattr(getattr(request, "state", None), "person", None)
    return found if isinstance(found, Person) else visitor(request.cookies)


def known(request: Request) -> Person:
    """The person behind a request that keeps something for them: whoever could not find it again is refused."""
    person = who(request)
    if not person.name:
        problem, remedy = "your browser sent no cookie, so nothing can be kept for you", "allow cookies, then reload"
        raise Refusal(HTTPStatus.UNAUTHORIZED, problem, remedy)
    return person


def visitor(cookies: Mapping[str, str]) -> Person:
    """Somebody who has not signed in, by a name that does not give the cookie away."""
    token = cookies.get(VISITOR, "")
    return Person(f"visitor-{hashlib.sha256(token.encode()).hexdigest()[:16]}") if _TOKEN.fullmatch(token) else NOBODY


def newcomer(*, secure: bool, framed: bool) -> str:
    """The cookie of somebody whom we see for the first time."""
    return cookie(VISITOR, secrets.token_hex(16), YEAR, secure=secure, framed=framed)


def cookie(name: str, value: str, seconds: int, *, secure: bool, framed: bool) -> str:
    """A cookie that no script reads, and that no other site's page sends along. On a Space another site frames the
    page, and the browser keeps such cookies apart for each framing site."""
    rules = "SameSite=None; Secure; Partitioned" if framed else f"SameSite=Lax{'; Secure' if secure else ''}"
    return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; {rules}"


def secure(request: Request, *, framed: bool) -> bool:
    """Whether the browser's connection is encrypted; that of a Space always is, though not all the way to us."""
    return framed or request.scope["scheme"] == "https"


_LOCAL_NAME = re.compile(r"(localhost|127(\.\d+){3}|\[::1\])(:\d+)?")
_PASSED_ON = re.compile("forwarded|x-forwarded.*|x-real-ip|via|true-client-ip|cf-.*")
"""Headers that proxies add."""


def here(request: Request) -> bool:
    """Whether somebody on this very machine asks, and no proxy on it for somebody else. Where a proxy says nothing of
    itself, the name that the browser asked for gives it away, or HTTP/1.0, which only proxies speak."""
    client = request.client.host if request.client else ""
    return (
        client in ("127.0.0.1", "::1")
        and request.scope.get("http_version") != "1.0"
        and _LOCAL_NAME.fullmatch(request.headers.get("host", "")) is not None
        and not any(_PASSED_ON.fullmatch(name) for name in request.headers)
    )


def address(request: Request, *, framed: bool) -> str:
    """Where a request came from. On a Space we see its proxy, which appends the address that it saw; what stands
    before that anybody can have written."""
    forwarded = request.headers.get("x-forwarded-for", "") if framed else ""
    return forwarded.rpartition(",")[2].strip() or (request.client.host if request.client else "")
