"""Commands over the methods: list them, write their recipes, and make their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markdown import Markdown

from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, lasting, size, table
from mdr.errors import InputError

if TYPE_CHECKING:
    from mdr.pipeline import Recipe
    from mdr.recipes.page import Scale as Sized

Scale = Annotated[str, typer.Option(help="demo, small or full; see docs/recipes.md.")]
Data = Annotated[Path | None, typer.Option(help="Where the scale's material lies; the demo has its own.")]


def register(app: typer.Typer) -> None:
    """Put these commands into the app."""
    for work in (methods, reproduce):
        add_command(app, work)


def methods(desk: Desk) -> Report:
    """List the methods with their variants."""
    from mdr.recipes.methods import METHODS

    rows = [(name, its.title, ", ".join(its.variants)) for name, its in METHODS.items()]
    data = {name: {"title": its.title, "variants": list(its.variants)} for name, its in METHODS.items()}
    return Report(data, [table(rows, "method", "what it does", "variants")])


def reproduce(
    desk: Desk,
    method: Annotated[str, typer.Argument(help="lestm, umr, quick or language-agnostic.")],
    scale: Scale = "demo",
    data: Data = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="How many times, each with another seed.")] = 3,
    variant: Annotated[list[str] | None, typer.Option(help="A variant to run beside the method; or all.")] = None,
    measure: Annotated[str, typer.Option(help="The measure to show; the first of the evaluation by default.")] = "",
    against: Annotated[str, typer.Option(help="What gains are over: VARIANT/STEP as in the table, or a step.")] = "",
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done, in about how long.")] = False,
    on: Annotated[str, typer.Option(help="What the plan is to run on: cpu, l4, a100 or h100.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Also write the table to this Markdown file.")] = None,
) -> Report:
    """Run a method with its variants over several seeds, and show what each part is worth."""
    from mdr.recipes import scales
    from mdr.services.runs import reproduction

    folder = _folder(desk, scale, data)
    recipes = list(reproduction.recipes(method, scale, folder, seeds=range(seeds), variants=variant or ()))
    against = against or reproduction.BEFORE
    reproduction.check_against(method, scales.scale(scale, folder), against)
    if plan:
        return _plan(desk, recipes, scales.scale(scale, folder), on)
    desk.watch(reproduction.carry_out(desk.bench, recipes))
    found = reproduction.rows(desk.bench.store, method, scale, measure, against)
    shown = reproduction.markdown(method, scale, found, against)
    if out:
        out.write_text(shown, encoding="utf-8")
    return Report([row.__dict__ for row in found], [Markdown(shown)])


def _folder(desk: Desk, scale: str, data: Path | None) -> Path:
    if data is None and scale != "demo":
        raise InputError(f"scale {scale} needs material", "name its folder with --data")
    return data or desk.settings.sample


def _plan(desk: Desk, recipes: Sequence[tuple[str, Recipe]], sized: Sized, on: str) -> Report:
    from mdr.services.runs.estimates import DEVICES
    from mdr.services.runs.reproduction import planned

    if on not in DEVICES:
        raise InputError(f"there are no estimates for {on!r}", f"there are some for {', '.join(DEVICES)}")
    found = list(planned(desk.bench.store, desk.bench, recipes, sized, DEVICES[on]))
    rows = [
        (*each[:4], each.cost.what, lasting(each.cost.seconds), size(int(each.cost.memory)))
        if each.cost
        else (*each[:4], "", "", "")
        for each in found
    ]
    costs = [each.cost for each in found if each.cost]
    seconds, most = sum(cost.seconds for cost in costs), max((cost.memory for cost in costs), default=0.0)
    data = {
        "steps": [
            each._asdict() | {"cost": {"seconds": each.cost.seconds, "memory": each.cost.memory} if each.cost else None}
            for each in found
        ],
        "device": DEVICES[on].name,
        "seconds": seconds,
        "memory": most,
    }
    said = (
        f"about {lasting(seconds)} on {DEVICES[on].name}, and {size(int(most))} of memory at the height; "
        "a rough estimate"
    )
    return Report(data, [table(rows, "run", "step", "stage", "state", "over", "about", "memory"), said])
