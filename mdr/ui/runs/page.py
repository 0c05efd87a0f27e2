"""The page "Runs": recipes, what they would do, how they go on, and what they made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import gradio as gr

from mdr.errors import MdrError
from mdr.services.runs.diff import diff, gain
from mdr.services.runs.jobs import Job
from mdr.services.runs.journal import StepLog
from mdr.ui.compare.page import frame
from mdr.ui.door.visitors import who
from mdr.ui.parts.programs import answering
from mdr.ui.parts.render import Renderer
from mdr.ui.words.catalogue import N_
from mdr.workbench import Workbench


class RunsPage:
    """The page; what it shows comes from `routes`."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._render = workbench, render

    def build(self) -> None:
        """The frame and the typed functions; called inside a Gradio page."""
        frame(self._render, "runs", N_("Runs"))
        for function in (self.runs(), self.start(), self.watch(), self.cancel(), self.diff()):
            gr.api(function, api_name=function.__name__)

    # -- for programs -------------------------------------------------------------------------------------

    def runs(self) -> Callable[[], dict[str, Any]]:
        """What there is, as a typed function for REST and MCP."""

        def runs() -> dict[str, Any]:
            """List recipes that can be run, jobs that were started here with their state, and what was made."""
            its = self._workbench.runs
            return {
                "recipes": [{"id": each.id, "about": each.about, "command": each.command} for each in its.recipes()],
                "jobs": [_job(job) for job in its.jobs.all()],
                "made": {run.name: {made.step: made.key for made in run.steps} for run in its.named()},
            }

        return runs

    def start(self) -> Callable[..., dict[str, Any]]:
        """A recipe put into the queue, as a typed function for REST and MCP."""

        def run_start(recipe: str, request: gr.Request) -> dict[str, Any]:
            """Start a recipe: it waits for its turn, and what is there already is reused.

            Args:
                recipe: Id of a recipe, as `runs` lists them, such as "mine-sample" or "lestm".
            """
            with answering(self._workbench.settings):
                return _job(self._workbench.runs.start(who(request), recipe))

        return run_start

    def watch(self) -> Callable[[str], dict[str, Any]]:
        """How far a job is, as a typed function for REST and MCP."""

        def run_watch(job: str) -> dict[str, Any]:
            """Say how far a job is: the state of each step, how much of it is done, and the last of each loss.

            Args:
                job: Id of a job, as `run_start` gave it or `runs` lists them.
            """
            with answering(self._workbench.settings):
                its = self._workbench.runs
                found = its.jobs.get(job)
                said = {"problem": found.journal.problem, "remedy": found.journal.remedy}
                return {**_job(found), **said, "steps": [_step(step) for step in its.steps(found)]}

        return run_watch

    def cancel(self) -> Callable[..., dict[str, Any]]:
        """A job ended, as a typed function for REST and MCP."""

        def run_cancel(job: str, request: gr.Request) -> dict[str, Any]:
            """Take a job out of the queue, or end it; what it finished is kept, and starting its recipe again goes on.

            Args:
                job: Id of a job, as `run_start` gave it or `runs` lists them.
            """
            with answering(self._workbench.settings):
                return _job(self._workbench.runs.stop(who(request), job))

        return run_cancel

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
            with answering(self._workbench.settings):
                store = self._workbench.store
                found = asdict(diff(store, left, right))
            try:
                return {**found, "gain": asdict(gain(store, left, right, system, measure)), "no_gain": ""}
            except MdrError as error:
                return {**found, "gain": None, "no_gain": error.problem}

        return run_diff


def _job(job: Job) -> dict[str, Any]:
    return {"id": job.id, "name": job.name, "recipe": job.recipe, "state": job.state, "asked": job.asked}


def _step(step: StepLog) -> dict[str, Any]:
    last = {name: curve.points[-1][1] for name, curve in step.curves.items() if curve.points}
    told = {"done": step.done, "total": step.total, "unit": step.unit, "message": step.message}
    return {"name": step.name, "state": step.state, **told, "seconds": step.seconds, "last": last}
