"""Every request is counted, timed, and told in the log, by its class: never by its path, which may hold anything."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mdr.ui.watching.logs import REQUEST, Asked, request_id

_log = logging.getLogger("mdr.requests")
ROUTES: Mapping[str, str] = {
    "/mdr/grade": "judge",
    "/mdr/judge/say": "judge",
    "/mdr/judge/": "judging",
    "/mdr/runs/": "run",
    "/mdr/evaluate/start": "run",
    "/mdr/upload/": "upload",
    "/mdr/sign-": "sign-in",
    "/mdr/invite": "sign-in",
    "/mdr/hub": "sign-in",
    "/mdr/": "piece",
    "/gradio_api/run/": "search",
    "/gradio_api/api/": "search",
    "/gradio_api/call/": "search",
    "/gradio_api/queue/data": "stream",
    "/gradio_api/heartbeat": "stream",
    "/gradio_api/queue/": "search",
    "/gradio_api/mcp": "mcp",
    "/gradio_api/upload": "upload",
    "/gradio_api/": "gradio",
    "/assets/": "asset",
    "/static/": "asset",
    "/svelte/": "asset",
    "/theme.css": "asset",
    "/favicon.ico": "asset",
    "/healthz": "health",
    "/readyz": "health",
    "/metrics": "health",
    "/": "page",
}
"""Classes of requests by the beginning of their path; the first row that fits."""
STREAMS = ("stream", "mcp")
"""How long these take is how long somebody stayed."""
_UNTOLD = ("asset", "health")
"""Too many to be told, unless they fail."""
Seen = Callable[[str, int, float], None]
"""Told of each answer: its class, its status, and its seconds."""


def route_of(path: str) -> str:
    """The class of a request."""
    return next((name for start, name in ROUTES.items() if path.startswith(start)), "page")


class Watch:
    """ASGI middleware, before all others."""

    def __init__(self, app: ASGIApp, *, seen: Seen) -> None:
        self._app, self._seen = app, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500
        asked = Asked(request_id(Headers(scope=scope).get("x-request-id", "")))
        token = REQUEST.set(asked)

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                if message["status"] == 500:  # which is all that Gradio says
                    message["status"] = asked.refused or 500
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = asked.id
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._tell(scope, status, time.perf_counter() - began)
            REQUEST.reset(token)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_of(scope["path"])
        self._seen(route, status, seconds)
        wrong = status >= 500 and status != 503  # 503 is said by a part that is not there, which says more
        if wrong or route not in _UNTOLD:
            extra = {"route": route, "method": scope["method"], "status": status, "ms": round(1000 * seconds, 1)}
            _log.log(logging.ERROR if wrong else logging.INFO, "answered", extra=extra)
