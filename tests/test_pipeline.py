"""Recipes carried out: reuse exactly when nothing changed, and a kill at any moment costs nothing but time."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streams import ended
from toy_stages import PARTS, TOYS, Count, Sum, ToyEngines, recipe

from mdr import pipeline
from mdr.errors import ArtefactError, InputError, MdrError, StorageError
from mdr.pipeline import Recipe, Step, recipe_from_data, recipe_from_file
from mdr.settings import ROOT
from mdr.stages import STAGES
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.types import Event

TOTAL = 50 * sum(range(PARTS))


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, stage in TOYS.items():
        monkeypatch.setitem(STAGES, name, stage)
        monkeypatch.setattr(stage, "built", 0)


def carry_out(
    store: ArtefactStore, what: Recipe, engines: Any = None, name: str | None = None, **given: Artefact
) -> tuple[dict[str, Artefact], list[Event]]:
    return ended(pipeline.run(what, store, engines or ToyEngines(), name, given))


def kinds(events: list[Event], step: str) -> list[str]:
    return list(dict.fromkeys(event.kind for event in events if event.stage == step))


# -- reuse --------------------------------------------------------------------------------------------------


def test_a_run_makes_everything_and_the_next_reuses_it(store: ArtefactStore) -> None:
    made, events = carry_out(store, recipe())
    assert made["sum"].manifest.counts == {"total": TOTAL}
    assert kinds(events, "count") == ["started", "progress", "note", "finished"]
    again, events = carry_out(store, recipe())
    assert again == made
    assert kinds(events, "count") == kinds(events, "sum") == ["reused"]
    assert (Count.built, Sum.built) == (1, 1)


@pytest.mark.parametrize("change", ["settings", "weights", "version"])
def test_what_changes_the_result_is_made_again(
    store: ArtefactStore, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    first, _ = carry_out(store, recipe())
    if change == "version":
        monkeypatch.setattr(Count, "version", 2)
    what = recipe(factor=2) if change == "settings" else recipe()
    second, _ = carry_out(store, what, ToyEngines("w2") if change == "weights" else None)
    assert second["count"].key != first["count"].key
    assert Count.built == 2


def test_equal_content_cuts_the_rest_off(store: ArtefactStore) -> None:
    """Made in another way, but the same: what stands on it is reused."""
    first, _ = carry_out(store, recipe())
    second, events = carry_out(store, recipe(remark="again"))
    assert second["count"].key != first["count"].key
    assert second["count"].manifest.content == first["count"].manifest.content
    assert kinds(events, "sum") == ["reused"]
    assert second["sum"] == first["sum"]


def test_changed_content_does_not(store: ArtefactStore) -> None:
    carry_out(store, recipe())
    made, _ = carry_out(store, recipe(factor=3))
    assert made["sum"].manifest.counts == {"total": 3 * TOTAL}
    assert Sum.built == 2


def test_a_plan_says_what_a_run_then_does(store: ArtefactStore) -> None:
    def states(what: Recipe) -> list[str]:
        return [planned.state for planned in pipeline.plan(what, store, ToyEngines())]

    assert states(recipe()) == ["make", "waits"]
    carry_out(store, recipe())
    assert states(recipe()) == ["reuse", "reuse"]
    assert states(recipe(factor=2)) == ["make", "waits"]
    assert Count.built == 1


def test_given_artefacts_take_the_place_of_steps(store: ArtefactStore) -> None:
    made, _ = carry_out(store, recipe())
    alone = Recipe("sum alone", (Step("total", "toy-sum", {}, {"numbers": "count"}),))
    again, events = carry_out(store, alone, count=made["count"])
    assert kinds(events, "total") == ["reused"]
    assert again["total"] == made["sum"]


def test_a_name_keeps_what_its_run_made(store: ArtefactStore) -> None:
    first, _ = carry_out(store, recipe(), name="mine")
    assert store.run("mine") == {"count": first["count"].key, "sum": first["sum"].key}
    assert recipe_from_data(store.recipe_of("mine")) == recipe()
    second, _ = carry_out(store, recipe(factor=2), name="mine")
    assert store.garbage() == sorted([first["count"].folder, first["sum"].folder])
    assert store.run("mine")["sum"] == second["sum"].key


def test_while_it_runs_a_name_keeps_the_old_and_the_new(store: ArtefactStore) -> None:
    first, _ = carry_out(store, recipe(), name="mine")
    running = pipeline.run(recipe(factor=2), store, ToyEngines(), "mine")
    for event in running:
        if event.stage == "sum":
            break
    running.close()
    assert store.run("mine") == {"count": first["count"].key, "sum": first["sum"].key}
    assert store.making("mine").keys() == {"count"}
    *_, unfinished = store.garbage()
    assert unfinished.name.endswith(".building")
    assert store.remove(store.garbage()) == [unfinished]
    _, events = carry_out(store, recipe(factor=2), name="mine")
    assert kinds(events, "count") == ["reused"]
    assert store.making("mine") == {}


def test_the_first_run_of_a_name_is_nothing_until_it_ends(store: ArtefactStore) -> None:
    running = pipeline.run(recipe(), store, ToyEngines(), "mine")
    for event in running:
        if event.stage == "sum":
            break
    running.close()
    assert (store.names(), store.run("mine")) == (["mine"], {})


# -- interruptions ------------------------------------------------------------------------------------------


def test_closing_a_run_stops_it_and_lets_go(store: ArtefactStore) -> None:
    running = pipeline.run(recipe(), store, ToyEngines())
    for event in running:
        if event.kind == "progress" and event.done == 5:
            break
    running.close()
    assert store.folders() == []
    _, events = carry_out(store, recipe())
    assert "kept 5" in [event.message for event in events]


def test_two_runs_of_one_recipe_do_not_mix(store: ArtefactStore) -> None:
    first = pipeline.run(recipe(), store, ToyEngines())
    next(first)
    with pytest.raises(ArtefactError, match="another process is making numbers/"):
        carry_out(store, recipe())
    for _ in first:
        pass
    _, events = carry_out(store, recipe())
    assert kinds(events, "count") == ["reused"]


def test_an_error_names_its_step(store: ArtefactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Count, work: Any) -> Iterator[Event]:
        yield self.event("progress")
        raise InputError("bad input", "mend it")

    monkeypatch.setattr(Count, "build", refuse)
    with pytest.raises(InputError) as caught:
        carry_out(store, recipe())
    assert caught.value.__notes__ == ["in step 'count' (stage toy-count)"]
    assert store.folders() == []


def test_a_full_disk_stops_cleanly_and_a_rerun_continues(store: ArtefactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def full(self: Path, text: str) -> int:
        written.append(self)
        if len(written) == 10:
            raise OSError(28, "No space left on device")
        with self.open("w") as stream:
            return stream.write(text)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(StorageError, match="No space left") as caught:
            carry_out(store, recipe(), name="mine")
    assert "mdr gc" in caught.value.remedy
    assert store.folders() == []
    assert store.names() == []
    made, events = carry_out(store, recipe(), name="mine")
    assert "kept 9" in [event.message for event in events]
    assert made["sum"].manifest.counts == {"total": TOTAL}


def program(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """The toy recipe in a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("toy_stages.py")), str(root), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def finish_and_check(store: ArtefactStore, clean: dict[str, Artefact]) -> list[Event]:
    """Run again in this process: complete, verified, and the same as a run that nothing disturbed."""
    made, events = carry_out(store, recipe(), name="toy")
    for step, artefact in made.items():
        assert artefact.manifest.content == clean[step].manifest.content
        assert artefact.manifest.files == clean[step].manifest.files
        assert artefact.key == clean[step].key
    assert [event.kind for event in pipeline.verify(store)] == ["progress", "progress", "finished"]
    assert store.garbage() == []
    assert list(store.root.glob("*/.*.building")) == []
    return events


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artefact]:
    """What an undisturbed run makes."""
    process = program(root := tmp_path_factory.mktemp("clean"))
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "sum finished" in output
    store = ArtefactStore(root)
    return {step: store.get(key) for step, key in store.run("toy").items()}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("function", ["_sweep", "describe", "fsync_file", "fsync_folder", "rename"])
