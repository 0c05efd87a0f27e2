"""Commands that write files for others: export collection, evaluation, judgements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mdr.cli.data import Name
from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, size
from mdr.core.policies import POLICIES
from mdr.errors import MissingError
from mdr.formats import FORMATS

_POLICIES = ", ".join(POLICIES)
_WRITTEN = f"One of {', '.join(name for name, format in FORMATS.items() if format.write)}."

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder.")]


def register(app: typer.Typer) -> None:
    """Put these commands into the app, below `export`."""
    group = typer.Typer(no_args_is_help=True, help="Write a collection, an evaluation or judgements for other tools.")
    for work in (collection, evaluation, judgements):
        add_command(group, work)
    app.add_typer(group, name="export")


def collection(
    desk: Desk,
    name: Name,
    format: Annotated[str, typer.Argument(metavar="FORMAT", help=_WRITTEN)],
    folder: Folder,
) -> Report:
    """Write a collection in a published format."""
    from mdr.formats import export_collection
    from mdr.recipes.baselines import COLLECTION
    from mdr.storage.collection import Collection

    lost = export_collection(Collection(desk.bench.artefact(name, COLLECTION).folder), format, folder)
    return _written(sorted(path for path in folder.rglob("*") if path.is_file()), lost)


def evaluation(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The run's name, or its collection's.")],
    folder: Folder,
) -> Report:
    """Write the runs and qrels of an evaluation as TREC files."""
    from mdr.recipes.baselines import EVALUATION
    from mdr.services.exports import export_evaluation
    from mdr.storage.collection import Collection

    bench, usual = desk.bench, f"{name}.evaluation"
    made = bench.artefact(usual if usual in bench.store.names() else name, EVALUATION)
    source = made.manifest.inputs["collection"]
    judged = bench.store.get(f"{source['kind']}/{source['recipe']}")
    return _written(export_evaluation(made, Collection(judged.folder), folder))


def judgements(
    desk: Desk,
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new .qrels, .csv, .jsonl or .parquet file.")],
    policy: Annotated[str, typer.Option(help=f"How several judges make one grade in qrels: {_POLICIES}.")] = "majority",
    every: Annotated[bool, typer.Option("--every", help="In tables: all that happened, not only what counts.")] = False,
) -> Report:
    """Write the grades that people gave to a collection's passages."""
    from mdr.services.exports import export_judgements

    if not desk.settings.judgements.exists():
        raise MissingError("nobody has judged anything yet", "grades are given in the app: `mdr demo`")
    judging = desk.bench.judging
    try:
        written, open = export_judgements(judging, name, file, policy=policy, every=every)
    finally:
        judging.close()
    shown = [f"{written:,} {'events' if every else 'grades'} in {file}"]
    if open:
        shown.append(f"left out, since {policy} does not settle them: {open:,}")
    return Report({"file": file, "grades": written, "open": open}, shown)


def _written(files: list[Path], lost: Sequence[str] = ()) -> Report:
    shown = [f"{path} ({size(path.stat().st_size)})" for path in files]
    if lost:
        shown.append(f"left out, since the format has no room for it: {', '.join(lost)}")
    data = {"files": [{"file": path, "bytes": path.stat().st_size} for path in files], "left_out": list(lost)}
    return Report(data, shown)
