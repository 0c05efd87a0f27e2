"""What every command shares: its settings and workbench, progress, the common options, and how it ends.

Exit codes: 0 done · 1 a problem, told in two lines · 2 wrong usage · 130 stopped by Ctrl-C · 141 nobody reads on.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from mdr.cli.output import Report, console, visible, write
from mdr.cli.progress import telling
from mdr.errors import InputError, MdrError
from mdr.types import Event

if TYPE_CHECKING:
    from mdr.settings import Settings
    from mdr.workbench import Workbench

_COMMON: dict[str, Any] = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print one JSON value instead of tables.")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")],
    "home": Annotated[Path | None, typer.Option("--home", metavar="FOLDER", help="Keep everything there (MDR_HOME).")],
}
_DEFAULTS: dict[str, Any] = {"as_json": False, "debug": False, "home": None}


class Desk:
    """Where a command works: settings, the workbench over them, and somewhere to say how it goes."""

    def __init__(self, home: Path | None = None) -> None:
        self._home = home
        self.said = console(sys.stderr)

    @cached_property
    def settings(self) -> Settings:
        """From the environment, with the command's own folder."""
        from pydantic import ValidationError

        from mdr.settings import Settings

        try:
            return Settings(home=self._home) if self._home else Settings()
        except ValidationError as error:
            first = error.errors()[0]
            name = f"MDR_{first['loc'][0]}".upper()
            raise InputError(f"{name} is {first['input']!r}: {first['msg']}", f"correct or unset {name}") from error

    @cached_property
    def bench(self) -> Workbench:
        """Engines and services, loaded when first needed."""
        from mdr.workbench import Workbench

        return Workbench(self.settings)

    def follow(self, events: Iterable[Event]) -> Generator[Event, None, Any]:
        """Show events while a stage or recipe runs to its end, and hand them on."""
        with telling(self.said) as tell, ExitStack() as stack:
            stream = iter(events)
            if isinstance(stream, Generator):  # closed at once when Ctrl-C comes between two events
                stack.callback(stream.close)
            while True:
                try:
                    event = next(stream)
                except StopIteration as end:
                    return end.value
                tell(event)
                yield event

    def watch(self, events: Iterable[Event]) -> Any:
        """Run a stage or recipe to its end, showing its events; gives what it returns."""
        following = self.follow(events)
        while True:
            try:
                next(following)
            except StopIteration as end:
                return end.value


def add_command(
    app: typer.Typer, work: Callable[..., Report | None], name: str | None = None, epilog: str | None = None
) -> None:
    """Make a function `(desk, …) -> Report` a command, with the options that all commands have."""
    own = list(inspect.signature(work, eval_str=True).parameters.values())[1:]
    common = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[key], annotation=annotation)
        for key, annotation in _COMMON.items()
    ]

    def run(**values: Any) -> None:
        as_json, debug, home = (values.pop(key) for key in _COMMON)
        raise typer.Exit(_carry_out(lambda: work(Desk(home), **values), as_json, debug))

    # typer reads options off the signature and the annotations
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    run.__signature__ = inspect.Signature([*keywords, *common])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *common]}
    run.__doc__ = work.__doc__
    app.command(name or work.__name__, epilog=epilog)(run)


def _carry_out(work: Callable[[], Report | None], as_json: bool, debug: bool) -> int:
    """The command's report or its error, shown; the exit code."""
    try:
        report = _report(work, debug)
        write(report, as_json)
        return report.code
    except KeyboardInterrupt:
        console(sys.stderr).print("stopped. What is finished is kept: the same command continues from there.")
        return 130
    except BrokenPipeError:
        # The reader has gone; without this Python complains once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _report(work: Callable[[], Report | None], debug: bool) -> Report:
    """What the command reports, or its error: told on standard error, and as data for `--json`."""
    try:
        return work() or Report(None)
    except BrokenPipeError:
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        problem, remedy = _told(error)
        said = console(sys.stderr)
        said.print(Text.assemble(("error: ", "bold red"), visible(problem)))
        if remedy:
            said.print(Text.assemble(("  try: ", "bold"), visible(remedy)))
        return Report({"error": {"kind": type(error).__name__, "problem": problem, "remedy": remedy}}, code=1)


def _told(error: Exception) -> tuple[str, str]:
    """Problem and remedy, each in one line."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}", "check the path, its rights and the space on the disk"
    if not isinstance(error, MdrError):
        return f"{type(error).__name__}: {error}", "run it again with --debug and report what it shows"
    return " ".join([error.problem, *(f"({note})" for note in getattr(error, "__notes__", ()))]), error.remedy
