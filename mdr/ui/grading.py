"""Routes beside Gradio's: grades go straight to the store, passages come straight from the collection.

A grade is saved by one small POST, not by a Gradio event, because people grade faster than events return. Each
carries an id made by the browser, so a retry counts once; when it is answered, the grade is on disk.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mdr.errors import InputError, MdrError, MissingError, StorageError
from mdr.services.judging import GRADES
from mdr.services.search import ENGINES, MOST
from mdr.ui.render import Renderer
from mdr.workbench import Workbench

COOKIE = "mdr_visitor"
_YEAR = 365 * 24 * 3600
_BODY_LIMIT = 64 * 1024
_TOKEN = re.compile("[0-9a-f]{32}")


class GradePosted(BaseModel):
    """What the page sends when a grade is pressed; `grade` null takes it back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    event: str = Field(pattern=r"^[0-9a-zA-Z-]{8,64}$")
    collection: str = Field(max_length=100)
    query: str
    passage: str = Field(max_length=1_000)
    grade: int | None = Field(ge=min(GRADES), le=max(GRADES))
    rank: int | None = Field(None, ge=1, le=MOST)
    engine: Literal["hybrid", "dense", "bm25"] | None = None


class Refusal(Exception):
    """A request that is answered with a status and what to do instead."""

    def __init__(self, status: HTTPStatus, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.status, self.problem, self.remedy = status, problem, remedy


_STATUS: Mapping[type[MdrError], HTTPStatus] = {
    InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    MissingError: HTTPStatus.NOT_FOUND,
    StorageError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def annotator(cookies: Mapping[str, str]) -> str:
    """Who a visitor is in the judgement file: a name that does not give the cookie away; empty: a newcomer."""
    token = cookies.get(COOKIE, "")
    return f"visitor-{hashlib.sha256(token.encode()).hexdigest()[:16]}" if _TOKEN.fullmatch(token) else ""


class Routes:
    """The routes over one collection. On a Space the page is framed by another site, and so must the cookie be."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer, *, framed: bool = False) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render
        self._cookie_rules = "SameSite=None; Secure; Partitioned" if framed else "SameSite=Lax"

    def routes(self) -> list[Route]:
        """For the web server."""
        return [
            Route("/mdr/grade", self.grade, methods=["POST"]),
            Route("/mdr/passage", self.passage, methods=["GET"]),
        ]

    async def grade(self, request: Request) -> Response:
        """Save one grade. 200 means that it is on disk."""
        try:
            _same_site(request)
            posted = _parsed(await _body(request))
            token = request.cookies.get(COOKIE, "")
            if not _TOKEN.fullmatch(token):
                token = secrets.token_hex(16)
            await run_in_threadpool(self._save, posted, annotator({COOKIE: token}))
        except (Refusal, MdrError) as error:
            return _refused(error)
        response = JSONResponse({"event": posted.event, "grade": posted.grade})
        response.headers.append(
            "set-cookie", f"{COOKIE}={token}; Path=/; Max-Age={_YEAR}; HttpOnly; {self._cookie_rules}"
        )
        return response

    async def passage(self, request: Request) -> Response:
        """One whole passage as a piece of HTML."""
        try:
            found = await run_in_threadpool(self._searcher().collection.passage, request.query_params.get("id", ""))
        except MdrError as error:
            return _refused(error)
        return HTMLResponse(self._render("passage", {"passage": found, "limit": len(found.text)}))

    def _searcher(self) -> Any:
        return self._workbench.searcher(self._collection)

    def _save(self, posted: GradePosted, visitor: str) -> None:
        if posted.collection != self._collection:
            raise MissingError(f"there is no collection {posted.collection!r} here", f"this is {self._collection!r}")
        searcher = self._searcher()
        query, _ = searcher.recognise(posted.query)
        self._workbench.judging.grade(
            visitor,
            self._collection,
            query,
            searcher.collection.passage(posted.passage),
            posted.grade,
            rank=posted.rank,
            engine=posted.engine,
            event=posted.event,
        )


def _same_site(request: Request) -> None:
    """Another site's page could post with this visitor's cookie; browsers say where a request comes from."""
    where = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    hosts = {request.headers.get("host"), request.headers.get("x-forwarded-host")}
    foreign = where not in (None, "same-origin") or (origin is not None and urlsplit(origin).netloc not in hosts)
    if foreign:
        raise Refusal(HTTPStatus.FORBIDDEN, "the grade came from another site", "grade on the page itself")


async def _body(request: Request) -> bytes:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a grade is JSON", "send content-type application/json")
    body = b""
    async for chunk in request.stream():  # a length that a client states may be wrong
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the grade is longer than {_BODY_LIMIT:,} bytes",
                "send one grade with its query and passage id",
            )
    return body


def _parsed(body: bytes) -> GradePosted:
    try:
        return GradePosted.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise InputError(f"{where}: {first['msg']}", f"a grade has {', '.join(GradePosted.model_fields)}") from error


def _refused(error: Refusal | MdrError) -> JSONResponse:
    if isinstance(error, Refusal):
        status = error.status
    else:
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)
    return JSONResponse({"problem": error.problem, "remedy": error.remedy}, status)


assert set(ENGINES) == {"hybrid", "dense", "bm25"}  # as GradePosted has them
