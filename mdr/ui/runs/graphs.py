"""Figures of steps: what is made from what, in a plan, a job and a finished run; and how training went on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from mdr.pipeline import Recipe, Step
from mdr.services.runs.journal import StepLog
from mdr.services.runs.service import NamedRun, PlannedStep
from mdr.ui.parts.graphs import Edge, Node, Points, curves, graph
from mdr.ui.words.catalogue import N_, _

_NAME = "artefact-graph"
_TITLE = N_("what is made from what")


def plan_graph(steps: Sequence[Step], planned: Sequence[PlannedStep], states: Mapping[str, str]) -> Markup:
    """What running a recipe would do."""
    nodes = [Node(its.step, its.step, _(states[its.state]), its.state) for its in planned]
    return graph(_NAME, _(_TITLE), nodes, _edges(steps))


def journal_graph(recipe: Recipe | None, steps: Sequence[StepLog], states: Mapping[str, str]) -> Markup:
    """How far a job is."""
    nodes = [Node(step.name, step.name, _far(step, states), step.state) for step in steps]
    return graph(_NAME, _(_TITLE), nodes, _edges(recipe.steps if recipe else ()))


def _far(step: StepLog, states: Mapping[str, str]) -> str:
    if step.state == "making" and step.total:
        return f"{100 * step.done // step.total} %"
    return _(states[step.state])


def made_graph(run: NamedRun) -> Markup:
    """What a run made. Artefacts from outside of the run, given to it, have no box."""
    keys = {its.key: its.step for its in run.steps}
    nodes, edges = [], []
    for its in run.steps:
        if its.artefact is None:
            nodes.append(Node(its.step, its.step, _("cannot be read"), "lost"))
            continue
        nodes.append(Node(its.step, its.step, _("%(n)s s", n=f"{its.artefact.manifest.seconds:,.1f}"), "made"))
        for reference in its.artefact.manifest.inputs.values():
            if start := keys.get(f"{reference['kind']}/{reference['recipe']}"):
                edges.append(Edge(start, its.step))
    return graph(_NAME, _(_TITLE), _forward(nodes, edges), edges)


def _forward(nodes: Sequence[Node], edges: Sequence[Edge]) -> list[Node]:
    """In an order in which arrows lead forward; names in a run's file come in any."""
    placed: list[Node] = []
    waiting = list(nodes)
    while waiting:
        there = {node.id for node in placed}
        ready = [
            node for node in waiting if all(edge.start in there for edge in edges if edge.end == node.id)
        ] or waiting
        placed += ready
        waiting = [node for node in waiting if node not in ready]
    return placed


def _edges(steps: Sequence[Step]) -> list[Edge]:
    return [Edge(start, step.name) for step in steps for start in dict.fromkeys(step.inputs.values())]


class Plot(NamedTuple):
    """A figure and the curves in it."""

    figure: Markup
    curves: Mapping[str, Points]


def plots_of(name: str, step: str, found: Mapping[str, Points]) -> list[Plot]:
    """Losses in one figure; the dev measure, of which more is better, in another."""
    losses = {part: points for part, points in found.items() if part != "dev"}
    if len(losses) == 2:  # a single objective is all of the loss
        losses.pop("loss", None)
    groups = (
        (losses, _("losses of %(step)s", step=step)),
        ({part: its for part, its in found.items() if part == "dev"}, _("dev measure of %(step)s", step=step)),
    )
    return [
        Plot(curves(f"{name}-{number}", what, _("step"), its), its)
        for number, (its, what) in enumerate(groups)
        if its
    ]
