"""The page "Search": a question in any language, passages in every language, and why each was found.

Every state of the page is a link: what was asked is written into the address, and examples, ways out of an empty
answer and the browser's back button all lead to such an address and are restored the same way. Only what languages the
visitor reads is not in the address: the browser keeps it, and sends it with every question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from mdr.services.search.service import Answer, SearchService, Side
from mdr.ui.door.visitors import who
from mdr.ui.parts.programs import answering
from mdr.ui.parts.render import Renderer, tongue
from mdr.ui.search.address import COUNTS, QUOTAS, SEARCH_BY, Ask, systems
from mdr.ui.search.answers import Answers
from mdr.ui.shell import i18n, menu, shell
from mdr.ui.words.catalogue import _
from mdr.workbench import Workbench


class SearchPage:
    """The page over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render
        self._answers = Answers(workbench, collection, render)

    @property
    def _searcher(self) -> SearchService:
        return self._workbench.searcher(self._collection)

    @property
    def _models(self) -> list[str]:
        """Whose indexes there are now: a run may have made another since the page was built."""
        return list(self._workbench.models(self._collection))

    # -- the page -----------------------------------------------------------------------------------------

    def build(self) -> None:
        """Components and what they do; called inside a Gradio page."""
        asking = self._asking()
        options = self._options()
        tools = {"languages": self._searcher.languages}
        shell(lambda: self._render("search_tools", tools), elem_id="tools")
        reads = gr.Textbox(visible=False)  # what the browser keeps; its script puts it in
        answer = shell(
            self._answers.welcome,
            elem_id="answer",
            js_on_load="mdr.mounted(element, given => trigger('restore', given))",
        )
        query, ask = asking
        inputs = [query, *options]
        events: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        asked = gr.on(
            [query.submit, ask.click, *(field.input for field in options)],
            self._asked,
            [*inputs, reads],
            answer,
            trigger_mode="always_last",
            js="mdr.asked",
            **events,
        )
        restored = answer.restore(self._restored, None, [*inputs, answer], trigger_mode="always_last", **events)
        asked.success(None, js="mdr.answered")
        restored.success(None, js="mdr.restored")
        for event in (asked, restored):
            event.failure(None, js="mdr.failed")
        gr.api(self.api(), api_name="search")

    def _asking(self) -> tuple[gr.Textbox, gr.Button]:
        with gr.Row(elem_id="ask", equal_height=True):
            query = gr.Textbox(
                label=i18n("Your question, in any language"),
                show_label=False,
                placeholder=i18n("Ask in any language"),
                elem_id="query",
                lines=1,
                max_lines=1,
                container=False,
                scale=8,
                html_attributes=gr.InputHTMLAttributes(
                    autocapitalize="off", autocorrect="off", spellcheck=False, enterkeyhint="search"
                ),
            )
            ask = gr.Button(i18n("Search"), variant="primary", elem_id="go", scale=1, min_width=110)
        return query, ask

    def _options(self) -> list[Any]:
        """In the order of `_ask`."""
        usual, models = Ask(), self._models
        with gr.Row(elem_id="options"):
            engine = _segmented(i18n("Search by"), _said(SEARCH_BY), usual.engine)
            count = _segmented(i18n("Passages"), {count: str(count) for count in COUNTS}, usual.count)
            quota = _segmented(i18n("Per language"), _said(QUOTAS), usual.quota)
            model = _menu(i18n("Model"), lambda: _model_choices(models), usual.model, visible=len(models) > 1)
            beside = _menu(i18n("Compare with"), lambda: _beside_choices(models), usual.beside)
        langs = gr.CheckboxGroup(
            [(tongue(lang).native, lang) for lang in self._searcher.languages],
            label=i18n("Passages in (none chosen: all)"),
            elem_id="langs",
            elem_classes="chips",
        )
        return [engine, langs, count, quota, model, beside]

    # -- what happens -------------------------------------------------------------------------------------

    def _asked(
        self,
        request: gr.Request,
        query: str,
        engine: str,
        langs: list[str],
        count: int,
        quota: int,
        model: str,
        beside: str,
        reads: str,
    ) -> str:
        ask = Ask(query or "", engine, tuple(langs or ()), count, quota, model, beside)
        return self._answers.answer(ask, who(request).name, _codes(reads))

    def _restored(self, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        given = event._data if isinstance(event._data, dict) else {}
        address, models = given.get("address"), self._models
        ask = Ask.from_address(address if isinstance(address, str) else "", self._searcher.languages, models)
        menus = (
            gr.Dropdown(choices=_model_choices(models), value=ask.model, visible=len(models) > 1),
            gr.Dropdown(choices=_beside_choices(models), value=ask.beside),
        )
        fields = (ask.query, ask.engine, list(ask.langs), ask.count, ask.quota, *menus)
        return (*fields, self._answers.answer(ask, who(request).name, _codes(given.get("reads"))))

    # -- for programs -------------------------------------------------------------------------------------

    def api(self) -> Callable[..., dict[str, Any]]:
        """Search as a typed function, for REST and MCP."""

        def search(
            query: str,
            engine: str = "hybrid",
            k: int = 10,
            langs: list[str] | None = None,
            quota: int = 0,
            model: str = "",
        ) -> dict[str, Any]:
            """Find passages that answer a question asked in any language.

            Args:
                query: A question or a few words, in any language.
                engine: "hybrid" (words and meaning together), "dense" (meaning) or "bm25" (words).
                k: How many passages, 1 to 100.
                langs: Codes of the languages that passages may be in; all if empty.
                quota: At most so many passages of one language; 0 for any number.
                model: The run whose trained model gives the meaning; empty for the usual one.
            """
            with answering(self._workbench.settings):
                searcher = self._workbench.searcher(self._collection, model)
                return as_data(searcher.search(query, engine=engine, k=k, langs=langs or (), quota=quota))

        return search


def _said(choices: Mapping[Any, str]) -> dict[Any, I18nData]:
    return {choice: i18n(label) for choice, label in choices.items()}


def _segmented(label: I18nData, choices: dict[Any, Any], value: Any) -> gr.Radio:
    named = [(name, choice) for choice, name in choices.items()]
    return gr.Radio(named, value=value, label=label, elem_classes="segmented")


def _menu(
    label: I18nData, choose: Callable[[], list[tuple[str, str]]], value: str, visible: bool = True
) -> gr.Dropdown:
    return menu(
        choose, value=value, label=label, visible=visible, filterable=False, min_width=190, elem_classes="menu"
    )


def _model_choices(models: Sequence[str]) -> list[tuple[str, str]]:
    return [(model or _("the usual one"), model) for model in models]


def _beside_choices(models: Sequence[str]) -> list[tuple[str, str]]:
    return [(_("nothing"), ""), *((system.label, system.code) for system in systems(models))]


def _codes(sent: Any) -> list[str]:
    """Languages as the browser sends them; the sender may be anybody."""
    return sent[:500].split(",") if isinstance(sent, str) and sent else []


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
                "lexical": _side(found.lexical),
                "dense": _side(found.dense),
                "fused": _side(found.fused),
                "terms": [term._asdict() for term in found.terms],
            }
            for found in answer.found
        ],
    }


def _side(side: Side | None) -> dict[str, float] | None:
    if side is None:
        return None
    return {"rank": side.rank, "score": side.score} | ({} if side.share is None else {"share": side.share})
