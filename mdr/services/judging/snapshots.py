"""Snapshots of judgements: on a timer, when another process asks, and at the end; thinned, and copied to the hub.

A failure never stops anything: it is told once, shown to those who run campaigns, and tried again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from platform import node

from mdr.errors import MdrError, StorageError, UnavailableError
from mdr.services.hub.copies import Copied, HubCopies
from mdr.settings import Settings
from mdr.storage.files import disk_errors
from mdr.storage.judgement_files import newest_whole, snapshots, thin, write_snapshot
from mdr.storage.judgements import JudgementStore
from mdr.types import Event

STAGE = "snapshots"
Tell = Callable[[Event], None]
_WANTED = "wanted"
_LOOK = 0.5
"""Seconds between looks for somebody who wants a snapshot."""
_PAUSE, _LONGEST = 5.0, 600.0
"""Seconds until a copy that failed is tried again; four times as many after each failure, up to so many."""


@dataclass(frozen=True)
class Kept:
    """How it stands: the newest snapshot, when it was taken, why the last try failed; and the same of copies."""

    snapshot: Path | None
    taken: float | None
    problem: str
    copied: Copied | None


class SnapshotService:
    """Snapshots of one judgement file, by the process that has it open. `minutes` between them; 0: no timer."""

    def __init__(
        self, folder: Path, store: Callable[[], JudgementStore], *, minutes: float = 0, copies: HubCopies | None = None
    ) -> None:
        self.folder, self.copies = folder, copies
        self._store, self._minutes = store, minutes
        self._writing, self._copying = threading.Lock(), threading.Lock()
        self._ending, self._news, self._tried = threading.Event(), threading.Event(), threading.Event()
        self._count = -1
        self._problem = ""
        self._tell: Tell = lambda event: None

    @property
    def kept(self) -> Kept:
        """What there is now."""
        newest = next(reversed(snapshots(self.folder)), None)
        taken = newest.stat().st_mtime if newest else None
        return Kept(newest, taken, self._problem, self.copies.last if self.copies else None)

    # -- once ---------------------------------------------------------------------------------------------

    def take(self) -> Path | None:
        """Write a snapshot if anything has happened since the last. None: nobody has judged anything yet."""
        with self._writing:
            try:
                store = self._store()
                count = store.count()
                newest = next(reversed(snapshots(self.folder)), None)
                if count and (count != self._count or newest is None):
                    newest = write_snapshot(store, self.folder)
                    thin(self.folder)
                    self._count = count
            except MdrError as error:
                self._problem = error.problem
                raise
            self._problem = ""
            return newest

    def copy(self) -> Copied:
        """Bring the hub up to date, and this store with what only the hub had."""
        if self.copies is None:
            raise StorageError("no repository is named for copies", "set MDR_SNAPSHOT_REPO to OWNER/NAME")
        with self._copying:
            return self.copies.copy(self._store(), self.take)

    # -- while the app runs -------------------------------------------------------------------------------

    def start(self, tell: Tell, patience: float = 20.0) -> None:
        """Look after snapshots until `stop`. Where nothing is here and the hub may have something, that is fetched
        first, since what comes later would count as newer."""
        self._tell = tell
        if self.copies:
            self._news.set()
            threading.Thread(target=self._copy_on, name="copies", daemon=True).start()
            if self._is_empty() and not self._tried.wait(patience):
                tell(Event(STAGE, "warning", f"{self.copies.repo} has not answered; going on without what it holds"))
        threading.Thread(target=self._look_after, name="snapshots", daemon=True).start()

    def stop(self, seconds: float) -> None:
        """A last snapshot and its copy, in so many seconds; an error says what was not done. Judgements are on disk
        in any case."""
        self._ending.set()
        self._news.set()
        done: list[str] = []
        trouble: list[MdrError] = []

        def end() -> None:
            try:
                self.take()
                done.append("taken")
                if self.copies:
                    self.copy()
            except MdrError as error:
                trouble.append(error)
            done.append("all")

        last = threading.Thread(target=end, name="last snapshot", daemon=True)
        last.start()
        last.join(max(0.0, seconds))
        if "taken" not in done:
            error = trouble[0] if trouble else UnavailableError(f"it was not finished in {seconds:.0f} s", "")
            raise StorageError(f"no last snapshot was written: {error.problem}", error.remedy or _ON_DISK)
        if trouble or "all" not in done:
            said = trouble[0].problem if trouble else f"it did not answer in {seconds:.0f} s"
            self._tell(Event(STAGE, "warning", f"the last snapshot was not copied to the hub: {said}"))

    def _look_after(self) -> None:
        due = time.monotonic() + 60 * self._minutes
        while not self._ending.wait(_LOOK):
            wanted = (self.folder / _WANTED).exists()
            if not wanted and (not self._minutes or time.monotonic() < due):
                continue
            due = time.monotonic() + 60 * self._minutes
            told, count = self._problem, self._count
            try:
                self.take()
            except MdrError as error:
                if error.problem != told:
                    self._tell(Event(STAGE, "warning", f"no snapshot was written: {error.problem}; {error.remedy}"))
                continue  # whoever wants one waits, and gives up
            if told:
                self._tell(Event(STAGE, "note", "snapshots are written again"))
            if wanted:
                (self.folder / _WANTED).unlink(missing_ok=True)
            if self._count != count:
                self._news.set()

    def _copy_on(self) -> None:
        pause, told = _PAUSE, ""
        while True:
            self._news.wait()
            if self._ending.is_set():
                return
            self._news.clear()
            try:
                self.copy()
            except MdrError as error:
                if error.problem != told:
                    self._tell(Event(STAGE, "warning", f"no copy on the hub: {error.problem}; {error.remedy}"))
                told = error.problem
                self._tried.set()
                self._ending.wait(pause)
                pause = min(4 * pause, _LONGEST)
                self._news.set()
                continue
            self._tried.set()
            if told:
                self._tell(Event(STAGE, "note", "copies reach the hub again"))
            pause, told = _PAUSE, ""

    def _is_empty(self) -> bool:
        try:
            return self._store().count() == 0
        except MdrError:
            return False  # a file that cannot be opened is not an empty one


def snapshots_of(settings: Settings, store: Callable[[], JudgementStore]) -> SnapshotService:
    """As settings say."""
    copies = None
    if settings.snapshot_repo:
        place = settings.snapshot_place or settings.space_id.replace("/", "--") or node() or "mdr"
        copies = HubCopies(settings.snapshot_repo, place, settings.snapshots / "copies.json")
    return SnapshotService(settings.snapshots, store, minutes=settings.snapshot_minutes, copies=copies)


_ON_DISK = "judgements are in the judgement file all the same"


def ask_for_snapshot(folder: Path, patience: float = 15.0) -> Path:
    """From another process: have the app that has the judgement file open write a snapshot; the newest one then."""
    wanted = folder / _WANTED
    with disk_errors(wanted):
        folder.mkdir(parents=True, exist_ok=True)
        wanted.touch()
    end = time.monotonic() + patience
    try:
        while wanted.exists():
            if time.monotonic() > end:
                problem = f"the process that has the judgement file open wrote no snapshot in {patience:.0f} s"
                raise UnavailableError(problem, "see what it says; if it is not the app, wait until it has ended")
            time.sleep(_LOOK / 5)
    finally:
        wanted.unlink(missing_ok=True)
    return newest_whole(folder)
