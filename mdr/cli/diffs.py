"""The command that compares two runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType

from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, table
from mdr.core.summary import MACRO
from mdr.errors import MissingError

if TYPE_CHECKING:
    from mdr.services.runs.diff import Gain

Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's name; `mdr status` lists them.")]


def register(app: typer.Typer) -> None:
    """Put this command into the app."""
    add_command(app, diff)


def diff(
    desk: Desk,
    left: Run,
    right: Run,
    system: Annotated[str, typer.Option(help="Whose gain; without: the last that both evaluated.")] = "",
    measure: Annotated[str, typer.Option(help="Measure of the gain; without: the first of both.")] = "",
) -> Report:
    """Say which settings of two runs differ, and what that changed per language."""
    from mdr.services.runs import diff as run_diff

    store = desk.bench.store
    found = run_diff.diff(store, left, right)
    shown: list[RenderableType] = []
    for name, steps in (("the same in both", found.same), (left, found.only_left), (right, found.only_right)):
        if steps:
            shown.append(f"{name}{' alone' if name in (left, right) else ''}: {', '.join(steps)}")
    if found.changes:
        rows = [(its.step, its.what, its.name, _value(its.left), _value(its.right)) for its in found.changes]
        shown += ["", table(rows, "step", "what", "name", left, right)]
    data: dict[str, Any] = {**asdict(found), "gain": None}
    try:
        gain = run_diff.gain(store, left, right, system, measure)
    except MissingError as error:
        if system or measure:
            raise
        shown += ["", f"{error.problem}; {error.remedy}"]
    else:
        data["gain"] = asdict(gain)
        shown += ["", _gains(gain, right)]
    return Report(data, shown)


def _value(value: Any) -> str:
    return "–" if value is None else str(value)


def _gains(gain: Gain, right: str) -> RenderableType:
    cells = {MACRO: (gain.found[MACRO], gain.found[MACRO]["p"])}
    cells |= {lang: (its, its["holm"]) for lang, its in gain.found["languages"].items()}
    rows = [(name, its["mean"], its["low"], its["high"], p) for name, (its, p) in cells.items()]
    title = f"what {right} adds in {gain.measure} of {gain.system}, on {gain.found['queries']:,} questions"
    return table(rows, "language", "gain", "low", "high", "p", title=title)
