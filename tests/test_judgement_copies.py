"""Judgements that were copied and came back: snapshots, backups, restored stores and merged ones."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from judgement_stores import PASSAGE, QUERY, event, filled, mark, names, path, store, wal
from pyarrow import parquet

from mdr.errors import InputError, MdrError, MissingError, StorageError
from mdr.services.judging import JudgingService
from mdr.storage.judgement_files import backup, read_events, read_snapshot, restore, snapshots, write_snapshot
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
    for name in "hij":
        store.append(event(name))
        write_snapshot(store, folder, keep=2)
    assert [each.name[11:17] for each in snapshots(folder)] == ["000004", "000005"]
    assert len(list(folder.iterdir())) == 4


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


def test_an_older_snapshot_gets_the_columns_of_today(store: JudgementStore, tmp_path: Path) -> None:
    old = store.table().drop_columns(["campaign", "undoes", "model_fingerprint"])
    path = signed(tmp_path / "old.parquet", old)
    restored = tmp_path / "restored.duckdb"
    assert restore(path, restored) == 6
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
            assert backup(store, folder / f"{number}.duckdb") >= 6 + before
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
        restore(made, path)
    path.unlink()
    with pytest.raises(InputError, match=r"\.mark is there already"):
        restore(made, path)
    mark(path).unlink()
    wal(path).write_bytes(b"of another file")
    with pytest.raises(InputError, match=r"\.wal is there already"):
        restore(made, path)
    wal(path).unlink()
    assert restore(made, path) == 6
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
