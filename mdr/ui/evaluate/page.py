"""The page "Evaluate": how good the systems are, by which grades, how sure that is, and the questions behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import gradio as gr

from mdr.services.evaluation.grade_sources import SOURCES, Grading
from mdr.ui.compare.page import frame
from mdr.ui.door.visitors import who
from mdr.ui.parts.programs import answering
from mdr.ui.parts.render import Renderer
from mdr.ui.words.catalogue import N_
from mdr.workbench import Workbench


class EvaluatePage:
    """The page over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render

    def build(self) -> None:
        """The frame, and the function for programs; called inside a Gradio page."""
        frame(self._render, "evaluate", N_("How good is it?"))
        gr.api(self.api(), api_name="evaluate")

    def api(self) -> Callable[..., dict[str, Any]]:
        """What was evaluated, as a typed function, for REST and MCP."""

        def evaluate(
            request: gr.Request,
            measure: str = "nDCG@10",
            grades: str = "collection",
            policy: str = "majority",
            evaluation: str = "",
        ) -> dict[str, Any]:
            """How good the systems of an evaluation are, per language, with 95 % intervals.

            Args:
                measure: Such as nDCG@10, MRR@10 or Recall@100.
                grades: "collection" (its own grades), "judged" (what people judged) or "both".
                policy: How the grades of several judges become one: majority, mean, strictest or adjudicated.
                evaluation: The name of an evaluation; the usual one if empty.
            """
            with answering(self._workbench.settings):
                measuring = self._workbench.measuring(self._collection)
                grading = Grading(source=grades, policy=policy)  # type: ignore[arg-type]  # checked where it is used
                measuring.sources.allow(grading, who(request))
                chosen = measuring.evaluated(evaluation)
                measured = measuring.measured(chosen, measure, grading)
                return {"evaluation": chosen.name, "pool": chosen.pool, **asdict(measured.table)}

        return evaluate


assert SOURCES == ("collection", "judged", "both", "file")  # as the function above tells them
