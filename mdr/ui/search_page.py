"""The page "Search": a question in any language, passages in every language, and why each was found.

Every state of the page is a link: what was asked is written into the address, and examples, ways out of an empty
answer and the browser's back button all lead to such an address and are restored the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any
from uuid import uuid4

import gradio as gr

from mdr.errors import MdrError
from mdr.services.judging import GRADES
from mdr.services.search import DEPTH, Answer, SearchService
from mdr.types import Query
from mdr.ui import grading
from mdr.ui.address import COUNTS, QUOTAS, SEARCH_BY, Ask
from mdr.ui.examples import examples
from mdr.ui.render import Renderer, tongue
from mdr.workbench import Workbench

_log = logging.getLogger(__name__)


class SearchPage:
    """The page over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render

    @property
    def _searcher(self) -> SearchService:
        return self._workbench.searcher(self._collection)

    # -- the page -----------------------------------------------------------------------------------------

    def build(self) -> None:
        """Components and what they do; called inside a Gradio page."""
        fields = self._fields()
        answer = gr.HTML(
            self.welcome(),
            elem_id="answer",
            js_on_load="mdr.mounted(element, address => trigger('restore', {address}), watch)",
            apply_default_css=False,
        )
        query, ask = fields[0], fields[1]
        inputs = [query, *fields[2:]]
        events: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        asked = gr.on(
            [query.submit, ask.click, *(field.input for field in fields[2:])],
            self._asked,
            inputs,
            answer,
            trigger_mode="always_last",
            js="mdr.asked",
            **events,
        )
        restored = answer.restore(self._restored, None, [*inputs, answer], trigger_mode="always_last", **events)
        for event in (asked, restored):
            event.failure(None, js="mdr.failed")
        gr.api(self.api(), api_name="search")

    def _fields(self) -> list[Any]:
        languages, usual = self._searcher.languages, Ask()
        with gr.Row(elem_id="ask", equal_height=True):
            query = gr.Textbox(
                label="Your question, in any language",
                show_label=False,
                placeholder="Ask in any language",
                elem_id="query",
                lines=1,
                max_lines=1,
                container=False,
                scale=8,
                html_attributes=gr.InputHTMLAttributes(
                    autocapitalize="off", autocorrect="off", spellcheck=False, enterkeyhint="search"
                ),
            )
            ask = gr.Button("Search", variant="primary", elem_id="go", scale=1, min_width=110)
        with gr.Row(elem_id="options"):
            engine = gr.Radio(
                [(label, name) for name, label in SEARCH_BY.items()],
                value=usual.engine,
                label="Search by",
                elem_classes="segmented",
            )
            count = gr.Radio(
                [(str(count), count) for count in COUNTS],
                value=usual.count,
                label="Passages",
                elem_classes="segmented",
            )
            quota = gr.Radio(
                [(label, quota) for quota, label in QUOTAS.items()],
                value=usual.quota,
                label="Per language",
                elem_classes="segmented",
            )
        langs = gr.CheckboxGroup(
            [(tongue(lang).native, lang) for lang in languages],
            label="Passages in (none chosen: all)",
            elem_id="langs",
            elem_classes="chips",
        )
        return [query, ask, engine, langs, count, quota]

    # -- what happens -------------------------------------------------------------------------------------

    def _asked(
        self, request: gr.Request, query: str, engine: str, langs: list[str], count: int, quota: int
    ) -> str:
        return self.answer(Ask(query or "", engine, tuple(langs or ()), count, quota), request.cookies)

    def _restored(self, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        address = event._data.get("address") if isinstance(event._data, dict) else None
        ask = Ask.from_address(address if isinstance(address, str) else "", self._searcher.languages)
        fields = (ask.query, ask.engine, list(ask.langs), ask.count, ask.quota)
        return (*fields, self.answer(ask, request.cookies))

    def answer(self, ask: Ask, cookies: Mapping[str, str]) -> str:
        """The HTML that answers; whatever goes wrong, it says so."""
        if not ask.query.strip():
            return self.welcome()
        try:
            found = self._searcher.search(
                ask.query, engine=ask.engine, k=ask.count, langs=ask.langs, quota=ask.quota
            )
            return self._answer(ask, found, cookies)
        except MdrError as error:
            return self._error(ask, error.problem, error.remedy)
        except Exception:
            _log.exception("a search failed")
            return self._error(ask, "the search failed", "try again; the terminal that runs mdr says more")

    def _answer(self, ask: Ask, answer: Answer, cookies: Mapping[str, str]) -> str:
        mine, trouble = self._mine(answer.query, cookies)
        return self._render(
            "answer",
            {
                "nonce": uuid4().hex,
                "permalink": ask.address(),
                "collection": self._collection,
                "answer": answer,
                "engine": answer.engine,
                "cards": [(found, self._searcher.twins(found.passage)) for found in answer.found],
                "count": len({found.passage.lang for found in answer.found}),
                "depth": DEPTH,
                "grades": GRADES,
                "mine": mine,
                "trouble": trouble,
                "ways_out": _ways_out(ask),
            },
        )

    def _mine(self, query: Query, cookies: Mapping[str, str]) -> tuple[dict[str, int], str]:
        """The visitor's grades for a query; a judgement file that cannot be read must not stop a search."""
        visitor = grading.annotator(cookies)
        try:
            return (self._workbench.judging.grades(visitor, self._collection, query) if visitor else {}), ""
        except MdrError as error:
            return {}, f"Grades cannot be saved now: {error.problem}; {error.remedy}"

    def _error(self, ask: Ask, problem: str, remedy: str) -> str:
        values = {"nonce": uuid4().hex, "permalink": ask.address(), "problem": problem, "remedy": remedy}
        return self._render("error", values)

    def welcome(self) -> str:
        """The HTML before the first question."""
        searcher = self._searcher
        return self._render(
            "welcome",
            {
                "nonce": uuid4().hex,
                "passages": len(searcher.collection),
                "langs": searcher.languages,
                "examples": self._examples,
            },
        )

    @cached_property
    def _examples(self) -> list[tuple[Query, str]]:
        return [(query, Ask(query.text).address()) for query in examples(self._searcher)]

    # -- for programs -------------------------------------------------------------------------------------

    def api(self) -> Callable[..., dict[str, Any]]:
        """Search as a typed function, for REST and MCP."""

        def search(
            query: str, engine: str = "hybrid", k: int = 10, langs: list[str] | None = None, quota: int = 0
        ) -> dict[str, Any]:
            """Find passages that answer a question asked in any language.

            Args:
                query: A question or a few words, in any language.
                engine: "hybrid" (words and meaning together), "dense" (meaning) or "bm25" (words).
                k: How many passages, 1 to 100.
                langs: Codes of the languages that passages may be in; all if empty.
                quota: At most so many passages of one language; 0 for any number.
            """
            try:
                return as_data(self._searcher.search(query, engine=engine, k=k, langs=langs or (), quota=quota))
            except MdrError as error:
                raise gr.Error(str(error)) from error

        return search


def as_data(answer: Answer) -> dict[str, Any]:
    """An answer as plain values."""
    return {
        "query": answer.query._asdict(),
        "language": answer.guess._asdict(),
        "engine": answer.engine,
        "milliseconds": round(answer.milliseconds, 2),
        "fingerprints": dict(answer.fingerprints),
        "found": [
            {
                "rank": found.rank,
                "score": found.score,
                **found.passage._asdict(),
                "lexical": found.lexical and {"rank": found.lexical.rank, "score": found.lexical.score},
                "dense": found.dense and {"rank": found.dense.rank, "score": found.dense.score},
                "terms": [term._asdict() for term in found.terms],
            }
            for found in answer.found
        ],
    }


def _ways_out(ask: Ask) -> list[tuple[str, str]]:
    """Links that widen a search which found nothing."""
    ways = []
    if ask.langs:
        ways.append((replace(ask, langs=()).address(), "Search passages in all languages"))
    if ask.engine != "dense":
        ways.append((replace(ask, engine="dense").address(), "Search by meaning: it needs no word in common"))
    ways.append(("?", "Start again with an example"))
    return ways
