"""The command line for tests: in this process where it can be, in one of its own where it must be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from mdr.cli import app
from mdr.settings import ROOT, Settings

Mdr = Callable[..., Any]


@pytest.fixture
def mdr(settings: Settings) -> Mdr:
    """Run a command; gives its result, with `json` where that was asked for."""
    environment = environment_of(settings)

    def run(*arguments: str) -> Any:
        result: Any = CliRunner().invoke(app, arguments, env=environment)
        if "--json" in arguments:
            result.json = json.loads(result.stdout)
            assert result.stdout.count("\n") == 1
        return result

    return run


def environment_of(settings: Settings) -> dict[str, str]:
    paths = {"MDR_HOME": settings.home, "MDR_SAMPLE": settings.sample, "MDR_ENCODER": settings.encoder}
    return {key: str(value) for key, value in paths.items()}


def process(settings: Settings, *arguments: str, **changes: str) -> subprocess.Popen[bytes]:
    """The same in a process of its own."""
    environment = {**os.environ, **environment_of(settings), "PYTHONPATH": str(ROOT), **changes}
    return subprocess.Popen(
        [sys.executable, "-m", "mdr", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
