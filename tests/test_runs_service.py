"""Runs in the app: the journal of a run, jobs as processes that survive and cannot harm, recipes, and who may start."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from stand_in import stand_in

from mdr.core.permissions import Person
from mdr.errors import BusyError, InputError, MissingError, NotAllowedError
from mdr.pipeline import recipe_from_file
from mdr.recipes.methods import METHODS
from mdr.recipes.methods import recipe as recipe_of
from mdr.recipes.scales import scale
from mdr.services.runs import jobs as jobs_module
from mdr.services.runs.jobs import Job, Jobs
from mdr.services.runs.journal import Curve, Journal, JournalFile, curves_of
from mdr.services.runs.recipe_list import as_toml
from mdr.services.runs.service import Runs
from mdr.settings import Settings
from mdr.storage.artefacts import ArtefactStore

ANN = Person("ann")
ADMIN = Person("root", "admin")

# -- journals ---------------------------------------------------------------------------------------------


def line(stage: str, kind: str, at: float = 0.0, **values: Any) -> dict[str, Any]:
    usual = {"message": "", "done": 0, "total": 0, "unit": "", "data": {}}
    return {"at": at, "stage": stage, "kind": kind, **usual, **values}


def test_a_journal_tells_each_step() -> None:
    journal = Journal()
    for each in (
        line("a", "reused", 1.0, message="kind/x", data={"key": "kind/x"}),
        line("b", "started", 2.0),
        line("b", "progress", 3.0, message="at it", done=5, total=10, unit="rows", data={"left": 4.5}),
        line("b", "warning", 3.5, message="careful"),
    ):
        journal.add(each)
    assert journal.current is journal.steps["b"]
    b = journal.steps["b"]
    assert (b.state, b.done, b.total, b.left, b.notes) == ("making", 5, 10, 4.5, [("warning", "careful")])
    journal.add(line("b", "finished", 8.0, message="ten rows", data={"key": "kind/y"}))
    journal.add({"at": 9.0, "end": "done"})
    assert (b.state, b.key, b.seconds, journal.end, journal.current) == ("made", "kind/y", 6.0, "done", None)
    assert journal.steps["a"].state == "reused"


def test_curves_are_thinned_evenly_and_a_resumed_run_draws_over() -> None:
    curve = Curve()
    for step in range(1, 5_001):
        curve.add(step, float(step))
    steps = [step for step, _ in curve.points]
    assert len(steps) <= 400 and len({later - earlier for earlier, later in pairwise(steps)}) == 1
    assert all(value == pytest.approx(step - (steps[1] - steps[0] - 1) / 2) for step, value in curve.points)
    curve = Curve()
    for step in (1, 2, 3, 4, 3, 4):
        curve.add(step, float(step))
    assert [step for step, _ in curve.points] == [1, 2, 3, 4]


def test_losses_and_dev_values_become_curves() -> None:
    lines = [
        '{"step": 1, "losses": {"loss": 2.0, "contrast": 2.0}, "gradient": null}',
        '{"step": 2, "losses": {"loss": 1.0, "contrast": null}}',
        '{"step": 2, "dev": 0.5}',
        '{"step": "x"}',
        '{"st',
        "[]",
    ]
    assert curves_of(lines) == {"loss": [(1, 2.0), (2, 1.0)], "contrast": [(1, 2.0)], "dev": [(2, 0.5)]}


def test_a_file_is_read_as_it_grows_and_half_a_line_waits(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    reader = JournalFile(file)
    assert reader.read().steps == {}
    whole = json.dumps(line("a", "progress", done=1, total=2, message="läuft"), ensure_ascii=False).encode()
    file.write_bytes(whole + b"\n" + whole[:20])
    assert reader.read().steps["a"].done == 1
    file.write_bytes(whole + b"\n" + whole.replace(b'"done": 1', b'"done": 2') + b"\nnot json\n")
    assert reader.read().steps["a"].done == 2 and reader.read().steps["a"].message == "läuft"


# -- jobs -------------------------------------------------------------------------------------------------

@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Jobs]]:
    """Jobs whose processes wait for a file named `go`, instead of running recipes."""
    monkeypatch.setattr(sys, "executable", str(stand_in(tmp_path)))
    folder = tmp_path / "runs"
    yield lambda: Jobs(folder, dict(os.environ))
    folder.mkdir(exist_ok=True)
    (folder / "go").touch()
    assert Jobs(folder, dict(os.environ)).wait(20)


def recipe(folder: Path, what: str) -> Path:
    path = folder / f"{what}.toml"
    path.write_text(what)
    return path


def until(look: Callable[[], Job], state: str) -> Job:
    for _ in range(1_000):
        if (job := look()).state == state and (state != "running" or "a" in job.journal.steps):
            return job
        time.sleep(0.02)
    raise AssertionError(f"still {look().state}, not {state}: {look().log}")


def test_one_runs_and_the_others_wait_in_order(start: Callable[[], Jobs], tmp_path: Path) -> None:
    jobs = start()
    first = jobs.add(recipe(tmp_path, "slow"), "one", "ann", "event-01")
    second = jobs.add(recipe(tmp_path, "slow"), "two", "ann", "event-02")
    until(lambda: jobs.get(first.id), "running")
    assert jobs.get(second.id).state == "queued"
    assert jobs.add(recipe(tmp_path, "slow"), "one", "ann", "event-01").id == first.id  # a retry counts once
    assert [job.id for job in jobs.all()] == [second.id, first.id]
    (tmp_path / "runs" / "go").touch()
    done = until(lambda: jobs.get(second.id), "done")
    assert until(lambda: jobs.get(first.id), "done").started <= done.started  # type: ignore[operator]
    assert "at work" in done.log and done.name == "two" and done.by == "ann"


def test_the_queue_is_bounded(start: Callable[[], Jobs], tmp_path: Path) -> None:
    jobs = start()
    file = recipe(tmp_path, "slow")
    until(lambda: jobs.get(jobs.add(file, "first", "ann", "event-00").id), "running")
    for number in range(5):
        jobs.add(file, f"n{number}", "ann")
    with pytest.raises(BusyError, match="waiting"):
        jobs.add(file, "one too many", "ann")
    for job in jobs.all():
        jobs.stop(job.id)
    assert jobs.wait(20)
    assert {job.state for job in jobs.all()} == {"stopped"}


def test_stopping_ends_even_a_process_that_does_not_listen(
    start: Callable[[], Jobs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "_GRACE", 0.3)
    jobs = start()
    job = jobs.add(recipe(tmp_path, "deaf"), "deaf", "ann")
    for _ in range(500):
        if (its := jobs.get(job.id).journal.steps.get("a")) and its.notes:
            break
        time.sleep(0.02)
    jobs.stop(job.id)
    assert until(lambda: jobs.get(job.id), "stopped").journal.end == ""
    assert jobs.stop(job.id).state == "stopped"


def test_a_run_survives_its_app_and_can_be_stopped_by_the_next(start: Callable[[], Jobs], tmp_path: Path) -> None:
    job = start().add(recipe(tmp_path, "slow"), "one", "ann")
    later = start()  # the same folder, nothing in memory
    assert until(lambda: later.get(job.id), "running").journal.current
    later.stop(job.id)
    until(lambda: later.get(job.id), "stopped")


def test_a_process_that_is_killed_is_told_from_one_that_was_stopped(start: Callable[[], Jobs], tmp_path: Path) -> None:
    jobs = start()
    id = jobs.add(recipe(tmp_path, "slow"), "one", "ann").id
    job = until(lambda: jobs.get(id), "running")
    os.kill(json.loads((job.folder / "job.json").read_text())["process"], signal.SIGKILL)
    until(lambda: jobs.get(job.id), "interrupted")


def test_a_program_that_cannot_be_started_is_a_failed_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    jobs = Jobs(tmp_path / "runs", {})
    id = jobs.add(recipe(tmp_path, "quick"), "one", "ann").id
    job = until(lambda: jobs.get(id), "failed")
    assert "could not be started" in job.journal.problem


def test_a_run_that_takes_too_long_is_stopped_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(stand_in(tmp_path)))
    jobs = Jobs(tmp_path / "runs", {}, hours=0.1 / 3600)
    id = jobs.add(recipe(tmp_path, "long"), "one", "ann").id
    job = until(lambda: jobs.get(id), "stopped")
    assert "a run may take" in job.why
    id = jobs.add(recipe(tmp_path, "long"), "one", "ann").id
    assert jobs.stop(id).why == "", "somebody stopped this one"


def test_where_runs_are_off_what_waits_stays(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "runs", {}, may_start=False)
    job = jobs.add(recipe(tmp_path, "quick"), "one", "ann")
    time.sleep(0.5)
    assert jobs.get(job.id).state == "queued"
    assert jobs.stop(job.id).state == "stopped"


@pytest.mark.parametrize("id", ["", ".", "..", "../x", "a/b", "nothing", "\x00", "x" * 300])
def test_an_id_reaches_no_other_file(tmp_path: Path, id: str) -> None:
    with pytest.raises(MissingError, match="no job"):
        Jobs(tmp_path / "runs", {}).get(id)


# -- recipes and rights -----------------------------------------------------------------------------------


def runs(settings: Settings) -> Runs:
    return Runs(settings, ArtefactStore(settings.store))


@pytest.mark.parametrize(
    ("values", "who", "allowed"),
    [
        ({}, ANN._replace(here=True), True),  # whoever sits at the machine
        ({}, ANN, False),  # whom a proxy on the machine lets in
        ({}, ADMIN, True),
        ({"runs": "everyone"}, ANN, True),
        ({"host": "0.0.0.0"}, ANN._replace(here=True), False),
        ({"host": "0.0.0.0"}, ANN, False),
        ({"host": "0.0.0.0"}, ADMIN, True),
        ({"SPACE_ID": "a/b"}, ADMIN, False),
        ({"SPACE_ID": "a/b", "runs": "admin"}, ADMIN, True),
        ({"SPACE_ID": "a/b", "runs": "admin"}, ANN, False),
        ({"runs": "off"}, ADMIN, False),
    ],
)
def test_who_may_start_and_stop(tmp_path: Path, values: dict[str, Any], who: Person, allowed: bool) -> None:
    its = runs(Settings(home=tmp_path, **values))
    assert its.may_start(who) is allowed
    if not allowed:
        with pytest.raises(NotAllowedError):
            its.start(who, "sample")
        with pytest.raises(NotAllowedError):
            its.stop(who, "anything")
        assert its.jobs.all() == []


def test_recipes_are_methods_and_files_of_two_folders_and_nothing_else(tmp_path: Path) -> None:
    own = tmp_path / "recipes"
    own.mkdir()
    about = "# What it does\n# in two lines. Run it:\n#   mdr run it\n"
    (own / "mine.toml").write_text(f"{about}name = 'm'\n[steps.a]\nstage = 'x'\n")
    (own / "bad.toml").write_text("name = ")
    (tmp_path / "secret.toml").write_text("name = 's'")
    its = runs(Settings(home=tmp_path))
    found = {each.id: each for each in its.recipes()}
    assert {"sample", "mine-sample", "mine", "bad"} <= found.keys()
    assert found["mine"].about == "What it does in two lines."
    assert found["sample"].command == "python -m mdr run assets/recipes/sample.toml"
    assert found["mine"].command == 'python -m mdr run "$MDR_HOME"/recipes/mine.toml'
    assert found["bad"].recipe is None and found["bad"].problem
    assert found["lestm"].command == "python -m mdr reproduce lestm --scale demo --seeds 1"
    assert found["lestm"].recipe and found["lestm"].recipe.name == "lestm.demo.whole.0"
    assert all(found[method].recipe for method in METHODS)
    for id in ("../secret", "secret", "/etc/passwd", ""):
        with pytest.raises(MissingError, match="no recipe"):
            its.recipe(id)
    with pytest.raises(InputError, match="cannot be run"):
        its.start(ADMIN, "bad")


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_written_as_the_file_that_says_the_same(method: str, tmp_path: Path) -> None:
    material = tmp_path / 'a "folder" \\ with\n\x7f all'
    for variant in ("", *METHODS[method].variants):
        made = recipe_of(method, scale("small", material), variant)
        path = tmp_path / "written.toml"
        path.write_text(as_toml(made), encoding="utf-8")
        assert recipe_from_file(path).as_data() == json.loads(json.dumps(made.as_data()))


def test_a_method_is_started_like_any_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(stand_in(tmp_path)))
    its = runs(Settings(home=tmp_path, runs="admin"))
    job = its.start(ADMIN, "umr")
    assert (job.recipe, job.name) == ("umr", "umr.demo.whole.0")
    kept, known = its.recipe_of(job), its.recipe("umr").recipe
    assert kept and known and kept.as_data() == json.loads(json.dumps(known.as_data()))
    its.stop(ADMIN, job.id)
    assert its.jobs.wait(30)
