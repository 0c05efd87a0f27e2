"""Judgement files that were upgraded, copied, merged, torn, cut, or met by a full or closed disk."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyarrow import parquet

from benchmarks.judgements import kill_once
from mdr.core.policies import POLICIES
from mdr.errors import InputError, MdrError, MissingError, StorageError
from mdr.services.exports import export_judgements
from mdr.services.judging import JudgingService
from mdr.settings import ROOT
from mdr.storage import judgements, migrations
from mdr.storage.judgement_events import COLUMNS, JudgementEvent, table_of
from mdr.storage.judgement_files import backup, read_events, read_snapshot, restore, snapshots, write_snapshot
from mdr.storage.judgements import JudgementStore
from mdr.types import Passage, Query

V1 = Path(__file__).with_name("judgements_v1.sql")
PASSAGE, QUERY = Passage("p1", "fi", "Niili", "Niili virtaa."), Query("q1", "th", "แม่น้ำไนล์")


def event(name: str, grade: int = 2, **changes: Any) -> JudgementEvent:
    values = {"annotator": "ann", "passage": f"p-{name}", **changes}
    return JudgementEvent(
        event=name,
        happened=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        action="grade",
        collection="c",
        query="q1",
        query_lang="th",
        query_text="แม่น้ำไนล์",
        passage_lang="fi",
        grade=grade,
        **values,
    )


def filled(path: Path, names: str) -> JudgementStore:
    store = JudgementStore(path)
    for number, name in enumerate(names):
        store.append(event(name, number % 4))
    return store


def names(store: JudgementStore) -> str:
    return "".join(each.event for each in store.history("c"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "judgements.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[JudgementStore]:
    store = filled(path, "abcdef")
    yield store
    store.close()


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


def wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.mark")


# -- every version ------------------------------------------------------------------------------------------


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


# -- one owner ----------------------------------------------------------------------------------------------


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


# -- kills --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_kills_lose_nothing_and_double_nothing(path: Path) -> None:
    seen: set[str] = set()
    told = sum(kill_once(path, 8, trial, seen)[0] for trial in (0, 1, 2, 3, 9))
    assert 0 < told <= len(seen)


def test_nobody_is_told_before_the_commit(store: JudgementStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last moment before it, while others write at the same time: no thread may have gone on by then."""
    done: set[str] = set()
    early: set[str] = set()
    original = judgements._add

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

    monkeypatch.setattr(judgements, "_add", slow)
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


# -- torn files ---------------------------------------------------------------------------------------------


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


# -- disks that refuse --------------------------------------------------------------------------------------

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


# -- snapshots, backups, merges -----------------------------------------------------------------------------


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
    for store in (here, there):
        store.close()


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
    for store in (here, there):
        store.close()


# -- exports ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "\u00a0@x", "\uff1d1", "\n=1"])
def test_no_text_is_a_formula_in_a_table(path: Path, tmp_path: Path, text: str) -> None:
    store = JudgementStore(path)
    store.append(event("e", annotator=text, note=text))
    export_judgements(JudgingService(store), "c", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        [row] = csv.DictReader(stream)
    assert row["annotator"] == row["note"] == f"'{text}"
    assert (row["grade"], row["collection"]) == ("2", "c")
    export_judgements(JudgingService(store), "c", tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))["note"] == text
    store.close()


def test_tables_hold_what_counts_or_all_that_happened(path: Path, tmp_path: Path) -> None:
    store = JudgementStore(path)
    judging = JudgingService(store)
    judging.grade("ann", "c", QUERY, PASSAGE, 1)
    judging.grade("ann", "c", QUERY, PASSAGE, 3, seconds=2.5, evidence=True)
    judging.record("note", "ann", "c", QUERY, PASSAGE, note="why?")
    for form in (".csv", ".jsonl", ".parquet"):
        assert export_judgements(judging, "c", tmp_path / f"now{form}") == (1, 0)
        assert export_judgements(judging, "c", tmp_path / f"all{form}", every=True) == (3, 0)
    rows = [JudgementEvent(**row) for row in parquet.read_table(tmp_path / "all.parquet").select(COLUMNS).to_pylist()]
    assert rows == store.history("c")
    store.close()


def test_qrels_by_every_policy(path: Path, tmp_path: Path) -> None:
    store = JudgementStore(path)
    judging = JudgingService(store)
    for annotator, grade in (("ann", 0), ("ben", 1), ("cem", 1)):
        judging.grade(annotator, "c", QUERY, PASSAGE, grade)
    said = {}
    for policy in POLICIES:
        written, left = export_judgements(judging, "c", tmp_path / f"{policy}.qrels", policy=policy)
        said[policy] = (written, left, (tmp_path / f"{policy}.qrels").read_text())
    assert said == {
        "majority": (1, 0, "q1 0 p1 1\n"),
        "mean": (1, 0, "q1 0 p1 1\n"),
        "strictest": (1, 0, "q1 0 p1 0\n"),
        "adjudicated": (0, 1, ""),
    }
    with pytest.raises(InputError, match="no policy"):
        export_judgements(judging, "c", tmp_path / "other.qrels", policy="other")
    assert not (tmp_path / "other.qrels").exists()
    store.close()
