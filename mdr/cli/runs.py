"""Commands over runs and what they made: run, plan, status, verify, gc."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mdr.cli.artefacts import made_report, summary
from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, counted, size, table
from mdr.cli.run_events import recording
from mdr.errors import MdrError

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE.toml", help="A recipe file; see assets/recipes.")]


def register(app: typer.Typer) -> None:
    """Put these commands into the app."""
    for work in (run, plan, status, verify, gc):
        add_command(app, work)


def run(
    desk: Desk,
    recipe: RecipeFile,
    name: Annotated[str, typer.Option(help="What to call the run; without: the recipe's own name.")] = "",
    events: Annotated[Path | None, typer.Option(help="Also write what happens to this file, as lines of JSON.")] = None,
) -> Report:
    """Carry a recipe out; what is there already is reused."""
    from mdr.pipeline import recipe_from_file

    with recording(events) as recorded:
        read = recipe_from_file(recipe)
        name = name or read.name
        return made_report(name, desk.watch(recorded(desk.bench.run(read, name))))


def plan(desk: Desk, recipe: RecipeFile) -> Report:
    """Say what running a recipe would do, without doing it."""
    from mdr import pipeline

    planned = pipeline.plan(pipeline.recipe_from_file(recipe), desk.bench.store, desk.bench)
    said = {"reuse": "is there", "make": "would be made", "waits": "depends on the steps before"}
    rows = [(each.step.name, each.step.stage, said[each.state], each.recipe or "–") for each in planned]
    data = [
        {"step": each.step.name, "stage": each.step.stage, "state": each.state, "recipe": each.recipe or None}
        for each in planned
    ]
    return Report(data, [table(rows, "step", "stage", "result", "recipe")])


def status(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A collection or run; without: all of them.")] = "",
) -> Report:
    """Say what has been made, under which names."""
    store = desk.bench.store
    rows: list[tuple[Any, ...]] = []
    data: dict[str, Any] = {}
    for each in [name] if name else store.names():
        data[each] = {step: _look(desk, key) for step, key in store.run(each).items()}
        if making := store.making(each):
            data[each]["unfinished"] = {step: _look(desk, key) for step, key in making.items()}
            rows.append((each, f"unfinished: {', '.join(making)}", "–", "the same command continues it", None, None))
        rows += [(each, step, *_row(seen)) for step, seen in data[each].items() if step != "unfinished"]
    shown = table(rows, "name", "step", "artefact", "made", "seconds", "size")
    return Report(data, [shown] if rows else ["nothing has been made yet; `mdr search TEXT` prepares the sample"])


def _look(desk: Desk, key: str) -> dict[str, Any]:
    try:
        return summary(desk.bench.store.get(key))
    except MdrError as error:
        return {"artefact": key, "problem": error.problem}


def _row(seen: dict[str, Any]) -> tuple[Any, ...]:
    if "problem" in seen:
        return seen["artefact"], seen["problem"], None, None
    return seen["artefact"], seen["made"], seen["seconds"], size(seen["bytes"])


def verify(desk: Desk) -> Report:
    """Hash everything again and say what is not as it was made."""
    from mdr import pipeline

    problems: list[str] = []
    counts: dict[str, Any] = {}
    for event in desk.follow(pipeline.verify(desk.bench.store)):
        if event.kind == "warning":
            problems.append(event.message)
        if event.kind == "finished":
            counts = dict(event.data)
    said = [
        f"{counted(counts['artefacts'], 'artefact')} hashed again: "
        + (counted(len(problems), "problem") if problems else "all as they were made")
    ]
    if problems:
        said.append("delete the folder of a damaged artefact and run its recipe again: it is made anew")
    return Report({"artefacts": counts["artefacts"], "problems": problems}, [*problems, *said], code=bool(problems))


def gc(
    desk: Desk,
    yes: Annotated[bool, typer.Option("--yes", help="Delete them; without: only say what would be deleted.")] = False,
) -> Report:
    """Remove what no named run uses, and builds that were left unfinished."""
    store = desk.bench.store
    folders = store.garbage()
    rows = [(f"{folder.parent.name}/{folder.name}", _bytes(folder)) for folder in folders]
    if yes:
        gone = store.remove(folders)
        rows = [row for row, folder in zip(rows, folders, strict=True) if folder in gone]
    total = sum(count for _, count in rows)
    outcome = "deleted" if yes else "would be deleted; add --yes to do it"
    said = f"{counted(len(rows), 'folder')}, {size(total)}, {outcome}"
    data = {"deleted": yes, "bytes": total, "folders": [{"folder": key, "bytes": count} for key, count in rows]}
    shown = [table([(key, size(count)) for key, count in rows], "folder", "size")] if rows else []
    return Report(data, [*shown, said])


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
