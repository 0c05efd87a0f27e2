"""The page "Training data": what was mined, written, scored or dropped, and the thread of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import gradio as gr

from mdr.services.training_data.data import row_data, thread_data
from mdr.services.training_data.rows import PairRef
from mdr.storage.pair_browser import PairFilter
from mdr.ui.compare.page import frame
from mdr.ui.parts.programs import answering
from mdr.ui.parts.render import Renderer
from mdr.ui.words.catalogue import N_
from mdr.workbench import Workbench


class TrainingDataPage:
    """The page; what it shows comes from `routes`."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._render = workbench, render

    def build(self) -> None:
        """The frame and the typed functions; called inside a Gradio page."""
        frame(self._render, "training-data", N_("Training data"))
        for function in (self.pairs(), self.thread()):
            gr.api(function, api_name=function.__name__)

    # -- for programs -------------------------------------------------------------------------------------

    def pairs(self) -> Callable[..., dict[str, Any]]:
        """Browsing as a typed function, for REST and MCP."""

        def training_pairs(
            source: str = "",
            table: str = "kept",
            lang: str = "",
            rule: str = "",
            text: str = "",
            passage: str = "",
            order: str = "written",
            page: int = 1,
            size: int = 20,
        ) -> dict[str, Any]:
            """List training pairs that a step mined, wrote or scored, or dropped.

            Args:
                source: Recipe hash of the artefact; empty: the newest.
                table: "kept", "dropped" or "lists".
                lang: Code of the question's language; empty: all.
                rule: What admitted a pair or stood against it; empty: all.
                text: A part of the question.
                passage: Id of a passage that pairs name.
                order: "written", "lowest" or "highest" score first.
                page: Which page, from 1.
                size: Rows of a page, 1 to 100.
            """
            with answering(self._workbench.settings):
                data = self._workbench.training_data
                sources = data.sources()
                if not sources:
                    return {"source": None, "total": 0, "pages": 0, "rows": []}
                chosen = data.source(source) if source else sources[0]
                wanted = PairFilter(lang=lang, rule=rule, text=text, passage=passage)
                found = data.page(chosen, table, wanted, order=order, page=page, size=size)  # type: ignore[arg-type]
            rows = [row_data(row) for row in found.rows]
            return {"source": chosen.key, "total": found.total, "pages": found.pages, "rows": rows}

        return training_pairs

    def thread(self) -> Callable[[str], dict[str, Any]]:
        """A thread as a typed function, for REST and MCP."""

        def training_thread(pair: str) -> dict[str, Any]:
            """Everything that is known of a training pair: what proposed it, what learned from it, its ranks now.

            Args:
                pair: The pair as RECIPE/TABLE/ROW.
            """
            with answering(self._workbench.settings):
                threads = self._workbench.threads
                thread = threads.thread(PairRef.parse(pair))
                return thread_data(thread) | {"now": [asdict(system) for system in threads.ranks(thread)]}

        return training_thread
