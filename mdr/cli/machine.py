"""Commands over this machine: demo, doctor."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, counted, visible


def register(app: typer.Typer) -> None:
    """Put these commands into the app."""
    for work in (demo, doctor):
        add_command(app, work)


def demo(desk: Desk) -> Report | None:
    """Open the app in the browser."""
    from mdr.ui import app as browser_app

    browser_app.main(desk.settings)
    return None


_STATES = {"ok": ("✓", "green"), "note": ("i", "yellow"), "problem": ("✗", "bold red")}


def doctor(
    desk: Desk,
    online: Annotated[bool, typer.Option("--online", help="Also see whether the model hub can be reached.")] = False,
) -> Report:
    """Look this machine over: Java, precision, threads, GPU, disk, models; with what to do where something is wrong."""
    from mdr.services.machine.doctor import examine

    findings, shown = [], []
    for finding in examine(desk.settings, desk.bench, online=online):
        findings.append(finding)
        mark, style = _STATES[finding.state]
        shown.append(Text.assemble((f"{mark} ", style), (f"{finding.what}: ", "bold"), visible(finding.found)))
        if finding.remedy and finding.state != "ok":
            shown.append(Text.assemble(("    try: ", "dim"), visible(finding.remedy)))
    problems = sum(finding.state == "problem" for finding in findings)
    said = counted(problems, "problem") if problems else "all is well"
    return Report({"problems": problems, "findings": findings}, [*shown, "", said], code=bool(problems))
