"""`mdr judgements …`: snapshots, backups, restored and merged stores, also while the app has the file open."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from judgement_stores import event, filled, names
from typer.testing import CliRunner

from mdr.cli import app
from mdr.services.judging import snapshots as service
from mdr.services.judging.snapshots import SnapshotService
from mdr.settings import ROOT
from mdr.storage.judgement_files import read_snapshot, snapshots
from mdr.storage.judgements import JudgementStore

Mdr = Callable[..., Any]
_OPEN = """
import pathlib, sys
from mdr.storage.judgements import JudgementStore
store = JudgementStore(pathlib.Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    filled(home / "judgements.duckdb", "abc").close()
    return home


@pytest.fixture
def mdr(home: Path) -> Mdr:
    """A command on that home; gives what it reports, or its error."""

    def run(*words: str | Path, code: int = 0, home: Path = home) -> Any:
        command = ["judgements", *map(str, words), "--json", "--home", str(home)]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == code, result.output
        told = json.loads(result.stdout)
        return told["error"] if code and "error" in told else told

    return run


@pytest.fixture
def held(home: Path) -> Iterator[None]:
    """Another process has the file open."""
    other = subprocess.Popen(
        [sys.executable, "-c", _OPEN, home / "judgements.duckdb"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdin and other.stdout
    other.stdout.readline()
    yield
    other.stdin.close()
    other.wait()


def events(path: Path) -> str:
    store = JudgementStore(path)
    try:
        return names(store)
    finally:
        store.close()


def test_snapshots_are_taken_and_listed(mdr: Mdr, home: Path) -> None:
    taken = mdr("snapshot")
    assert read_snapshot(Path(taken["snapshot"])).num_rows == 3
    assert mdr("snapshot") == taken
    [listed] = mdr("snapshots")["snapshots"]
    assert (listed["path"], listed["events"]) == (taken["snapshot"], 3)
    Path(taken["snapshot"]).write_bytes(b"torn")
    [listed] = mdr("snapshots", code=1)["snapshots"]
    assert listed["events"] is None
    shown = CliRunner().invoke(app, ["judgements", "snapshots", "--home", str(home)])
    assert shown.exit_code == 1 and "not as it was written" in shown.stdout


def test_before_anybody_has_judged(mdr: Mdr, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    for words in (["snapshot"], ["backup", tmp_path / "copy.duckdb"]):
        assert "nobody has judged" in mdr(*words, home=empty, code=1)["problem"]
    assert "no snapshot" in mdr("restore", home=empty, code=1)["problem"]
    assert mdr("snapshots", home=empty) == {"snapshots": [], "copied": None}
    assert not (empty / "judgements.duckdb").exists()
    assert "no repository" in mdr("push", home=empty, code=1)["problem"]


def test_a_backup_goes_on_elsewhere(mdr: Mdr, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "judgements.duckdb"
    assert mdr("backup", file)["events"] == 3
    assert events(file) == "abc"
    assert "is there already" in mdr("backup", file, code=1)["problem"]


def test_a_lost_file_comes_back_from_the_newest_whole_snapshot(mdr: Mdr, home: Path) -> None:
    mdr("snapshot")
    assert "is there already" in mdr("restore", code=1)["problem"]
    store = JudgementStore(home / "judgements.duckdb")
    store.append(event("d"))
    store.close()
    torn = Path(mdr("snapshot")["snapshot"])
    torn.write_bytes(torn.read_bytes()[:-1])
    for lost in home.glob("judgements.duckdb*"):
        lost.unlink()
    assert "checksum" in mdr("restore", torn, code=1)["problem"]
    assert mdr("restore")["source"].endswith("judgements-000001.parquet")
    assert events(home / "judgements.duckdb") == "abc"


def test_stores_of_several_homes_become_one_without_doubles(mdr: Mdr, home: Path, tmp_path: Path) -> None:
    filled(tmp_path / "two.duckdb", "").close()
    shutil.copy(home / "judgements.duckdb", tmp_path / "two.duckdb")  # they began as one
    for path, added in ((tmp_path / "two.duckdb", "de"), (tmp_path / "three" / "judgements.duckdb", "f")):
        store = JudgementStore(path)
        for name in added:
            store.append(event(name))
        store.close()
    mdr("snapshot", home=tmp_path / "three")
    others = (tmp_path / "two.duckdb", tmp_path / "three" / "snapshots")
    before = others[0].read_bytes()
    told = mdr("merge", *others)
    assert [(each["added"], each["known"]) for each in told] == [(2, 3), (1, 0)]
    assert [(each["added"], each["known"]) for each in mdr("merge", *others)] == [(0, 5), (0, 1)]
    assert events(home / "judgements.duckdb") == "abcdef"
    assert others[0].read_bytes() == before


def test_where_one_source_cannot_be_read_nothing_is_merged(mdr: Mdr, home: Path, tmp_path: Path) -> None:
    filled(tmp_path / "two.duckdb", "de").close()
    assert "there is no file" in mdr("merge", tmp_path / "two.duckdb", tmp_path / "gone.duckdb", code=1)["problem"]
    (tmp_path / "notes.duckdb").write_text("dear diary" * 1000)
    assert "not a" in mdr("merge", tmp_path / "two.duckdb", tmp_path / "notes.duckdb", code=1)["problem"]
    assert events(home / "judgements.duckdb") == "abc"


@pytest.mark.usefixtures("held")
def test_what_needs_the_file_says_who_has_it(mdr: Mdr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / "two.duckdb", "de").close()
    told = mdr("merge", tmp_path / "two.duckdb", code=1)
    assert "another process" in told["problem"] and "stop the other" in told["remedy"]
    monkeypatch.setattr(service.ask_for_snapshot, "__defaults__", (0.05,))
    assert "wrote no snapshot" in mdr("backup", tmp_path / "copy.duckdb", code=1)["problem"]


@pytest.mark.usefixtures("held")
def test_a_running_app_is_asked_for_what_it_has(mdr: Mdr, home: Path, tmp_path: Path) -> None:
    """The lock belongs to another process; what that one has, an app in this one stands in for."""
    its = filled(tmp_path / "its.duckdb", "abcd")
    running = SnapshotService(home / "snapshots", lambda: its)
    running.start(lambda event: None)
    assert read_snapshot(Path(mdr("snapshot")["snapshot"])).num_rows == 4
    its.append(event("e"))
    assert mdr("backup", tmp_path / "copy.duckdb")["events"] == 5
    running.stop(60)
    its.close()
    assert len(snapshots(home / "snapshots")) == 2


def test_grades_of_others_come_in_once(mdr: Mdr, tiny: Path, tmp_path: Path) -> None:
    home, file = tmp_path / "other", tmp_path / "others.qrels"
    made = CliRunner().invoke(app, ["import", "folder", str(tiny), "--name", "tiny", "--home", str(home)])
    assert made.exit_code == 0, made.output
    query, _, passage, _ = (tiny / "qrels.dev.tsv").read_text(encoding="utf-8").splitlines()[0].split()
    file.write_text(f"{query} 0 {passage} 2\n{query} 0 nowhere 1\n", encoding="utf-8")
    words = ("import", "tiny", file, "--judge", "nist")
    assert mdr(*words, home=home) == {"added": 1, "known": 0, "unknown": 1}
    assert mdr(*words, home=home) == {"added": 0, "known": 1, "unknown": 1}
    events = read_snapshot(Path(mdr("snapshot", home=home)["snapshot"])).to_pylist()
    assert [(it["annotator"], it["passage"], it["grade"]) for it in events] == [("nist", passage, 2)]
    file.write_text(f"{query} 0 {passage} 7\n", encoding="utf-8")
    assert "grades 7" in mdr(*words, home=home, code=1)["problem"]
