"""What machines ask the server: does it live, can it work, how is it doing."""

from __future__ import annotations

import logging
from hmac import compare_digest
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mdr.services.machine.health import Health
from mdr.settings import Settings
from mdr.ui.door.visitors import here
from mdr.ui.parts.requests import Refusal, refused
from mdr.ui.watching.metrics import CONTENT, Metrics

_log = logging.getLogger(__name__)


class HealthRoutes:
    """The routes of one server."""

    def __init__(self, settings: Settings, health: Health, metrics: Metrics) -> None:
        self._token = settings.metrics_token.get_secret_value()
        self._health, self._metrics = health, metrics
        self._said: frozenset[str] = frozenset()

    def routes(self) -> list[Route]:
        """For the web server."""
        return [
            Route("/healthz", self.alive, methods=["GET"]),
            Route("/readyz", self.ready, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def alive(self, request: Request) -> Response:
        """The process answers; restart it where it does not."""
        return JSONResponse({"alive": True})

    async def ready(self, request: Request) -> Response:
        """It can search and keep grades, or not: then send it nobody. Why in words is for those who look after it."""
        found = await run_in_threadpool(self._health.troubles)
        if found.keys() != self._said:
            self._said = frozenset(found)
            _log.warning("not ready: %s" if found else "ready again%s", ", ".join(found))
        said = found if self._trusted(request) else dict.fromkeys(found, "does not work; the metrics token shows why")
        status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
        return JSONResponse({"ready": not found, "troubles": dict(said)}, status)

    async def metrics(self, request: Request) -> Response:
        """For this machine, and for who has the token."""
        if not self._trusted(request):
            remedy = "ask on the machine itself, or set MDR_METRICS_TOKEN there and send it as a bearer token"
            return refused(Refusal(HTTPStatus.FORBIDDEN, "these numbers are not for everybody", remedy))
        return Response(await run_in_threadpool(self._metrics.text), headers={"content-type": CONTENT})

    def _trusted(self, request: Request) -> bool:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        known = bool(self._token) and kind.lower() == "bearer" and compare_digest(token.encode(), self._token.encode())
        return known or here(request)
