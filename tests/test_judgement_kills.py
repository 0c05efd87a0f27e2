"""Judgements through kills: what was acknowledged is there, and a torn or lost log is noticed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from judgement_stores import event, filled, mark, path, store, wal

from benchmarks.judgements import kill_once
from mdr.errors import StorageError
from mdr.settings import ROOT
from mdr.storage import judgements
from mdr.storage.judgement_events import JudgementEvent, table_of
from mdr.storage.judgements import JudgementStore

__all__ = ["path", "store"]  # fixtures


_KILLED = """
import os, pathlib, sys
from benchmarks.judgements import event
from mdr.storage.judgements import JudgementStore
store = JudgementStore(pathlib.Path(sys.argv[1]))
for number in range(40):
    store.append(event(f"k{number}", 0, number))
os._exit(9)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose 40 events are in its log only."""
    path = tmp_path_factory.mktemp("killed") / "judgements.duckdb"
    assert subprocess.run([sys.executable, "-c", _KILLED, path], cwd=ROOT).returncode == 9
    return path


@pytest.fixture
def left(killed: Path, path: Path) -> Path:
    """A copy of it, to be broken."""
    for file in killed.parent.iterdir():
        shutil.copy(file, path.parent)
    assert wal(path).exists()
    return path


# -- kills ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_kills_lose_nothing_and_double_nothing(path: Path) -> None:
    seen: set[str] = set()
    told = sum(kill_once(path, 8, trial, seen)[0] for trial in (0, 1, 2, 3, 9))
    assert 0 < told <= len(seen)


def test_nobody_is_told_before_the_commit(store: JudgementStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last moment before it, while others write at the same time: no thread may have gone on by then."""
    done: set[str] = set()
    early: set[str] = set()
    original = judgements.add

    def slow(cursor: Any, events: Sequence[JudgementEvent], last: int) -> Any:
        result = original(cursor, events, last)
        time.sleep(0.02)
        early.update(done & {each.event for each in events})
        return result

    def judge(own: int) -> None:
        for number in range(6):
            name = f"{own}-{number}"
            store.append(event(name))
            done.add(name)

    monkeypatch.setattr(judgements, "add", slow)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(judge, range(8)))
    assert len(done) == 48 and not early


def test_one_bad_event_does_not_spoil_those_it_came_with(store: JudgementStore) -> None:
    def judge(number: int) -> bool:
        try:
            return store.append(event(f"n{number}", 9 if number % 5 == 0 else 1))
        except StorageError as error:
            assert "refused" in error.problem
            return False

    with ThreadPoolExecutor(16) as pool:
        saved = list(pool.map(judge, range(40)))
    assert saved == [number % 5 != 0 for number in range(40)]
    assert store.count() == 6 + 32


# -- torn files -----------------------------------------------------------------------------------------------


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return data[:5] + bytes([data[5] ^ 0xFF]) + data[6:]


@pytest.mark.parametrize("damage", [cut, flipped, lambda data: data[:10], lambda data: data[:-300] + bytes(300)])
def test_a_torn_log_is_refused_and_left_as_it_is(left: Path, damage: Callable[[bytes], bytes]) -> None:
    whole = wal(left).read_bytes()
    torn = damage(whole)
    wal(left).write_bytes(torn)
    for _ in range(2):
        with pytest.raises(StorageError) as caught:
            JudgementStore(left)
        assert "restore" in caught.value.remedy
        assert wal(left).read_bytes() == torn
    wal(left).write_bytes(whole)
    store = JudgementStore(left)
    assert store.count() == 40
    store.close()


def test_a_log_that_is_gone_is_noticed_and_the_person_may_go_on(left: Path) -> None:
    wal(left).unlink()
    with pytest.raises(StorageError, match="ends at judgement 0, but 40 were acknowledged") as caught:
        JudgementStore(left)
    assert str(mark(left)) in caught.value.remedy
    mark(left).unlink()
    store = JudgementStore(left)
    assert store.count() == 0
    store.close()


def test_a_file_that_is_gone_is_not_taken_for_a_new_one(path: Path) -> None:
    filled(path, "abc").close()
    path.unlink()
    with pytest.raises(StorageError, match="but 3 were acknowledged"):
        JudgementStore(path)
    assert not path.exists()


def test_an_event_that_was_not_acknowledged_may_be_torn(left: Path) -> None:
    wal(left).write_bytes(wal(left).read_bytes() + b"\x01\x02\x03half of one more")
    store = JudgementStore(left)
    assert store.count() == 40
    store.append(event("next"))
    store.close()


def test_a_damaged_file_is_refused_or_gives_all_it_had(path: Path) -> None:
    store = JudgementStore(path)
    store.merge(table_of([event(f"e{number}", number % 4, note=f"note {number}") for number in range(2_000)]))
    expected = store.table()
    store.close()
    whole, refused = path.read_bytes(), 0
    for place in [100, *range(4_096, len(whole), len(whole) // 10)]:
        damaged = bytearray(whole)
        for offset in range(place, min(place + 64, len(whole))):
            damaged[offset] ^= 0xFF
        path.write_bytes(damaged)
        try:
            store = JudgementStore(path)
            try:
                assert store.table() == expected  # not everything in a file is in use
            finally:
                store.close()
        except StorageError as error:  # some damage shows when it is read
            refused += 1
            assert "restore" in error.remedy
    assert refused > 2
    path.write_bytes(whole)
    store = JudgementStore(path)
    assert store.table() == expected
    store.close()


@pytest.mark.parametrize("content", [b"no number\n", b"\xff\xfe"])
def test_a_broken_mark_is_told(path: Path, content: bytes) -> None:
    filled(path, "abc").close()
    mark(path).write_bytes(content)
    with pytest.raises(StorageError, match="mark cannot be read") as caught:
        JudgementStore(path)
    assert "delete" in caught.value.remedy
