"""The page "Runs": recipes, what they would do, how they go on, and what they made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import gradio as gr

from mdr.errors import MdrError
from mdr.services.run_diff import diff, gain
from mdr.ui.compare_page import frame
from mdr.ui.programs import answering
from mdr.ui.render import Renderer
from mdr.workbench import Workbench


class RunsPage:
    """The page; what it shows comes from `runs_routes`."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._render = workbench, render

    def build(self) -> None:
        """The frame and the typed functions; called inside a Gradio page."""
        frame(self._render, "runs", "Runs")
        for function in (self.runs(), self.diff()):
            gr.api(function, api_name=function.__name__)

    # -- for programs -------------------------------------------------------------------------------------

    def runs(self) -> Callable[[], dict[str, Any]]:
        """What there is, as a typed function for REST and MCP."""

        def runs() -> dict[str, Any]:
            """List recipes that can be run, jobs that were started here with their state, and what was made."""
            its = self._workbench.runs
            return {
                "recipes": [{"id": each.id, "about": each.about, "command": each.command} for each in its.recipes()],
                "jobs": [
                    {"id": job.id, "name": job.name, "recipe": job.recipe, "state": job.state, "asked": job.asked}
                    for job in its.jobs.all()
                ],
                "made": {run.name: {made.step: made.key for made in run.steps} for run in its.named()},
            }

        return runs

    def diff(self) -> Callable[..., dict[str, Any]]:
        """Two runs compared, as a typed function for REST and MCP."""

        def run_diff(left: str, right: str, system: str = "", measure: str = "") -> dict[str, Any]:
            """Compare two named runs: settings that differ, and what that changed per language.

            Args:
                left: Name of a run.
                right: Name of another.
                system: System whose gain is wanted, such as "dense"; empty: the last that both evaluations know.
                measure: Measure of the gain, such as "MRR@100"; empty: the first that both know.
            """
            store = self._workbench.store
            with answering(self._workbench.settings):
                found = asdict(diff(store, left, right))
            try:
                return {**found, "gain": asdict(gain(store, left, right, system, measure)), "no_gain": ""}
            except MdrError as error:
                return {**found, "gain": None, "no_gain": error.problem}

        return run_diff
