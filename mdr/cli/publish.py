"""The command that lets a model leave: push."""

from __future__ import annotations

from typing import Annotated

import typer

from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, counted, size, table


def register(app: typer.Typer) -> None:
    """Put this command into the app."""
    add_command(app, push)


def push(
    desk: Desk,
    model: Annotated[str, typer.Argument(metavar="FOLDER_OR_RUN", help="A model folder, or a run that made a model.")],
    to: Annotated[str, typer.Option(metavar="OWNER/NAME", help="Where to, on the model hub.")],
    step: Annotated[str, typer.Option(help="Which step's model, where a run made several.")] = "",
    private: Annotated[bool, typer.Option("--private", help="Show it to nobody else.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be uploaded.")] = False,
) -> Report:
    """Upload a model to the hub; the token is that of HF_TOKEN."""
    from mdr.services.hub import publish

    folder = publish.model_of(desk.bench.store, model, step)
    pushed = desk.watch(publish.push(folder, to, private=private, dry_run=dry_run))
    total = sum(file.bytes for file in pushed.files)
    rows = [(file.name, size(file.bytes), file.sha256) for file in pushed.files]
    outcome = f"would go to {to}; nothing was uploaded" if dry_run else f"went to {pushed.url}"
    said = f"{counted(len(rows), 'file')}, {size(total)}, {outcome}{' (private)' if private else ''}"
    data = {"uploaded": not dry_run, "bytes": total, "pushed": pushed}
    return Report(data, [table(rows, "file", "size", "sha256"), said])
