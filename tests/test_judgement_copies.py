"""Judgements that were copied and came back: snapshots, backups, restored stores and merged ones."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from judgement_stores import PASSAGE, QUERY, event, filled, mark, names, path, store, wal
from pyarrow import parquet

from mdr.errors import InputError, MdrError, MissingError, StorageError
from mdr.services.judging.service import JudgingService
from mdr.storage.judgement_files import (
    DAYS,
    NEWEST,
    backup,
    newest_whole,
    read_events,
    read_snapshot,
    snapshots,
    staying,
    sum_of,
    thin,
    write_snapshot,
)
from mdr.storage.judgements import JudgementStore

__all__ = ["path", "store"]  # fixtures


def test_snapshots_are_numbered_checked_and_made_only_when_something_happened(
    store: JudgementStore, tmp_path: Path
) -> None:
    folder = tmp_path / "snapshots"
    first = write_snapshot(store, folder)
    assert write_snapshot(store, folder) == first
    store.append(event("g"))
    second = write_snapshot(store, folder)
    assert [each.name for each in snapshots(folder)] == ["judgements-000001.parquet", "judgements-000002.parquet"]
    assert read_snapshot(second).column("event").to_pylist() == list("abcdefg")
    checked = subprocess.run(["sha256sum", "-c", f"{second.name}.sha256"], cwd=folder, capture_output=True)
    assert checked.returncode == 0


def test_a_snapshot_that_is_not_whole_is_refused(store: JudgementStore, tmp_path: Path) -> None:
    made = write_snapshot(store, tmp_path / "snapshots")
    data = made.read_bytes()
    made.write_bytes(data[:-1] + b"x")
    with pytest.raises(StorageError, match="checksum"):
        read_snapshot(made)
    made.write_bytes(data)
    made.with_name(f"{made.name}.sha256").unlink()
    assert snapshots(made.parent) == []
    with pytest.raises(MissingError, match="no finished snapshot"):
        read_snapshot(made)


def test_what_is_no_parquet_is_refused_even_with_a_checksum(tmp_path: Path) -> None:
    path = tmp_path / "notes.parquet"
    path.write_text("dear diary")
    checksum = subprocess.run(["sha256sum", path.name], cwd=tmp_path, capture_output=True, text=True).stdout
    sum_of(path).write_text(checksum)
    with pytest.raises(InputError, match="cannot be read"):
        read_snapshot(path)


def test_a_snapshot_without_room_leaves_nothing_behind(
    store: JudgementStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Any, batch: Any, **_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder = tmp_path / "snapshots"
    with monkeypatch.context() as patched:
        patched.setattr(parquet.ParquetWriter, "write_batch", full)
        with pytest.raises(StorageError, match="No space left") as caught:
            write_snapshot(store, folder)
    assert "free some space" in caught.value.remedy
    assert list(folder.iterdir()) == []
    assert read_snapshot(write_snapshot(store, folder)).num_rows == 6


def test_the_newest_whole_snapshot_is_found(store: JudgementStore, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no snapshot"):
        newest_whole(tmp_path)
    made = []
    for name in "ghi":
        store.append(event(name))
        made.append(write_snapshot(store, tmp_path))
    assert newest_whole(tmp_path) == made[2]
    made[2].write_bytes(made[2].read_bytes()[:-10])
    sum_of(made[1]).write_text("")
    assert newest_whole(tmp_path) == made[0]
    made[0].write_bytes(b"")
    with pytest.raises(MissingError, match="none of the 3 snapshots"):
        newest_whole(tmp_path)


def test_thinning_leaves_the_newest_and_the_last_of_days_and_months() -> None:
    start = datetime(2026, 1, 1, 9, tzinfo=UTC)
    hourly = [start + timedelta(hours=hour) for hour in range(24 * 90)]
    stay = sorted(staying(hourly))
    told = [hourly[place] for place in stay]
    assert stay[-NEWEST:] == list(range(len(hourly) - NEWEST, len(hourly)))
    ends = [time for time in told if time.month in (1, 2)]
    assert [(time.month, time.day, time.hour) for time in ends] == [(1, 31, 23), (2, 28, 23)]
    last_days = {hourly[-1].date() - timedelta(days=back) for back in range(DAYS)}
    assert last_days <= {time.date() for time in told}
    assert len(told) == 2 + (DAYS - 2) + NEWEST  # the newest reach back into the day before the last
    assert staying(hourly[: NEWEST - 1]) == set(range(NEWEST - 1))
    assert staying([]) == set()
    assert staying(told) == set(range(len(told)))  # once thinned, nothing more goes


def test_thinning_removes_old_ones_and_what_was_never_finished(store: JudgementStore, tmp_path: Path) -> None:
    made = []
    for number in range(NEWEST + 3):
        store.append(event(f"n{number}"))
        made.append(write_snapshot(store, tmp_path))
        at = datetime(2026, 1, 1, 0, number, tzinfo=UTC).timestamp()
        os.utime(made[-1], (at, at))
    unfinished = tmp_path / "judgements-000099.parquet"
    unfinished.write_bytes(b"half of one")
    stale = tmp_path / ".judgements-000099.parquet.1.tmp"
    stale.write_bytes(b"")
    assert thin(tmp_path) == [*made[:3], unfinished]
    assert snapshots(tmp_path) == made[3:]
    assert len(list(tmp_path.glob("*judgements-*"))) == 2 * NEWEST
    store.append(event("next"))
    assert write_snapshot(store, tmp_path).name == f"judgements-{NEWEST + 4:06}.parquet"


def test_an_older_snapshot_gets_the_columns_of_today(store: JudgementStore, tmp_path: Path) -> None:
    old = store.table().drop_columns(["campaign", "undoes", "model_fingerprint"])
    path = signed(tmp_path / "old.parquet", old)
    restored = tmp_path / "restored.duckdb"
    assert backup(read_events(path), restored) == 6
    again = JudgementStore(restored)
    assert again.history("c") == store.history("c")
    again.close()


@pytest.mark.parametrize("what", ["newer", "lacking", "strange"])
def test_parquet_that_holds_no_judgements(store: JudgementStore, tmp_path: Path, what: str) -> None:
    table = store.table()
    changed = {
        "newer": table.append_column("mood", table.column("note")),
        "lacking": table.drop_columns(["annotator"]),
        "strange": table.set_column(table.column_names.index("grade"), "grade", table.column("event")),
    }[what]
    with pytest.raises(MdrError, match=r"newer mdr|holds no judgements"):
        read_snapshot(signed(tmp_path / "odd.parquet", changed))


def signed(path: Path, table: Any) -> Path:
    from mdr.storage.files import sha256_file

    parquet.write_table(table, path)
    path.with_name(f"{path.name}.sha256").write_text(f"{sha256_file(path)}  {path.name}\n")
    return path


def test_a_backup_is_one_file_made_while_judges_go_on(store: JudgementStore, tmp_path: Path) -> None:
    stop, written = threading.Event(), []

    def judge() -> None:
        while not stop.is_set():
            name = f"w{len(written)}"
            store.append(event(name))
            written.append(name)

    thread = threading.Thread(target=judge)
    thread.start()
    folder = tmp_path / "elsewhere"
    try:
        for number in range(3):
            before = len(written)
            assert backup(store.table(), folder / f"{number}.duckdb") >= 6 + before
    finally:
        stop.set()
        thread.join()
    assert sorted(each.name for each in folder.iterdir()) == ["0.duckdb", "1.duckdb", "2.duckdb"]
    copy = JudgementStore(folder / "2.duckdb")
    there = copy.history("c")
    assert there == store.history("c")[: len(there)]
    copy.close()


def test_restoring_never_writes_over_anything(store: JudgementStore, path: Path, tmp_path: Path) -> None:
    made = write_snapshot(store, tmp_path)
    store.close()
    with pytest.raises(InputError, match="is there already"):
        backup(read_events(made), path)
    path.unlink()
    with pytest.raises(InputError, match=r"\.mark is there already"):
        backup(read_events(made), path)
    mark(path).unlink()
    wal(path).write_bytes(b"of another file")
    with pytest.raises(InputError, match=r"\.wal is there already"):
        backup(read_events(made), path)
    wal(path).unlink()
    assert backup(read_events(made), path) == 6
    again = JudgementStore(path)
    assert names(again) == "abcdef"
    again.close()


def test_merging_adds_what_is_new_once_and_says_what_clashes(tmp_path: Path) -> None:
    here, there = filled(tmp_path / "here.duckdb", "abc"), filled(tmp_path / "there.duckdb", "cde")
    there.append(event("f", 0, passage="p-a"))  # ann graded p-a here too, with 0
    there.append(event("g", 3, passage="p-b"))  # and p-b with 1
    merged = here.merge(there.table())
    assert (merged.added, merged.known, merged.clashes) == (4, 0, ["c"])  # c: grade 2 here, 0 there
    [changed] = merged.changed
    assert (changed.annotator, changed.passage, changed.was, changed.now) == ("ann", "p-b", 1, 3)
    assert names(here) == "abcdefg"
    assert here.find("c").grade == 2  # type: ignore[union-attr]
    again = here.merge(there.table())
    assert (again.added, again.known, again.clashes, again.changed) == (0, 4, ["c"], [])
    here.append(event("h"))
    assert names(here) == "abcdefgh"
    for each in (here, there):
        each.close()


def test_merging_is_whole_or_not_at_all(store: JudgementStore, tmp_path: Path) -> None:
    other = filled(tmp_path / "other.duckdb", "xyz")
    table = other.table()
    other.close()
    import pyarrow as pa

    wrong = table.set_column(table.column_names.index("grade"), "grade", pa.array([1, 2, 9], pa.int32()))
    with pytest.raises(InputError, match="cannot be merged"):
        store.merge(wrong)
    assert names(store) == "abcdef"
    assert store.merge(read_events(tmp_path / "other.duckdb")).added == 3
    store.append(event("g"))
    assert names(store) == "abcdefxyzg"


def test_a_file_that_is_read_stays_as_it_is(tmp_path: Path) -> None:
    other = tmp_path / "other.duckdb"
    store = filled(other, "xyz")
    with pytest.raises(StorageError, match="open in this process already"):
        read_events(other)
    store.close()
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert read_events(other).column("event").to_pylist() == ["x", "y", "z"]
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before
    mark(other).write_text("4")
    with pytest.raises(StorageError, match="ends at judgement 3, but 4 were acknowledged"):
        read_events(other)


def test_a_file_of_an_older_version_is_read(tmp_path: Path) -> None:
    old = tmp_path / "old.duckdb"
    with duckdb.connect(str(old)) as connection:
        connection.execute(Path(__file__).with_name("judgements_v1.sql").read_text(encoding="utf-8"))
    before = old.read_bytes()
    events = read_events(old)
    assert old.read_bytes() == before
    assert set(events.column("campaign").to_pylist()) == {""}
    new = JudgementStore(tmp_path / "new.duckdb")
    assert new.merge(events).added == 5
    new.close()


def test_undone_stays_undone_in_another_store(tmp_path: Path) -> None:
    here, there = JudgementStore(tmp_path / "here.duckdb"), JudgementStore(tmp_path / "there.duckdb")
    judging = JudgingService(there)
    for grade in (3, 1):
        judging.grade("ann", "c", QUERY, PASSAGE, grade)
    judging.undo("ann", "c")
    here.merge(there.table())
    assert JudgingService(here).grades("ann", "c", QUERY) == {"p1": 3}
    for each in (here, there):
        each.close()
