"""The page "Compare": two systems on one question, or on all of them.

The page itself is a frame. What it shows is a function of its address, and comes as HTML from a route of our own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from mdr.services.evaluation.comparison_data import many_as_data, one_as_data
from mdr.ui.parts.programs import answering
from mdr.ui.parts.render import Renderer
from mdr.ui.shell import shell
from mdr.ui.words.catalogue import N_
from mdr.workbench import Workbench


class ComparePage:
    """The page over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render

    def build(self) -> None:
        """The frame, and the function for programs; called inside a Gradio page."""
        frame(self._render, "compare", N_("Compare"))
        gr.api(self.api(), api_name="compare")

    def api(self) -> Callable[..., dict[str, Any]]:
        """Comparison as a typed function, for REST and MCP."""

        def compare(
            first: str = "bm25", second: str = "dense", query: str = "", measure: str = "nDCG@10", depth: int = 10
        ) -> dict[str, Any]:
            """Compare two search systems, on one question or on all questions that have grades.

            Args:
                first: "bm25" (words), "dense" (meaning), "hybrid" (both), or one of these with ":" and a run's name.
                second: The other system; differences are those of the second to the first.
                query: A question in any language; empty for all questions that were evaluated.
                measure: How to measure on all questions, such as nDCG@10 or MRR@10.
                depth: How many passages of each system to compare on one question, 1 to 100.
            """
            with answering(self._workbench.settings):
                comparing = self._workbench.comparing(self._collection)
                if query.strip():
                    return one_as_data(comparing.question(first, second, query, depth=depth))
                return many_as_data(comparing.questions(first, second, measure))

        return compare


def frame(render: Renderer, name: str, title: str) -> None:
    """An empty place that fills itself from `mdr/NAME` by its address."""
    shell(
        lambda: render("compare_frame", {"name": name, "title": title}),
        elem_id=name,
        js_on_load=f"mdr.addressed(element, 'mdr/{name}')",
    )
