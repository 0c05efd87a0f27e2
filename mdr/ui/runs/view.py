"""What the page "Runs" shows for an address: everything, a plan, a job as it goes on, a run, or two runs compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any, NamedTuple
from urllib.parse import urlencode

from mdr.core.permissions import Person
from mdr.core.summary import MACRO
from mdr.errors import MdrError
from mdr.services.evaluation import tables as evaluations
from mdr.services.runs.diff import RunDiff, diff, flat, gain
from mdr.services.runs.jobs import ACTIVE, Job
from mdr.services.runs.service import Made, NamedRun, PlannedStep, Runs
from mdr.storage.pairs import PAIRS
from mdr.ui.parts.render import Renderer, tongue
from mdr.ui.runs.graphs import Plot, journal_graph, made_graph, plan_graph, plots_of
from mdr.ui.words.catalogue import N_, _, many
from mdr.ui.words.troubles import told
from mdr.workbench import Workbench

JOB_STATES: Mapping[str, str] = {
    "queued": N_("Waiting."),
    "running": N_("Running."),
    "done": N_("Done."),
    "failed": N_("Failed."),
    "stopped": N_("Stopped."),
    "interrupted": N_("Cut off."),
}
STEP_STATES: Mapping[str, str] = {
    "waiting": N_("waits"),
    "making": N_("being made"),
    "made": N_("made"),
    "reused": N_("was there, reused"),
    "reuse": N_("is there, would be reused"),
    "make": N_("would be made"),
    "waits": N_("depends on the steps before it"),
}
SHORT_STATES: Mapping[str, str] = {**STEP_STATES, "reused": N_("reused"), "reuse": N_("is there")}
"""The same for a small box."""
WHATS: Mapping[str, str] = {
    "stage": N_("the"),
    "setting": N_("setting"),
    "fingerprint": N_("weights or rules of"),
    "input": N_("content of"),
}
_LISTED = 8
"""Jobs on the overview."""


class StepShown(NamedTuple):
    """A step of a named run with what can be shown of it."""

    made: Made
    holds: str
    pairs: bool
    settings: Mapping[str, Any]
    plots: Sequence[Plot]
    table: evaluations.Table | None


class RunsView:
    """Addresses to HTML, over one workbench."""

    def __init__(self, workbench: Workbench, render: Renderer) -> None:
        self._workbench, self._render = workbench, render

    @property
    def _runs(self) -> Runs:
        return self._workbench.runs

    def html(self, asked: Mapping[str, str], person: Person) -> str:
        """What an address shows."""
        if id := asked.get("job"):
            return self._job(id, person)
        if id := asked.get("recipe"):
            return self._recipe(id, person)
        if name := asked.get("run"):
            return self._run(name)
        if (left := asked.get("left")) and (right := asked.get("right")):
            return self._diff(left, right, asked.get("system", ""), asked.get("measure", ""))
        return self._overview(person)

    def live(self, job: str) -> str:
        """A job's steps as they are now; without one, all jobs in short."""
        return self._steps(self._runs.jobs.get(job)) if job else self._jobs(self._runs.jobs.all()[:_LISTED])

    # -- everything ---------------------------------------------------------------------------------------

    def _overview(self, person: Person) -> str:
        jobs = self._runs.jobs.all()[:_LISTED]
        return self._render(
            "runs_overview",
            {
                **self._may(person),
                "jobs": jobs,
                "live": _markup(self._jobs(jobs)),
                "recipes": self._runs.recipes(),
                "named": self._runs.named(),
                "own": self._workbench.settings.home.name + "/recipes",
            },
        )

    def _jobs(self, jobs: Sequence[Job]) -> str:
        active = any(job.state in ACTIVE for job in jobs)
        states = " ".join(job.state for job in jobs)
        return self._render("runs_live", {"jobs": jobs, "active": active, "states": states, "words": JOB_STATES})

    def _may(self, person: Person) -> dict[str, Any]:
        off = self._workbench.settings.may_run == "off"
        why = _("Starting runs is switched off here.")
        if not off:
            why = _("Only those who look after this server may start runs.")
        why_not = why + " " + _("The command below does it elsewhere.")
        return {"may_start": self._runs.may_start(person), "why_not": why_not}

    # -- recipes and jobs ---------------------------------------------------------------------------------

    def _recipe(self, id: str, person: Person) -> str:
        recipe = self._runs.recipe(id)
        planned = self._runs.plan(id)
        steps = recipe.recipe.steps if recipe.recipe else ()
        return self._render(
            "runs_recipe",
            {
                **self._may(person),
                "recipe": recipe,
                "said": _planned(planned),
                "graph": plan_graph(steps, planned, SHORT_STATES),
                "steps": list(zip(planned, steps, strict=True)),
                "states": STEP_STATES,
            },
        )

    def _job(self, id: str, person: Person) -> str:
        job = self._runs.jobs.get(id)
        recipe = next((each for each in self._runs.recipes() if each.id == job.recipe), None)
        pairs = next((step.key for step in job.journal.steps.values() if step.key.startswith("pairs/")), "")
        return self._render(
            "runs_job",
            {
                **self._may(person),
                "job": job,
                "live": _markup(self._steps(job)),
                "recipe": recipe.id if recipe else "",
                "pairs": pairs.removeprefix("pairs/"),
                "log": job.log if self._runs.may_start(person) else "",
                "line": recipe.command if recipe else f"python -m mdr status {quote(job.name)}",
            },
        )

    def _steps(self, job: Job) -> str:
        steps = self._runs.steps(job)
        plots: dict[str, Sequence[Plot]] = {}
        for number, step in enumerate(steps):
            if found := {name: curve.points for name, curve in step.curves.items() if curve.points}:
                plots[step.name] = plots_of(f"curves-{number}", step.name, found)
        return self._render(
            "runs_steps",
            {
                "job": job,
                "words": JOB_STATES,
                "states": STEP_STATES,
                "graph": journal_graph(self._runs.recipe_of(job), steps, SHORT_STATES),
                "steps": steps,
                "plots": plots,
            },
        )

    # -- what was made ------------------------------------------------------------------------------------

    def _run(self, name: str) -> str:
        run = self._runs.run(name)
        steps = [self._shown(number, made) for number, made in enumerate(run.steps)]
        others = [other.name for other in self._runs.named() if other.name != name]
        return self._render(
            "runs_run",
            {"run": run, "said": _counted(run), "graph": made_graph(run), "steps": steps, "others": others},
        )

    def _shown(self, number: int, made: Made) -> StepShown:
        artefact = made.artefact
        if artefact is None:
            return StepShown(made, "", False, {}, (), None)
        counts = artefact.manifest.counts.items()
        holds = ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in counts if type(value) is int and value)
        plots = plots_of(f"run-curves-{number}", made.step, self._runs.curves(artefact))
        pairs = (artefact.folder / PAIRS).is_file()
        table = None
        if artefact.manifest.kind == "evaluation":
            evaluation = evaluations.load(artefact)
            table = evaluations.table(evaluation, evaluation.measures[0])
        return StepShown(made, holds, pairs, flat(artefact.manifest.settings), plots, table)

    def _diff(self, left: str, right: str, system: str, measure: str) -> str:
        store = self._workbench.store
        found = diff(store, left, right)
        added, why = None, ""
        try:
            added = gain(store, left, right, system, measure)
        except MdrError as error:
            why = _("Not known: %(why)s.", why="; ".join(told(error)))
        gains: list[tuple[str, Any, float | None]] = []
        if added:
            its = added.found
            gains = [(_("mean over languages"), its[MACRO], its[MACRO]["p"])]
            gains += [(tongue(lang).name, cell, cell["holm"]) for lang, cell in its["languages"].items()]
        asked = {"left": left, "right": right, "system": system, "measure": measure}
        permalink = f"?{urlencode({name: value for name, value in asked.items() if value})}"
        values = {"diff": found, "said": _differing(found), "gain": added, "gains": gains, "why": why, "whats": WHATS}
        return self._render("runs_diff", {**values, "permalink": permalink})