def test_killed_while_publishing(store: ArtefactStore, clean: dict[str, Artefact], function: str, moment: str) -> None:
    """At each step that publishing takes. Only after the rename is the artefact there, and then it is whole."""
    process = program(store.root, f"{moment}:{function}")
    process.communicate(timeout=60)
    assert process.returncode == -9
    published = [folder.parent.name for folder in store.folders()]
    assert published == (["numbers"] if (function, moment) == ("rename", "after") else [])
    events = finish_and_check(store, clean)
    assert (f"kept {PARTS}" in [event.message for event in events]) != bool(published)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_a_random_moment(store: ArtefactStore, clean: dict[str, Artefact], seed: int) -> None:
    """Killed twice in a row, then run to its end."""
    chance = random.Random(seed)
    for _ in range(2):
        process = program(store.root)
        assert process.stdout is not None
        for _ in range(chance.randrange(1, PARTS + 6)):
            process.stdout.readline()
        time.sleep(chance.random() / 500)
        process.kill()
        process.communicate(timeout=60)
        assert all(store.verify(folder) == [] for folder in store.folders())
    finish_and_check(store, clean)


# -- verify -------------------------------------------------------------------------------------------------


def test_verify_tells_every_problem_and_goes_on(store: ArtefactStore) -> None:
    made, _ = carry_out(store, recipe(), name="mine")
    (made["count"].folder / "parts" / "001.txt").write_text("1")
    (made["sum"].folder / "manifest.json").write_text("{")
    store.name_run("other", {"step": "numbers/none"}, {})
    *_, last = events = list(pipeline.verify(store))
    warnings = [event.message for event in events if event.kind == "warning"]
    assert len(warnings) == 3
    assert "parts/001.txt changed" in warnings[0]
    assert "cannot be read" in warnings[1]
    assert warnings[2] == "other: step (numbers/none) is gone"
    assert last.data == {"artefacts": 2, "problems": 3}


