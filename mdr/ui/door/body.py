"""What is sent to us: whole and within its limit before anybody works on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.types import Message, Receive

from mdr.ui.parts.requests import Refusal

MEGABYTE = 1024 * 1024
STREAMED: Mapping[str, int] = {"/gradio_api/upload": 20 * MEGABYTE, "/mdr/upload/": 20 * MEGABYTE}
"""Bytes of an upload by the beginning of its path; all else that is sent is `LIMIT` at most."""
LIMIT = MEGABYTE
_PATIENCE = 30.0
"""Seconds in which a body must have come."""


class Body:
    """A request's body, as ASGI's `receive`."""

    def __init__(self, receive: Receive, whole: bytes | None = None) -> None:
        self._receive, self._whole = receive, whole

    async def __call__(self) -> Message:
        if self._whole is None:
            return await self._receive()
        message = {"type": "http.request", "body": self._whole, "more_body": False}
        self._whole = None
        return message

    async def gone(self) -> None:
        """Comes back when the one who asked has hung up. Only for a body that came whole: it stays to be read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def body_of(request: Request, receive: Receive) -> Body:
    """Read a body to its end. Uploads are not held in memory: they must say how long they are, and the server lets no
    more through than they say."""
    path, declared = request.scope["path"], request.headers.get("content-length", "")
    upload = next((limit for start, limit in STREAMED.items() if path.startswith(start)), 0)
    limit = upload or LIMIT
    if declared.isdecimal() and int(declared) > limit:
        raise _too_long(limit)
    if upload:
        if not declared.isdecimal():
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "the upload does not say how long it is", "send content-length")
        return Body(receive)
    try:
        async with asyncio.timeout(_PATIENCE):
            return Body(receive, await _read(receive, limit))
    except TimeoutError as error:
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "what was sent did not come to its end", "send it again") from error


async def _read(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(HTTPStatus.BAD_REQUEST, "the connection ended in the middle", "send it again")
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_long(limit)
        more = message.get("more_body", False)
    return bytes(body)


def _too_long(limit: int) -> Refusal:
    problem = f"what was sent is longer than {limit // MEGABYTE} MB"
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, problem, "send less at a time")
