"""The command line: `mdr COMMAND …`, or `python -m mdr COMMAND …`. Loads no model before a command needs one."""

from __future__ import annotations

import typer

from mdr.cli import data, evaluation, exports, machine, publish, runs

app = typer.Typer(
    name="mdr",
    help="Multilingual dense retrieval without labels: train, mine, generate, retrieve, judge, train again.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (data, evaluation, exports, runs, publish, machine):
    part.register(app)


def main() -> None:
    """The entry point."""
    app()
