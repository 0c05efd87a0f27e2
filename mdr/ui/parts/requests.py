"""What every route of our own shares: who may post, how much, in which shape, and how a refusal is said."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from mdr.errors import (
    BusyError,
    InputError,
    MdrError,
    MissingError,
    NotAllowedError,
    StoppedError,
    StorageError,
    UnavailableError,
)
from mdr.ui.words.troubles import told

BODY_LIMIT = 64 * 1024
"""Bytes that a posted body may have."""

Posted = TypeVar("Posted", bound=BaseModel)


class Refusal(Exception):
    """A request that is answered with a status and what to do instead."""

    def __init__(self, status: HTTPStatus, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.status, self.problem, self.remedy = status, problem, remedy


async def posted(request: Request, shape: type[Posted]) -> Posted:
    """What a page of this very site has posted, in its shape; everything else is refused."""
    same_site(request)
    return parsed(await body(request), shape)


def same_site(request: Request) -> None:
    """Another site's page could post with this visitor's cookie; browsers say where a request comes from."""
    where = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    hosts = {request.headers.get("host"), request.headers.get("x-forwarded-host")}
    foreign = where not in (None, "same-origin") or (origin is not None and _host(origin) not in hosts)
    if foreign:
        raise Refusal(HTTPStatus.FORBIDDEN, "this came from another site", "do it on the page itself")


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # brackets that hold no address
        return ""


async def body(request: Request) -> bytes:
    """The bytes of a JSON body, up to the limit."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "what is posted is JSON", "send content-type application/json")
    sent = b""
    async for chunk in request.stream():  # a length that a client states may be wrong
        sent += chunk
        if len(sent) > BODY_LIMIT:
            problem = f"what was posted is longer than {BODY_LIMIT:,} bytes"
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, problem, "send one thing at a time, with ids of texts")
    return sent


def parsed(sent: bytes, shape: type[Posted]) -> Posted:
    """A body in its shape, or what is wrong with the first thing that is."""
    try:
        return shape.model_validate_json(sent)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise InputError(f"{where}: {first['msg']}", f"it has {', '.join(shape.model_fields)}") from error


def refused(error: Refusal | MdrError) -> JSONResponse:
    """The answer that says what was wrong and what to do."""
    later = {"retry-after": str(ceil(error.seconds))} if isinstance(error, BusyError) else {}
    problem, remedy = told(error)
    return JSONResponse({"problem": problem, "remedy": remedy}, status_of(error), later)


def status_of(error: Refusal | MdrError) -> HTTPStatus:
    """The status that an error is answered with."""
    if isinstance(error, Refusal):
        return error.status
    return next((code for kind, code in _STATUS.items() if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)


_STATUS: Mapping[type[MdrError], HTTPStatus] = {
    InputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    MissingError: HTTPStatus.NOT_FOUND,
    StorageError: HTTPStatus.SERVICE_UNAVAILABLE,
    NotAllowedError: HTTPStatus.FORBIDDEN,
    BusyError: HTTPStatus.TOO_MANY_REQUESTS,
    UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    StoppedError: HTTPStatus.SERVICE_UNAVAILABLE,
}
