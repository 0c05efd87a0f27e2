"""Routes of the page "Runs": pieces of HTML by address, what goes on now, and starting and stopping."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mdr.errors import MdrError
from mdr.ui.door.visitors import who
from mdr.ui.parts.fragments import fragment
from mdr.ui.parts.render import Renderer
from mdr.ui.parts.requests import Refusal, posted, refused
from mdr.ui.runs.view import RunsView
from mdr.workbench import Workbench


class StartPosted(BaseModel):
    """What the page sends to start a recipe."""

    model_config = ConfigDict(extra="forbid", strict=True)

    event: str = Field(pattern=r"^[0-9a-zA-Z]{8,64}$")
    recipe: str = Field(max_length=200)


class StopPosted(BaseModel):
    """What the page sends to stop a job."""

    model_config = ConfigDict(extra="forbid", strict=True)

    event: str = Field(pattern=r"^[0-9a-zA-Z]{8,64}$")
    job: str = Field(max_length=100)


class RunsRoutes:
    """The routes over one workbench."""

    def __init__(self, workbench: Workbench, render: Renderer) -> None:
        self._workbench, self._render = workbench, render
        self._view = RunsView(workbench, render)

    def routes(self) -> list[Route]:
        """For the web server."""
        return [
            Route("/mdr/runs", self.show, methods=["GET"]),
            Route("/mdr/runs/live", self.live, methods=["GET"]),
            Route("/mdr/runs/start", self.start, methods=["POST"]),
            Route("/mdr/runs/stop", self.stop, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """What an address shows."""
        return await fragment(self._render, lambda its: self._view.html(its.query_params, who(its)), request)

    async def live(self, request: Request) -> Response:
        """How far a job is, or all of them."""
        return await fragment(self._render, lambda its: self._view.live(its.query_params.get("job", "")), request)

    async def start(self, request: Request) -> Response:
        """Put a recipe into the queue."""
        try:
            sent = await posted(request, StartPosted)
            job = await run_in_threadpool(self._workbench.runs.start, who(request), sent.recipe, event=sent.event)
        except (Refusal, MdrError) as error:
            return refused(error)
        return JSONResponse({"event": sent.event, "job": job.id})

    async def stop(self, request: Request) -> Response:
        """Take a job out of the queue, or end it."""
        try:
            sent = await posted(request, StopPosted)
            job = await run_in_threadpool(self._workbench.runs.stop, who(request), sent.job)
        except (Refusal, MdrError) as error:
            return refused(error)
        return JSONResponse({"event": sent.event, "job": job.id, "state": job.state})
