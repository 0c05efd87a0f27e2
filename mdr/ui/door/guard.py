"""The door: every request passes here before any route, ours or Gradio's, sees it.

In order: what this app does not offer is not there; a page of another site posts nothing; the person is known, and who
must sign in does; a body is whole and within its limit; and it is their turn. What goes out gets its headers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mdr.core.permissions import Person, reaches
from mdr.errors import MdrError, StorageError
from mdr.settings import Settings
from mdr.ui.door import visitors
from mdr.ui.door.admission import Admission, kind
from mdr.ui.door.body import Body, body_of
from mdr.ui.door.headers import Headers, hashes
from mdr.ui.door.line import Place
from mdr.ui.parts.requests import Refusal, refused, same_site

CLOSED = re.compile(
    r"/gradio_api/(proxy=|stream/|vibe-|undo-vibe|runs\b|run-history|dev/|deep_link|process_recording|"
    r"component_server|custom_component|profiling|token)|/(monitoring|login|logout|docs|redoc|openapi\.json)(/|$)"
)
"""What Gradio brings along and this app never uses: fetching, recording, developing, signing in its own way."""
OPEN = re.compile(
    r"/mdr/(sign-in|sign-out|invite|owner|hub)|/(healthz|readyz|metrics|favicon\.ico|robots\.txt)$|"
    r"/gradio_api/startup-events$"
)
"""What those need who have not signed in yet, and what a machine looks at to see that we live."""
SIGN_IN = "/mdr/sign-in"
_LONGEST, _LONGEST_NAME = 3_000, 255
"""Bytes of a path, and of one name in it."""
_SAFE = {"GET", "HEAD", "OPTIONS"}
_HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?|")


class Guard:
    """ASGI middleware. `session` says whose session a token is; `head` is what Gradio puts into pages for us."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        session: Callable[[str], Person | None],
        admission: Admission,
        head: str = "",
    ) -> None:
        self._app, self._session, self._admission, self._hashes = app, session, admission, hashes(head)
        self._framed, self._required = bool(settings.space_id), settings.sign_in == "required"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":  # nothing here speaks over websockets
                await self._app(scope, receive, send)
            return
        request = Request(scope)
        person = request.state.person = self._person(request)
        secure = visitors.secure(request, framed=self._framed)
        cookie = "" if person.name else visitors.newcomer(secure=secure, framed=self._framed)
        dressed = Headers(
            send, scope["path"], secure=secure, framed=self._framed, hashes=self._hashes, cookie=cookie
        )
        try:
            await self._let_in(request, person, receive, dressed)
        except (Refusal, MdrError) as error:
            await refused(error)(scope, receive, dressed)

    async def _let_in(self, request: Request, person: Person, receive: Receive, send: Send) -> None:
        path, method = request.scope["path"], request.method
        if not _HOST.fullmatch(request.headers.get("host", "")):
            raise Refusal(HTTPStatus.BAD_REQUEST, "the request names no host that could be one", "correct its address")
        if CLOSED.match(path) or not _could_be(path):
            raise Refusal(HTTPStatus.NOT_FOUND, "there is nothing at this address", "start from the first page")
        if method not in _SAFE:
            same_site(request)
        if self._required and not reaches(person.role, "judge") and not OPEN.match(path):
            await self._ask_to_sign_in(request, receive, send)
            return
        what = kind(method, path)
        waits = self._admission.line(what, path) is not None
        body = Body(receive) if method in _SAFE and not waits else await body_of(request, receive)
        whose = visitors.address(request, framed=self._framed)
        async with self._admission.admitted(what, path, person, whose, body.gone) as place:
            await self._app(request.scope, body, leaving(place, send) if place else send)

    def _person(self, request: Request) -> Person:
        """Who it is. An account file that cannot be read makes everybody a visitor, and stops no search."""
        person = None
        if token := request.cookies.get(visitors.SESSION, ""):
            try:
                person = self._session(token)
            except StorageError:
                person = None
        return (person or visitors.visitor(request.cookies))._replace(here=visitors.here(request))

    async def _ask_to_sign_in(self, request: Request, receive: Receive, send: Send) -> None:
        if request.method not in _SAFE or "text/html" not in request.headers.get("accept", ""):
            problem, remedy = "only people who have been invited get in here", f"sign in at {SIGN_IN}"
            raise Refusal(HTTPStatus.UNAUTHORIZED, problem, remedy)
        query = request.scope["query_string"].decode("latin-1")
        back = quote(f"{request.scope['path']}?{query}" if query else request.scope["path"], safe="")
        await RedirectResponse(f"{SIGN_IN}?next={back}", HTTPStatus.SEE_OTHER)(request.scope, receive, send)


def _could_be(path: str) -> bool:
    """Whether a file system can be asked for it: longer names are refused by it with an error, not with "no"."""
    sent = path.encode("utf-8", "surrogatepass")
    return len(sent) <= _LONGEST and all(len(name) <= _LONGEST_NAME for name in sent.split(b"/"))


def leaving(place: Place, send: Send) -> Send:
    """Sends an answer; with its first word the work is done, and the place is for the next."""

    async def sending(message: Message) -> None:
        place.leave()
        await send(message)

    return sending
