"""Looking after snapshots: on a timer, when another process asks, at the end; and where a disk does not last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from judgement_stores import event, filled

from mdr.errors import MissingError, StorageError, UnavailableError
from mdr.services.judging import snapshots as module
from mdr.services.judging.snapshots import SnapshotService, ask_for_snapshot
from mdr.storage.disks import outlives_container
from mdr.storage.judgement_files import read_snapshot, snapshots
from mdr.storage.judgements import JudgementStore
from mdr.types import Event

FULL = StorageError("cannot write: No space left on device", "free some space")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK", 0.01)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JudgementStore]:
    store = JudgementStore(tmp_path / "judgements.duckdb")
    yield store
    store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "snapshots"


def wait_until(there: Callable[[], Any]) -> None:
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_nothing_is_written_when_nothing_happened(
    store: JudgementStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = SnapshotService(folder, lambda: store)
    assert service.take() is None and not folder.exists()
    assert service.kept.taken is None
    store.append(event("a"))
    first = service.take()
    assert first and read_snapshot(first).num_rows == 1
    with monkeypatch.context() as patched:
        patched.setattr(module, "write_snapshot", lambda *_: pytest.fail("nothing had changed"))
        assert service.take() == first
    assert SnapshotService(folder, lambda: store).take() == first  # nor in another process
    assert len(snapshots(folder)) == 1
    first.unlink()  # somebody has cleaned up
    assert service.take() is not None


def test_the_timer_takes_one_when_something_happened(store: JudgementStore, folder: Path) -> None:
    told: list[Event] = []
    service = SnapshotService(folder, lambda: store, minutes=0.05 / 60)
    service.start(told.append)
    try:
        for number, name in enumerate("ab", 1):
            store.append(event(name))
            wait_until(lambda: snapshots(folder) and read_snapshot(snapshots(folder)[-1]).num_rows == number)  # noqa: B023
    finally:
        service.stop(60)
    assert told == []
    assert service.kept.snapshot == snapshots(folder)[-1] and service.kept.problem == ""


def test_without_a_timer_there_is_one_at_the_end(store: JudgementStore, folder: Path) -> None:
    service = SnapshotService(folder, lambda: store)
    service.start(lambda event: None)
    store.append(event("a"))
    service.stop(60)
    assert read_snapshot(snapshots(folder)[-1]).num_rows == 1


def test_a_full_disk_is_told_once_and_tried_again(
    store: JudgementStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Event] = []
    tries, room = [], threading.Event()
    usual = module.write_snapshot

    def write(*given: Any) -> Path:
        tries.append(1)
        if not room.is_set():
            raise FULL
        return usual(*given)

    monkeypatch.setattr(module, "write_snapshot", write)
    service = SnapshotService(folder, lambda: store, minutes=0.02 / 60)
    store.append(event("a"))
    service.start(told.append)
    wait_until(lambda: len(tries) > 2)
    assert [event.kind for event in told] == ["warning"]
    assert "No space left" in service.kept.problem and "free some space" in told[0].message
    with pytest.raises(StorageError, match="no last snapshot was written"):
        SnapshotService(folder, lambda: store).stop(60)
    room.set()
    wait_until(lambda: len(told) == 2)
    service.stop(60)
    assert told[1].kind == "note" and service.kept.problem == "" and len(snapshots(folder)) == 1


def test_a_store_that_cannot_be_opened_is_told(folder: Path) -> None:
    def refuse() -> JudgementStore:
        raise FULL

    service = SnapshotService(folder, refuse, minutes=0.02 / 60)
    told: list[Event] = []
    service.start(told.append)
    wait_until(lambda: told)
    with pytest.raises(StorageError, match="No space left"):
        service.stop(60)


def test_the_end_does_not_wait_for_what_hangs(
    store: JudgementStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    monkeypatch.setattr(module, "write_snapshot", lambda *_: go.wait(60))
    service = SnapshotService(folder, lambda: store)
    store.append(event("a"))
    with pytest.raises(StorageError, match="was not finished in 0 s") as caught:
        service.stop(0.2)
    assert "on disk" in caught.value.remedy or "judgement file" in caught.value.remedy
    go.set()


def test_another_process_may_ask_for_one(store: JudgementStore, folder: Path) -> None:
    service = SnapshotService(folder, lambda: store)
    service.start(lambda event: None)
    for name in "ab":
        store.append(event(name))
    assert read_snapshot(ask_for_snapshot(folder, 60)).num_rows == 2
    store.append(event("c"))
    assert read_snapshot(ask_for_snapshot(folder, 60)).num_rows == 3
    service.stop(60)


def test_whoever_asks_and_gets_no_answer_gives_up(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UnavailableError, match="wrote no snapshot"):
        ask_for_snapshot(folder, 0.05)
    assert list(folder.iterdir()) == []
    store = filled(tmp_path / "empty.duckdb", "")
    service = SnapshotService(folder, lambda: store)
    service.start(lambda event: None)
    with pytest.raises(MissingError, match="no snapshot"):
        ask_for_snapshot(folder, 60)
    service.stop(60)
    store.close()


MOUNTS = r"""
22 1 0:21 / / rw,relatime - overlay overlay rw
23 22 0:22 / /proc rw - proc proc rw
24 22 8:1 /x /data rw shared:1 master:2 - ext4 /dev/sda1 rw
25 22 0:25 / /data/fast rw - tmpfs tmpfs rw
26 22 8:2 / /my\040disk rw - xfs /dev/sdb1 rw
27 22 0:30 / /twice rw - ext4 /dev/sdc rw
28 27 0:31 / /twice rw - tmpfs tmpfs rw
no line of a table
"""


@pytest.mark.parametrize(
    ("path", "lasts"),
    [
        ("/data", True),
        ("/data/mdr/home", True),
        ("/database", False),
        ("/data/fast/mdr", False),
        ("/my disk/mdr", True),
        ("/twice", False),
        ("/app/data", False),
        ("/", False),
    ],
)
def test_what_outlives_a_container(path: str, lasts: bool) -> None:
    assert outlives_container(Path(path), MOUNTS) is lasts


def test_a_root_that_is_a_disk_does_not_outlive_it_either() -> None:
    assert not outlives_container(Path("/app"), "22 1 8:1 / / rw - ext4 /dev/sda1 rw")
