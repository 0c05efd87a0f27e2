"""Commands over the methods: list them, write their recipes, and make their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markdown import Markdown

from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, table
from mdr.errors import InputError

if TYPE_CHECKING:
    from mdr.pipeline import Recipe

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
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the table to this Markdown file.")] = None,
) -> Report:
    """Run a method with its variants over several seeds, and show what each part is worth."""
    from mdr.services import reproduction

    folder = _folder(desk, scale, data)
    recipes = list(reproduction.recipes(method, scale, folder, seeds=range(seeds), variants=variant or ()))
    if plan:
        return _plan(desk, recipes)
    desk.watch(reproduction.carry_out(desk.bench, recipes))
    found = reproduction.rows(desk.bench.store, method, scale, measure)
    shown = reproduction.markdown(method, scale, found)
    if out:
        out.write_text(shown, encoding="utf-8")
    return Report([row.__dict__ for row in found], [Markdown(shown)])


def _folder(desk: Desk, scale: str, data: Path | None) -> Path:
    if data is None and scale != "demo":
        raise InputError(f"scale {scale} needs material", "name its folder with --data")
    return data or desk.settings.sample


def _plan(desk: Desk, recipes: Sequence[tuple[str, Recipe]]) -> Report:
    from mdr import pipeline

    rows: list[tuple[str, ...]] = []
    for name, recipe in recipes:
        for each in pipeline.plan(recipe, desk.bench.store, desk.bench):
            rows.append((name, each.step.name, each.step.stage, each.state))
    return Report(
        [dict(zip(("run", "step", "stage", "state"), row, strict=True)) for row in rows],
        [table(rows, "run", "step", "stage", "state")],
    )