def _markup(html: str) -> Any:
    from markupsafe import Markup

    return Markup(html)  # made by a template of ours, which has escaped it


def _planned(planned: Sequence[PlannedStep]) -> str:
    there = sum(step.state == "reuse" for step in planned)
    if there == len(planned):
        return _("Everything is there already: a run would be over at once.")
    return _("%(n)s of %(all)s steps are there already and would be reused.", n=there, all=len(planned))


def _counted(run: NamedRun) -> str:
    seconds = sum(its.artefact.manifest.seconds for its in run.steps if its.artefact)
    return many(
        "%(n)s step; making all of it took %(seconds)s seconds.",
        "%(n)s steps; making all of it took %(seconds)s seconds.",
        len(run.steps),
        seconds=f"{seconds:,.0f}",
    )


def _differing(found: RunDiff) -> str:
    if not found.changes and not found.only_left and not found.only_right:
        return _("They made the very same things.")
    parts = []
    if same := len(found.same):
        parts.append(many("%(n)s step made the very same thing.", "%(n)s steps made the very same thing.", same))
    for name, steps in ((found.left, found.only_left), (found.right, found.only_right)):
        if steps:
            parts.append(_("Only %(name)s has %(steps)s.", name=name, steps=_(", ").join(steps)))
    if found.changes:
        parts.append(many("%(n)s thing differs.", "%(n)s things differ.", len(found.changes)))
    return " ".join(parts)