# -- recipe files -------------------------------------------------------------------------------------------


def test_a_recipe_file_is_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[steps.count]\nstage = "toy-count"\nsettings = { factor = 1 }\n'
        '[steps.sum]\nstage = "toy-sum"\ninputs = { numbers = "count" }\n'
    )
    read = recipe_from_file(path)
    assert read == Recipe("mine", recipe(factor=1).steps)
    assert recipe_from_data(read.as_data()) == read


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "steps: Field required"),
        ("[steps]", "steps: Dictionary should have at least 1 item"),
        ("steps = 3", "steps: Input should be a valid dictionary"),
        ("[steps.a]", "steps.a.stage: Field required"),
        ('[steps.a]\nstage = ["x"]', "steps.a.stage: Input should be a valid string"),
        ('[steps.a]\nstage = "toy-count"\nextra = 1', "steps.a.extra: Extra inputs are not permitted"),
        ('[steps.a]\nstage = "toy-count"\nsettings = 1', "steps.a.settings: Input should be a valid dictionary"),
        ('[steps.a]\nstage = "x"\ninputs = { i = 1 }', "steps.a.inputs.i: Input should be a valid string"),
        ('title = "x"\n[steps.a]\nstage = "toy-count"', "title: Extra inputs are not permitted"),
        ("[steps.a", "Expected ']'"),
        ("a = \x00", "line 1"),
    ],
)
def test_a_broken_recipe_file_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        recipe_from_file(path)
    assert str(path) in caught.value.problem
    assert told in caught.value.problem
    assert caught.value.remedy


def test_a_recipe_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "bytes.toml", tmp_path, tmp_path / "none.toml"):
        with pytest.raises(InputError, match=path.name):
            recipe_from_file(path)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([Step("a", "none")], "step 'a' names stage 'none'"),
        ([Step("a", "toy-count", {"factor": "x"})], "step 'a', setting 'factor'"),
        ([Step("a", "toy-count", {"fcator": 1})], "step 'a', setting 'fcator'"),
        ([Step("a", "toy-sum")], "step 'a' lacks input numbers"),
        ([Step("a", "toy-count"), Step("b", "toy-sum", {}, {"numbers": "a", "x": "a"})], "'b' has the unknown input x"),
        ([Step("b", "toy-sum", {}, {"numbers": "a"}), Step("a", "toy-count")], "'b' takes in 'a', which no"),
        ([Step("a", "toy-sum", {}, {"numbers": "a"})], "takes in 'a', which no earlier step makes"),
        ([Step("a", "toy-count"), Step("a", "toy-count")], "two steps are called 'a'"),
    ],
)
def test_a_wrong_step_is_told_before_anything_runs(store: ArtefactStore, steps: list[Step], told: str) -> None:
    for refuse in (carry_out, lambda store, what: pipeline.plan(what, store, ToyEngines())):
        with pytest.raises(MdrError) as caught:
            refuse(store, Recipe("wrong", tuple(steps)))
        assert told in caught.value.problem
        assert caught.value.remedy
    assert Count.built == 0
    assert not store.root.exists()


def test_optional_inputs_may_be_left_out(store: ArtefactStore) -> None:
    steps = (*recipe().steps, Step("both", "toy-sum", {}, {"numbers": "count", "more": "count"}))
    made, _ = carry_out(store, Recipe("more", steps))
    assert set(made["both"].manifest.inputs) == {"numbers", "more"}
    assert made["both"].key != made["sum"].key
