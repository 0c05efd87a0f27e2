"""Copies of judgements on the hub, against a stand-in that speaks the hub's calls over HTTP."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from judgement_stores import event, filled, names

from mdr.errors import InputError, MdrError, MismatchError, StorageError, UnavailableError
from mdr.services.hub.copies import Copied, HubCopies
from mdr.services.judging.snapshots import SnapshotService, snapshots_of
from mdr.settings import ROOT, Settings
from mdr.storage.judgement_files import read_snapshot
from mdr.storage.judgements import JudgementStore
from mdr.types import Event
from tests.stand_in_hub import TOKEN, Hub, Repository, hub_running

REPO = "ann/judgements"
_WHERE = "{}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
FILES = ["here/judgements.parquet", "here/judgements.parquet.sha256"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """As HF_ENDPOINT and HF_TOKEN say; the library reads its settings once, when it is first imported."""
    with hub_running() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", _WHERE.format(hub.url))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


class App:
    """A home with judgements, and what looks after its copies."""

    def __init__(self, home: Path, judged: str = "", place: str = "here") -> None:
        self.home = home
        self.store = filled(home / "judgements.duckdb", judged)
        self.copies = HubCopies(REPO, place, home / "snapshots" / "copies.json")
        self.snapshots = SnapshotService(home / "snapshots", lambda: self.store, copies=self.copies)
        self.told: list[Event] = []

    def judge(self, *names: str) -> None:
        for name in names:
            self.store.append(event(name))

    def copy(self) -> Copied:
        return self.snapshots.copy()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = App(tmp_path / "app", "abc")
    yield app
    app.store.close()


def on_hub(hub: Hub, tmp_path: Path, place: str = "here") -> list[str]:
    """The events of the copy there, by its own checksum."""
    folder = tmp_path / "read back"
    folder.mkdir(exist_ok=True)
    for name in ("judgements.parquet", "judgements.parquet.sha256"):
        (folder / name).write_bytes(hub.files(REPO)[f"{place}/{name}"])
    return list(read_snapshot(folder / "judgements.parquet").column("event").to_pylist())


def test_a_copy_is_a_snapshot_with_its_checksum_in_a_private_data_set(hub: Hub, app: App, tmp_path: Path) -> None:
    copied = app.copy()
    assert hub.data_sets[REPO].private
    assert sorted(set(hub.files(REPO)) - {".gitattributes"}) == FILES
    assert on_hub(hub, tmp_path) == ["a", "b", "c"]
    assert copied.checksum == hashlib.sha256(hub.files(REPO)[FILES[0]]).hexdigest()
    assert app.copies.last == copied and copied.at and not copied.problem
    assert any(asked.startswith("PUT /stored/") for asked in hub.asked)


def test_only_what_is_new_is_sent(hub: Hub, app: App, tmp_path: Path) -> None:
    app.copy()
    hub.asked.clear()
    app.copy()
    assert len(hub.data_sets[REPO].commits) == 2
    assert not any(asked.startswith(("PUT", "POST")) for asked in hub.asked)
    app.judge("d")
    app.copy()
    assert on_hub(hub, tmp_path) == list("abcd")
    assert len(hub.data_sets[REPO].commits) == 3


def test_a_wiped_disk_gets_back_what_the_hub_has(hub: Hub, app: App, tmp_path: Path) -> None:
    app.copy()
    wiped = App(tmp_path / "wiped")
    wiped.snapshots.start(wiped.told.append, patience=60)
    assert names(wiped.store) == "abc"
    wiped.judge("d")
    wiped.snapshots.stop(60)
    assert on_hub(hub, tmp_path) == list("abcd")
    assert wiped.told == []
    wiped.store.close()


def test_a_copy_never_has_less_than_the_one_before(hub: Hub, app: App, tmp_path: Path) -> None:
    app.copy()
    other = App(tmp_path / "other", "xy")  # it was given the same place by mistake
    other.copy()
    assert on_hub(hub, tmp_path) == list("xyabc")
    app.judge("d")
    app.copy()
    assert sorted(on_hub(hub, tmp_path)) == list("abcdxy")
    other.store.close()


def test_apps_with_places_of_their_own_keep_apart(hub: Hub, app: App, tmp_path: Path) -> None:
    other = App(tmp_path / "other", "xy", "there")
    other.copy()
    app.copy()
    assert (on_hub(hub, tmp_path), on_hub(hub, tmp_path, "there")) == (list("abc"), list("xy"))
    other.store.close()


def test_nothing_judged_is_nothing_copied(hub: Hub, tmp_path: Path) -> None:
    app = App(tmp_path)
    app.copy()
    assert set(hub.files(REPO)) == {".gitattributes"}
    app.store.close()


def test_a_damaged_copy_is_refused_and_stays(hub: Hub, app: App) -> None:
    app.copy()
    hub.data_sets[REPO].commits.append(hub.files(REPO) | {FILES[0]: b"torn", FILES[1]: b"0123  judgements.parquet\n"})
    app.judge("d")
    with pytest.raises(StorageError, match="checksum differs"):
        app.copy()
    assert hub.files(REPO)[FILES[0]] == b"torn"
    assert "checksum" in app.copies.last.problem


def test_judgements_are_not_published(hub: Hub, app: App) -> None:
    hub.data_sets[REPO] = Repository(private=False)
    with pytest.raises(MismatchError, match="is public"):
        app.copy()
    assert set(hub.files(REPO)) == {".gitattributes"}


def test_somebody_else_writes_at_the_same_time(hub: Hub, app: App, tmp_path: Path) -> None:
    app.copy()
    app.judge("d")
    original = app.snapshots.take

    def meanwhile() -> Path | None:
        hub.data_sets[REPO].commits.append(hub.files(REPO) | {"README.md": b"ours"})
        return original()

    with pytest.raises(UnavailableError, match="at the same time"):
        app.copies.copy(app.store, meanwhile)
    app.copy()
    assert on_hub(hub, tmp_path) == list("abcd")
    assert hub.files(REPO)["README.md"] == b"ours"


@pytest.mark.parametrize(("status", "said"), [(401, "does not accept the token"), (403, "may not write"), (418, "f")])
def test_refusals_are_told_without_the_token(hub: Hub, app: App, status: int, said: str) -> None:
    hub.trouble = [status]
    with pytest.raises(MdrError, match=said) as caught:
        app.copy()
    assert TOKEN not in f"{caught.value}{app.copies.last}"
    assert app.copies.last.problem == caught.value.problem


def test_a_token_that_the_hub_repeats_is_left_out(
    hub: Hub, app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")  # the stand-in says whom it does not know
    with caplog.at_level("DEBUG"), pytest.raises(InputError) as caught:
        app.copy()
    assert "hf_of_somebody_else" not in f"{caught.value}{app.copies.last}{caplog.text}"


def test_without_a_token_it_says_so(hub: Hub, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(InputError, match="no token is set"):
        app.copy()
    assert hub.asked == []


def test_a_failure_in_the_background_is_told_once_and_tried_again(
    hub: Hub, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mdr.services.judging.snapshots._PAUSE", 0.05)
    hub.trouble = [403, 403, 403]
    again = threading.Event()

    def tell(event: Event) -> None:
        app.told.append(event)
        if event.kind == "note":
            again.set()

    app.snapshots.start(tell)
    assert again.wait(60)
    assert [event.kind for event in app.told] == ["warning", "note"]
    assert "may not write" in app.told[0].message
    assert on_hub(hub, tmp_path) == list("abc")
    assert not app.copies.last.problem
    app.snapshots.stop(60)


def test_a_hub_that_does_not_answer_holds_the_end_up_for_as_long_as_it_may(hub: Hub, app: App) -> None:
    app.snapshots.start(app.told.append, patience=0)
    app.judge("d")
    hub.answering.clear()
    app.snapshots.stop(1)
    assert read_snapshot(app.snapshots.kept.snapshot or Path()).num_rows == 4
    assert "the last snapshot was not copied" in app.told[-1].message
    hub.answering.set()


def test_an_empty_home_does_not_wait_for_a_silent_hub_for_ever(hub: Hub, tmp_path: Path) -> None:
    app = App(tmp_path)
    hub.answering.clear()
    app.snapshots.start(app.told.append, patience=0.1)
    assert "has not answered" in app.told[0].message
    hub.answering.set()
    app.snapshots.stop(60)
    app.store.close()


@pytest.mark.parametrize(("repo", "place"), [("judgements", "here"), (REPO, "../up"), (REPO, "a b"), (REPO, "")])
def test_bad_names_are_refused_at_once(repo: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        HubCopies(repo, place, tmp_path / "copies.json")


def test_settings_say_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copies(**given: Any) -> HubCopies | None:
        return snapshots_of(Settings(home=tmp_path, **given), lambda: JudgementStore(tmp_path / "none")).copies

    assert copies() is None
    monkeypatch.setenv("SPACE_ID", "ann/demo")
    found = copies(snapshot_repo=REPO)
    assert found and (found.repo, found.place) == (REPO, "ann--demo")
    found = copies(snapshot_repo=REPO, snapshot_place="mine")
    assert found and found.place == "mine"


@pytest.mark.slow
def test_the_command_reaches_the_hub_that_the_environment_names(tmp_path: Path) -> None:
    """Nothing patched: a process of its own, HF_ENDPOINT and HF_TOKEN."""
    filled(tmp_path / "judgements.duckdb", "abc").close()
    with hub_running() as hub:
        environment = os.environ | {
            **{"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"},
            **{"MDR_HOME": str(tmp_path), "MDR_SNAPSHOT_REPO": REPO, "MDR_SNAPSHOT_PLACE": "here"},
        }
        command = [sys.executable, "-m", "mdr", "judgements", "push", "--json"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["repo"] == REPO
        assert sorted(set(hub.files(REPO)) - {".gitattributes"}) == FILES
        hub.trouble = [403]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "may not write" in done.stderr
    assert TOKEN not in done.stderr + done.stdout
