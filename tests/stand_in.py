"""A program in the place of Python: whatever it is started for, it says that it began and waits to be told to end."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

_PROGRAM = f"""#!{sys.executable}
import json, pathlib, sys, time
from filelock import FileLock
recipe, events = (pathlib.Path(sys.argv[sys.argv.index(name) + 1]) for name in ("run", "--events"))
what = recipe.read_text()
with FileLock(str(events) + ".lock"), events.open("a", buffering=1) as out:
    say = lambda **values: out.write(json.dumps({{"at": time.time(), **values}}) + "\\n")
    say(stage="a", kind="started", message="", done=0, total=0, unit="", data={{}})
    print("at work", flush=True)
    if what == "deaf":
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say(stage="a", kind="note", message="deaf", done=0, total=0, unit="", data={{}})
    while what != "quick" and not (events.parent.parent / "go").exists():
        time.sleep(0.02)
    say(end="done")
"""


def stand_in(folder: Path) -> Path:
    """The program. A recipe that reads `quick` ends at once, one that reads `deaf` ignores being asked to end; the
    others end when there is a file `go` beside the folders of jobs."""
    path = folder / "stand-in"
    path.write_text(_PROGRAM)
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return path
