"""Routes of the pages that compare and evaluate: what an address shows, as HTML; measuring, watched; files in and out.

They compute, so they have threads of their own and few of them: saving a grade never waits behind a table.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TypeVar

import anyio
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mdr.core.permissions import Person
from mdr.errors import MdrError
from mdr.services.evaluation.files import write_file
from mdr.services.evaluation.grade_sources import UPLOAD_LIMIT
from mdr.ui.compare.address import Evaluating
from mdr.ui.compare.view import CompareView
from mdr.ui.door.visitors import who
from mdr.ui.evaluate.view import EvaluateView
from mdr.ui.parts.addressed import values_of
from mdr.ui.parts.render import Renderer
from mdr.ui.parts.requests import Refusal, refused, same_site
from mdr.ui.words.catalogue import _
from mdr.ui.words.troubles import told
from mdr.workbench import Workbench

_log = logging.getLogger(__name__)
_TOGETHER = 2
Result = TypeVar("Result")


class EvaluationRoutes:
    """The routes over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render
        self._compare = CompareView(workbench, collection, render)
        self._evaluate = EvaluateView(workbench, collection, render)
        self._job = workbench.evaluation_job(collection)
        self._limit: anyio.CapacityLimiter | None = None

    def routes(self) -> list[Route]:
        """For the web server."""
        return [
            Route("/mdr/compare", self.compare, methods=["GET"]),
            Route("/mdr/evaluate", self.evaluate, methods=["GET"]),
            Route("/mdr/evaluate/file", self.file, methods=["GET"]),
            Route("/mdr/upload/qrels", self.upload, methods=["POST"]),
            Route("/mdr/evaluate/start", self.start, methods=["POST"]),
            Route("/mdr/evaluate/progress", self.progress, methods=["GET"]),
        ]

    async def compare(self, request: Request) -> Response:
        """The page "Compare" for an address."""
        return await self._page(partial(self._compare.html, person=who(request)), request)

    async def evaluate(self, request: Request) -> Response:
        """The page "Evaluate" for an address."""
        return await self._page(partial(self._evaluate.html, person=who(request)), request)

    async def file(self, request: Request) -> Response:
        """Grades, a run, or the values of every question."""
        folder = Path(mkdtemp())
        try:
            file = await self._beside(lambda: self._written(request.url.query, folder, who(request)))
        except BaseException as error:
            rmtree(folder, ignore_errors=True)
            if isinstance(error, MdrError):
                return refused(error)
            raise
        return FileResponse(file, filename=file.name, background=BackgroundTask(rmtree, folder, ignore_errors=True))

    def _written(self, address: str, folder: Path, person: Person) -> Path:
        asked = Evaluating.of(address)
        measuring = self._workbench.measuring(self._collection)
        return write_file(
            measuring,
            measuring.evaluated(asked.run),
            asked.grading,
            asked.measure,
            values_of(address).get("what", ""),
            folder,
            system=asked.system,
            person=person,
        )

    async def upload(self, request: Request) -> Response:
        """Keep the grades of a file; answers with the name to ask for them by."""
        try:
            same_site(request)
            sent = b""
            async for chunk in request.stream():
                sent += chunk
                if len(sent) > UPLOAD_LIMIT:
                    break
            sources = self._workbench.measuring(self._collection).sources
            return JSONResponse({"file": await self._beside(lambda: sources.upload(sent))})
        except (Refusal, MdrError) as error:
            return refused(error)

    async def start(self, request: Request) -> Response:
        """Begin to measure, or join those who watch it."""
        try:
            same_site(request)
            return JSONResponse(asdict(self._job.start(who(request))))
        except (Refusal, MdrError) as error:
            return refused(error)

    async def progress(self, request: Request) -> Response:
        """How far measuring is."""
        return JSONResponse(asdict(self._job.progress()))

    async def _page(self, html: Callable[[str], str], request: Request) -> Response:
        try:
            return HTMLResponse(await self._beside(lambda: html(request.url.query)))
        except MdrError as error:
            problem, remedy = told(error)
        except Exception:
            _log.exception("a page could not be shown")
            problem, remedy = _("this page could not be shown"), _("try again; the terminal that runs mdr says more")
        values = {"nonce": "", "permalink": "", "problem": problem, "remedy": remedy}
        return HTMLResponse(self._render("error", values))

    async def _beside(self, work: Callable[[], Result]) -> Result:
        if self._limit is None:  # belongs to the server's event loop
            self._limit = anyio.CapacityLimiter(_TOGETHER)
        return await anyio.to_thread.run_sync(work, limiter=self._limit)
