"""The app as a process of its own, over toy engines, for tests of how it ends: `python -m tests.serving HOME [WHAT …]`.

The search for "slow" then takes a minute, a run is `running`, or snapshots are `hung`: they never come to their end.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

from mdr.services.judging import snapshots
from mdr.services.search.service import SearchService
from mdr.ui.app import stay
from mdr.workbench import Workbench
from tests.browser.stub import StubWorkbench
from tests.stand_in import stand_in


def slow(workbench: Workbench) -> None:
    usual = SearchService.search

    def search(self: SearchService, query: str, *given: Any, **options: Any) -> Any:
        if query == "slow":
            threading.Event().wait(60)
        return usual(self, query, *given, **options)

    SearchService.search = search  # type: ignore[method-assign]


def running(workbench: Workbench) -> None:
    home = workbench.settings.home
    recipe = home / "recipe.toml"
    recipe.write_text("until told")
    sys.executable = str(stand_in(home))
    workbench.runs.jobs.add(recipe, "a run", "somebody")


def hung(workbench: Workbench) -> None:
    snapshots.write_snapshot = lambda *_: threading.Event().wait()  # type: ignore[assignment, return-value]


if __name__ == "__main__":
    workbench = StubWorkbench(Path(sys.argv[1]))
    workbench.settings.snapshot_minutes = 0
    for what in sys.argv[2:]:
        {"slow": slow, "running": running, "hung": hung}[what](workbench)
    stay(workbench)
