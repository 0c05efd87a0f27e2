"""Runs as processes of their own, one at a time, the others waiting: `python -m mdr run` with a file of events each.

Everything about a job is in its folder, so it survives a reload and a restart of the app, and its crash harms nobody.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from filelock import FileLock, Timeout

from mdr.errors import BusyError, MdrError, MissingError
from mdr.services.runs.journal import Journal, JournalFile
from mdr.settings import ROOT
from mdr.storage.files import disk_errors, read_json, write_json

JobState: TypeAlias = Literal["queued", "running", "done", "failed", "stopped", "interrupted"]
ACTIVE = ("queued", "running")
_WAITING = 5
"""Jobs that may wait."""
_LOOK, _GRACE, _STARTING = 0.2, 8.0, 15.0
"""Seconds between looks at a job, between asking it to stop and ending it, and until it holds its lock."""
_JOB, _EVENTS, _LOG = "job.json", "events.jsonl", "log.txt"
RECIPE = "recipe.toml"
"""What a job carries out, as it was when it was asked for."""


@dataclass(frozen=True)
class Job:
    """A run that was asked for."""

    id: str
    name: str
    recipe: str
    by: str
    asked: float
    started: float | None
    state: JobState
    journal: Journal
    folder: Path
    why: str = ""
    """Why it was stopped, where nobody did."""

    @property
    def log(self) -> str:
        """The end of what the process wrote."""
        try:
            with (self.folder / _LOG).open("rb") as stream:
                stream.seek(max(0, (self.folder / _LOG).stat().st_size - 20_000))
                return stream.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""


class Jobs:
    """The jobs of one home. `environment` is what their processes get; where jobs may not start, they wait; what
    takes more than so many hours is stopped (0: however many)."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, may_start: bool = True, hours: float = 0
    ) -> None:
        self.folder = folder
        self._environment, self._may_start, self._hours = environment, may_start, hours
        self._lock = threading.RLock()
        self._files: dict[str, JournalFile] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopping: dict[str, float] = {}
        self._keeper: threading.Thread | None = None

    def all(self) -> list[Job]:
        """Every job, newest first. Looking also goes on with what an earlier app left in the queue."""
        with self._lock:
            found = [self._job(path.parent.name) for path in self.folder.glob(f"*/{_JOB}")]
            if any(job.state in ACTIVE for job in found):
                self._keep()
            return sorted(found, key=lambda job: job.id, reverse=True)

    def get(self, id: str) -> Job:
        """The job with an id."""
        if len(id) > 100 or not id.replace("-", "").isalnum() or not (self.folder / id / _JOB).is_file():
            raise MissingError(f"there is no job {id[:100]!r}", "reload the page")
        with self._lock:
            return self._job(id)

    def add(self, recipe: Path, name: str, by: str, event: str = "") -> Job:
        """Put a run into the queue. `event`: the client's id of the wish, of which the same one counts once."""
        with self._lock:
            jobs = self.all()
            if event and (known := next((job for job in jobs if job.id.endswith(f"-{event}")), None)):
                return known
            if sum(job.state == "queued" for job in jobs) >= _WAITING:
                raise BusyError(f"{_WAITING} runs are waiting already", "wait for one to end, or cancel one", 30.0)
            now = time.time()
            id = f"{int(now * 1000):014d}-{event or secrets.token_hex(8)}"
            folder = self.folder / id
            with disk_errors(folder):
                folder.mkdir(parents=True)
                (folder / RECIPE).write_bytes(recipe.read_bytes())  # the file may change while this waits
                write_json(
                    folder / _JOB, {"name": name, "recipe": recipe.stem, "by": by, "asked": now, "stop": False}
                )
            self._keep()
            return self._job(id)

    def stop(self, id: str) -> Job:
        """Take a job out of the queue, or ask its process to end; what it finished is kept."""
        with self._lock:
            job = self.get(id)
            if job.state in ACTIVE:
                self._change(id, stop=True)
                if job.state == "running":
                    self._signal(id, signal.SIGTERM)
                    self._stopping[id] = time.monotonic()
                    self._keep()
            return self._job(id)

    def wait(self, seconds: float) -> bool:
        """Until nothing runs or waits any more; False where that takes longer."""
        until = time.monotonic() + seconds
        while any(job.state in ACTIVE for job in self.all()):
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK)
        return True

    # -- what a folder says -------------------------------------------------------------------------------

    def _job(self, id: str) -> Job:
        folder = self.folder / id
        values = read_json(folder / _JOB)
        journal = self._files.setdefault(id, JournalFile(folder / _EVENTS)).read()
        state = self._state(id, values, journal)
        said = {name: values[name] for name in ("name", "recipe", "by", "asked")}
        why = values.get("why", "")
        return Job(id, **said, started=values.get("started"), state=state, journal=journal, folder=folder, why=why)

    def _state(self, id: str, values: Mapping[str, Any], journal: Journal) -> JobState:
        started = values.get("started")
        if started is None:
            return "stopped" if values["stop"] else "queued"
        process = self._processes.get(id)
        if process is not None and process.poll() is None:
            return "running"
        if journal.end:
            ends: Mapping[str, JobState] = {"done": "done", "failed": "failed", "stopped": "stopped"}
            return ends.get(journal.end, "failed")
        young = process is None and time.time() - started < _STARTING and _alive(values.get("process"))
        if self._held(id) or (young and not values["stop"]):
            return "running"
        return "stopped" if values["stop"] else "interrupted"

    def _held(self, id: str) -> bool:
        """Whether a process writes the events: it may have been started by an app that is gone."""
        path = self.folder / id / f"{_EVENTS}.lock"
        if not path.exists():
            return False
        try:
            with FileLock(path).acquire(timeout=0):
                return False
        except Timeout:
            return True

    def _change(self, id: str, **values: Any) -> None:
        path = self.folder / id / _JOB
        write_json(path, {**read_json(path), **values})

    # -- processes ----------------------------------------------------------------------------------------

    def _keep(self) -> None:
        """See that somebody looks after the queue."""
        if self._keeper is None or not self._keeper.is_alive():
            self._keeper = threading.Thread(target=self._look_after, name="runs", daemon=True)
            self._keeper.start()

    def _look_after(self) -> None:
        while True:
            with self._lock:
                jobs = [self._job(path.parent.name) for path in sorted(self.folder.glob(f"*/{_JOB}"))]
                running = [job for job in jobs if job.state == "running"]
                queued = [job for job in jobs if job.state == "queued"]
                for job in running:
                    self._end_in_time(job)
                    if time.monotonic() - self._stopping.get(job.id, time.monotonic()) > _GRACE:
                        self._signal(job.id, signal.SIGKILL)
                if not running and not (queued and self._may_start):
                    self._keeper = None
                    return
                if not running:
                    self._start(queued[0].id)
            time.sleep(_LOOK)

    def _end_in_time(self, job: Job) -> None:
        if self._hours and job.id not in self._stopping and time.time() - (job.started or 0) > 3600 * self._hours:
            self._change(job.id, why=f"It ran for more than the {self._hours:g} hours that a run may take here.")
            self.stop(job.id)

    def _start(self, id: str) -> None:
        folder = self.folder / id
        name = read_json(folder / _JOB)["name"]
        command = [sys.executable, "-m", "mdr", "run", str(folder / RECIPE), "--name", name]
        command += ["--events", str(folder / _EVENTS)]
        try:
            with disk_errors(folder), (folder / _LOG).open("ab") as log:
                process = subprocess.Popen(
                    command,
                    cwd=ROOT,  # recipes name files from there
                    env=dict(self._environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except (OSError, MdrError) as error:
            self._change(id, started=time.time())
            end = {"end": "failed", "problem": f"the run could not be started: {error}", "remedy": "try again"}
            (folder / _EVENTS).write_text(f"{json.dumps(end)}\n", encoding="utf-8")
            return
        self._processes[id] = process
        self._change(id, started=time.time(), process=process.pid)
        try:
            os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)  # people who search come first
        except (OSError, AttributeError):
            pass

    def _signal(self, id: str, number: signal.Signals) -> None:
        """To the whole group: stages may have started processes. Only while its lock says that it is still ours."""
        process = self._processes.get(id)
        alive = process.poll() is None if process else self._held(id)
        pid = read_json(self.folder / id / _JOB).get("process")
        if alive and pid:
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                pass


_NICE = 5


def _alive(pid: int | None) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid is not None
