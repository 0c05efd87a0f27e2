"""The command line: `mdr COMMAND …`, or `python -m mdr COMMAND …`. Loads no model before a command needs one."""

from __future__ import annotations

import typer

from mdr.cli import (
    accounts,
    campaigns,
    comparison,
    data,
    diffs,
    evaluation,
    exports,
    judgements,
    machine,
    pairs,
    publish,
    reproduction,
    runs,
)

app = typer.Typer(
    name="mdr",
    help="Multilingual dense retrieval without labels: train, mine, generate, retrieve, judge, train again.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_PARTS = (
    accounts,
    campaigns,
    data,
    evaluation,
    comparison,
    exports,
    judgements,
    pairs,
    runs,
    reproduction,
    diffs,
    publish,
    machine,
)
for part in _PARTS:
    part.register(app)


def main() -> None:
    """The entry point."""
    app()
