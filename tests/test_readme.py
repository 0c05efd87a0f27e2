"""Documentation that cannot lie: every `python -m mdr …` line in the documents is a command with options that exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mdr.cli import app
from mdr.settings import ROOT

_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\s*(?:\$ )?(?:python -m mdr|mdr)\b(.*)$")


def commands_in(text: str) -> Iterator[list[str]]:
    """The arguments of each command in the fenced blocks of a document."""
    for block in _FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split("&&"):
                if found := _COMMAND.match(part):
                    yield shlex.split(found.group(1), comments=True)


def parse(arguments: list[str]) -> None:
    """Parse without carrying out; an unknown command or option is an error."""
    command: Any = typer.main.get_command(app)
    name = "mdr"
    while arguments and hasattr(command, "commands"):
        first, *arguments = arguments
        assert first in command.commands, f"{name} has no command {first!r}"
        command, name = command.commands[first], first
    command.make_context(name, list(arguments))


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_documented_commands_exist(path: Path) -> None:
    for arguments in commands_in(path.read_text(encoding="utf-8")):
        parse(arguments)


def test_the_readme_has_commands() -> None:
    assert list(commands_in((ROOT / "README.md").read_text(encoding="utf-8")))


def test_a_wrong_command_would_be_noticed() -> None:
    text = "```sh\npython -m mdr search 'a b' --k 3 && mdr gc  # tidy\n$ mdr index \\\n  x\n```\nmdr not a command\n"
    assert list(commands_in(text)) == [["search", "a b", "--k", "3"], ["gc"], ["index", "x"]]
    parse(["export", "evaluation", "sample", "folder"])
    with pytest.raises(AssertionError):
        parse(["serach", "x"])
    for wrong in (["search", "x", "--nonsense"], ["search"], ["index", "a", "b"]):
        with pytest.raises(Exception, match=r"No such option|Missing parameter|unexpected extra"):
            parse(wrong)
