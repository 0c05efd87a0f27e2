"""Routes of the page "Training data": pieces of HTML by address, and verdicts."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mdr.errors import MdrError
from mdr.services.training_data.rows import PairRef
from mdr.ui.door.visitors import who
from mdr.ui.parts.fragments import fragment
from mdr.ui.parts.render import Renderer
from mdr.ui.parts.requests import Refusal, posted, refused
from mdr.ui.training_data.address import View
from mdr.ui.training_data.view import TrainingDataView
from mdr.workbench import Workbench


class VerdictPosted(BaseModel):
    """What the page sends when a verdict is pressed; null takes it back."""

    model_config = ConfigDict(extra="forbid", strict=True)

    event: str = Field(pattern=r"^[0-9a-zA-Z-]{8,64}$")
    pair: str = Field(max_length=200)
    passage: str = Field(max_length=1_000)
    verdict: Literal["yes", "no"] | None


class TrainingDataRoutes:
    """The routes over one workbench."""

    def __init__(self, workbench: Workbench, render: Renderer) -> None:
        self._workbench, self._render = workbench, render
        self._view = TrainingDataView(workbench, render)

    def routes(self) -> list[Route]:
        """For the web server."""
        return [
            Route("/mdr/training-data", self.show, methods=["GET"]),
            Route("/mdr/training-data/now", self.now, methods=["GET"]),
            Route("/mdr/training-data/taught", self.taught, methods=["GET"]),
            Route("/mdr/training-data/verdict", self.verdict, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """What an address shows."""
        return await fragment(self._render, self._shown, request)

    async def now(self, request: Request) -> Response:
        """Where a pair's passages rank now."""
        return await fragment(self._render, lambda its: self._view.now(its.query_params.get("pair", "")), request)

    async def taught(self, request: Request) -> Response:
        """The way from passages that were found to what taught them."""
        return await fragment(self._render, lambda its: self._view.taught(its.query_params.getlist("passage")), request)

    def _shown(self, request: Request) -> str:
        return self._view.html(View.of(request.query_params), who(request))

    async def verdict(self, request: Request) -> Response:
        """Save a verdict. 200 means that it is on disk."""
        try:
            sent = await posted(request, VerdictPosted)
            answers = None if sent.verdict is None else sent.verdict == "yes"
            await run_in_threadpool(
                self._workbench.verdicts.say,
                who(request),
                PairRef.parse(sent.pair),
                sent.passage,
                answers,
                event=sent.event,
            )
        except (Refusal, MdrError) as error:
            return refused(error)
        return JSONResponse({"event": sent.event, "verdict": sent.verdict})
