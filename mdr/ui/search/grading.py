"""Routes beside Gradio's: grades go straight to the store, passages come straight from the collection.

A grade is saved by one small POST, not by a Gradio event, because people grade faster than events return. Each
carries an id made by the browser, so a retry counts once; when it is answered, the grade is on disk.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mdr.core.permissions import Person
from mdr.errors import MdrError, MissingError
from mdr.services.judging.service import GRADES
from mdr.services.search.service import ENGINES, MOST
from mdr.ui.door.visitors import known
from mdr.ui.parts.render import Renderer
from mdr.ui.parts.requests import Refusal, posted, refused
from mdr.workbench import Workbench


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


class Routes:
    """The routes over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render

    def routes(self) -> list[Route]:
        """For the web server."""
        return [
            Route("/mdr/grade", self.grade, methods=["POST"]),
            Route("/mdr/passage", self.passage, methods=["GET"]),
        ]

    async def grade(self, request: Request) -> Response:
        """Save one grade. 200 means that it is on disk."""
        try:
            sent = await posted(request, GradePosted)
            await run_in_threadpool(self._save, sent, known(request))
        except (Refusal, MdrError) as error:
            return refused(error)
        return JSONResponse({"event": sent.event, "grade": sent.grade})

    async def passage(self, request: Request) -> Response:
        """One whole passage as a piece of HTML."""
        try:
            found = await run_in_threadpool(self._searcher().collection.passage, request.query_params.get("id", ""))
        except MdrError as error:
            return refused(error)
        return HTMLResponse(self._render("passage", {"passage": found, "limit": len(found.text)}))

    def _searcher(self) -> Any:
        return self._workbench.searcher(self._collection)

    def _save(self, sent: GradePosted, person: Person) -> None:
        if sent.collection != self._collection:
            raise MissingError(f"there is no collection {sent.collection!r} here", f"this is {self._collection!r}")
        searcher = self._searcher()
        query, _ = searcher.recognise(sent.query)
        self._workbench.judging.acting(person).grade(
            person.name,
            self._collection,
            query,
            searcher.collection.passage(sent.passage),
            sent.grade,
            rank=sent.rank,
            engine=sent.engine,
            event=sent.event,
        )


assert set(ENGINES) == {"hybrid", "dense", "bm25"}  # as GradePosted has them
