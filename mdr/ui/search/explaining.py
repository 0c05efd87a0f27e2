"""Routes of the search page that explain one passage, each a piece of HTML that the page asks for when it is wanted:
the words that go together, the same in another language, what a generator thinks, and what the visitor judged before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mdr.core.alignment import Link, Span
from mdr.errors import MdrError
from mdr.services.judging.service import GRADES
from mdr.services.search.explain import ExplainService
from mdr.types import Passage, Query
from mdr.ui.door.visitors import who
from mdr.ui.parts.render import Renderer
from mdr.ui.parts.requests import refused
from mdr.ui.words.catalogue import N_, _
from mdr.workbench import Workbench

KINDS: Mapping[str, str] = {
    "number": N_("the same number"),
    "word": N_("the same word"),
    "meaning": N_("close in meaning"),
}


class Part(NamedTuple):
    """A stretch of text; the numbers of the link that it belongs to, 0 where it belongs to none."""

    text: str
    link: int = 0


def parts(text: str, spans: Mapping[Span, int], start: int = 0, end: int | None = None) -> list[Part]:
    """`text[start:end]` cut into what is linked and what is not; spans do not overlap.

    >>> parts("the Nile flows", {(4, 8): 1})
    [Part(text='the ', link=0), Part(text='Nile', link=1), Part(text=' flows', link=0)]
    """
    end = len(text) if end is None else end
    inside = {span: link for span, link in spans.items() if start <= span[0] and span[1] <= end}
    cuts = sorted({start, end, *(place for span in inside for place in span)})
    return [Part(text[left:right], inside.get((left, right), 0)) for left, right in pairwise(cuts)]


class Explaining:
    """The routes over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render

    def routes(self) -> list[Route]:
        """For the web server."""
        pieces = {"why": self.why, "reading": self.reading, "likelihood": self.likelihood, "example": self.example}
        return [Route(f"/mdr/{name}", self._route(piece), methods=["GET"]) for name, piece in pieces.items()]

    def _route(self, piece: Callable[[ExplainService, Request], str]) -> Callable[[Request], Any]:
        async def route(request: Request) -> Response:
            def found() -> str:
                model = request.query_params.get("model", "")
                return piece(self._workbench.explainer(self._collection, model), request)

            try:
                return HTMLResponse(await run_in_threadpool(found))
            except MdrError as error:
                return refused(error)

        return route

    def why(self, explain: ExplainService, request: Request) -> str:
        """Question and passage, with the words that go together numbered alike."""
        return self.shown(explain, *self._pair(request))

    def shown(self, explain: ExplainService, query: Query, passage: Passage) -> str:
        """The same, for a page that knows both."""
        alignment = explain.alignment(query, passage)
        begin = len(passage.full_text) - len(passage.text)
        told = _spans(alignment.links, "passage")
        values = {
            "query": query,
            "passage": passage,
            "asked": parts(query.text, _spans(alignment.links, "query")),
            "title": parts(alignment.text, told, 0, max(begin - 1, 0)) if passage.title else [],
            "said": parts(alignment.text, told, min(begin, len(alignment.text))),
            "cut": len(passage.full_text) - len(alignment.text),
            "links": [_told(link, alignment.text) for link in alignment.links],
            "trouble": alignment.trouble,
        }
        return self._render("why", values)

    def reading(self, explain: ExplainService, request: Request) -> str:
        """The passage in another language, or the nearest there."""
        passage = self._passage(request)
        found = explain.reading(passage, request.query_params.get("lang", ""))
        return self._render("reading", {"passage": found.passage, "same": found.same})

    def likelihood(self, explain: ExplainService, request: Request) -> str:
        """What a generator thinks of the pair; empty where there is none."""
        query, passage = self._pair(request)
        found = explain.likelihood(query, passage)
        return self._render("likelihood", {"found": found, "lang": passage.lang}) if found else ""

    def example(self, explain: ExplainService, request: Request) -> str:
        """The nearest thing that the visitor judged; empty where there is none."""
        query, passage = self._pair(request)
        found = explain.example(query, passage, who(request).name)
        return self._render("example", {"found": found, "grades": GRADES}) if found else ""

    def _pair(self, request: Request) -> tuple[Query, Passage]:
        query, _ = self._workbench.searcher(self._collection).recognise(request.query_params.get("query", ""))
        return query, self._passage(request)

    def _passage(self, request: Request) -> Passage:
        searcher = self._workbench.searcher(self._collection)
        return searcher.collection.passage(request.query_params.get("passage", ""))


def _spans(links: Sequence[Link], side: str) -> dict[Span, int]:
    return {span: number for number, link in enumerate(links, 1) for span in getattr(link, side)}


def _told(link: Link, text: str) -> str:
    """A link in words, for those who hear it."""
    found = dict.fromkeys(text[start:end] for start, end in link.passage)
    said = _(KINDS[link.kind]) + (f"{_(', ')}{link.similarity:.2f}" if link.kind == "meaning" else "")
    return _("%(words)s: %(kind)s", words=_(", ").join(found), kind=said)
