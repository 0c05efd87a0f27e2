"""Judgement files that were upgraded, belong to one process, or are met by a full or closed disk."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from judgement_stores import event, filled, mark, names, path, store

from mdr.errors import StorageError
from mdr.services.judging.service import JudgingService
from mdr.settings import ROOT
from mdr.storage import migrations
from mdr.storage.judgement_events import COLUMNS, JudgementEvent
from mdr.storage.judgements import JudgementStore
from mdr.types import Query

__all__ = ["path", "store"]  # fixtures


V1 = Path(__file__).with_name("judgements_v1.sql")


# -- every version --------------------------------------------------------------------------------------------


def version_1(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(V1.read_text(encoding="utf-8"))


def test_a_file_of_version_1_keeps_all_it_said(path: Path) -> None:
    version_1(path)
    store = JudgementStore(path)
    history = store.history("c")
    assert [each.event for each in history] == ["e1", "e2", "e3", "e4", "e5"]
    assert history[0] == JudgementEvent(
        *("e1", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "grade", "ann", "c", "q1", "th", "แม่น้ำ", "p1", "fi", 2),
        *(1, "hybrid"),
    )
    judging = JudgingService(store)
    query = Query("q1", "th", "แม่น้ำ")
    assert judging.grades("ann", "c", query) == {"p1": 3}
    judging.undo("ann", "c")
    judging.undo("ann", "c")  # what version 1 took back is there again
    assert judging.grades("ann", "c", query) == {"p1": 2, "p2": 0}
    store.close()
    again = JudgementStore(path)
    assert again.count() == 7
    again.close()


def test_an_upgrade_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version_1(path)

    first, second = migrations.MIGRATIONS

    def broken(execute: Callable[..., Any]) -> None:
        second(execute)
        raise OSError("the lights went out")

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", [first, broken])
        with pytest.raises(OSError, match="lights"):
            JudgementStore(path)
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT name FROM migrations").fetchall() == [("m001_events",)]
        assert connection.execute("SELECT count(*) FROM events").fetchall() == [(5,)]
    store = JudgementStore(path)
    assert store.count() == 5
    store.close()


def test_a_new_file_and_an_upgraded_one_have_one_shape(tmp_path: Path) -> None:
    version_1(tmp_path / "old.duckdb")
    shapes = []
    for name in ("old.duckdb", "new.duckdb"):
        JudgementStore(tmp_path / name).close()
        with duckdb.connect(str(tmp_path / name)) as connection:
            sql = "SELECT table_name, column_name, data_type FROM information_schema.columns ORDER BY ALL"
            shapes.append(connection.execute(sql).fetchall())
    assert shapes[0] == shapes[1]
    assert {column for table, column, _ in shapes[0] if table == "events"} == {*COLUMNS, "sequence"}


# -- one owner ------------------------------------------------------------------------------------------------


def test_a_process_opens_a_file_once(store: JudgementStore, path: Path) -> None:
    with pytest.raises(StorageError, match="open in this process already"):
        JudgementStore(path)
    with pytest.raises(StorageError, match="open in this process already"):
        JudgementStore(path.parent / "." / ".." / path.parent.name / path.name)
    store.append(event("g"))
    assert names(store) == "abcdefg"


def test_after_closing_it_says_so(path: Path) -> None:
    store = filled(path, "a")
    store.close()
    with pytest.raises(StorageError, match="cannot be read"):
        store.count()
    with pytest.raises(StorageError, match="not saved"):
        store.append(event("b"))


def test_nothing_outside_can_be_reached_by_sql(store: JudgementStore, tmp_path: Path) -> None:
    cursor = store._connection.cursor()
    for sql in (
        f"COPY events TO '{tmp_path / 'out.csv'}'",
        f"ATTACH '{tmp_path / 'other.duckdb'}'",
        "SELECT * FROM read_text('/etc/hostname')",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "INSTALL httpfs",
    ):
        with pytest.raises(duckdb.Error):
            cursor.execute(sql)


# -- disks that refuse ----------------------------------------------------------------------------------------


_FULL = """
import json, pathlib, resource, sys
from benchmarks.judgements import event
from mdr.errors import StorageError
from mdr.storage.judgements import JudgementStore
store = JudgementStore(pathlib.Path(sys.argv[1]))
store.append(event("first", 0, 0))
free = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, free[1]))
saved, refused = ["first"], []
for number in range(200):
    try:
        store.append(event(f"n{number}", 0, number))
        saved.append(f"n{number}")
    except StorageError as error:
        refused.append((error.problem, error.remedy))
        if len(refused) == 3:
            readable = store.count()
            resource.setrlimit(resource.RLIMIT_FSIZE, free)
        if len(refused) > 3:
            break
print(json.dumps({"saved": saved, "refused": refused, "readable": readable}))
"""


def test_a_full_disk_refuses_and_loses_nothing(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _FULL, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["refused"]) == 3  # and once there is room, it goes on
    assert "not saved" in told["refused"][0][0] and "room" in told["refused"][0][1]
    assert told["readable"] <= len(told["saved"])
    store = JudgementStore(path)
    there = [each.event for each in store.history("c")]
    assert set(told["saved"]) <= set(there) and len(there) <= len(told["saved"]) + 3
    store.close()


_READ_ONLY = """
import os, pathlib, sys
from mdr.errors import StorageError
from mdr.storage.judgements import JudgementStore
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write anywhere
try:
    JudgementStore(pathlib.Path(sys.argv[1]))
except StorageError as error:
    print(error.problem, "|", error.remedy)
"""


def test_a_disk_that_cannot_be_written_is_told() -> None:
    with tempfile.TemporaryDirectory() as folder:  # where every user gets to
        path = Path(folder) / "home" / "judgements.duckdb"
        filled(path, "abc").close()
        for each, rights in ((path, 0o444), (mark(path), 0o444), (path.parent, 0o555), (Path(folder), 0o755)):
            each.chmod(rights)
        done = subprocess.run([sys.executable, "-c", _READ_ONLY, path], cwd=ROOT, capture_output=True, text=True)
        path.parent.chmod(0o755)
        assert "cannot open" in done.stdout and "can be written" in done.stdout, done.stderr
        store = JudgementStore(path)
        assert names(store) == "abc"
        store.close()
