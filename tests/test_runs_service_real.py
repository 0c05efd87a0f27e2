"""Real recipes as real processes: planned, run, told, reused, failed; and two runs compared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mdr import pipeline
from mdr.cli.run_events import recording
from mdr.core.permissions import Person
from mdr.core.summary import Asked, averages
from mdr.errors import InputError, MissingError
from mdr.services.runs.diff import diff, flat, gain
from mdr.services.runs.service import Runs
from mdr.settings import Settings
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.evaluation import write_evaluation
from mdr.types import Event

ANN = Person("ann", here=True)


@pytest.fixture
def runs(settings: Settings, tiny: Path) -> Runs:
    """With recipes that read the tiny collection: well, and from a folder that is not there."""
    own = settings.home / "recipes"
    own.mkdir(parents=True)
    for name, path in (("tiny", tiny), ("gone", tiny / "gone")):
        steps = f"[steps.collection]\nstage = 'prepare'\nsettings = {{ format = 'folder', path = '{path}' }}\n"
        (own / f"{name}.toml").write_text(f"name = '{name}'\n{steps}", encoding="utf-8")
    return Runs(settings, ArtefactStore(settings.store))


@pytest.mark.slow
def test_a_recipe_is_planned_run_and_reused(runs: Runs) -> None:
    assert [step.state for step in runs.plan("tiny")] == ["make"]
    job = runs.start(ANN, "tiny", event="event-001")
    assert [step.state for step in runs.steps(job)] == ["waiting"]
    assert runs.jobs.wait(60)
    job = runs.jobs.get(job.id)
    assert (job.state, job.name, job.by) == ("done", "tiny", "ann")
    [step] = runs.steps(job)
    assert step.state == "made" and step.key.startswith("collection/") and "6 passages" in job.log
    [named] = runs.named()
    assert [(its.step, its.key) for its in named.steps] == [("collection", step.key)]
    assert [its.state for its in runs.plan("tiny")] == ["reuse"]
    again = runs.start(ANN, "tiny", event="event-002")
    assert runs.jobs.wait(60)
    assert runs.jobs.get(again.id).journal.steps["collection"].state == "reused"


@pytest.mark.slow
def test_what_fails_says_why(runs: Runs) -> None:
    with pytest.raises(InputError, match="gone"):
        runs.plan("gone")
    job = runs.start(ANN, "gone")
    assert runs.jobs.wait(60)
    job = runs.jobs.get(job.id)
    assert job.state == "failed" and "gone" in job.journal.problem and job.journal.remedy
    assert runs.named() == []


# -- events as lines --------------------------------------------------------------------------------------


def _events() -> Iterator[Event]:
    yield Event("a", "started")
    for number in range(1_000):
        yield Event("a", "progress", "\ud800", number + 1, 1_000, "rows")
    yield Event("a", "note", data={"loss": float("nan"), "path": Path("x")})


def test_events_are_written_down_but_not_every_count(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with recording(file) as recorded:
        assert len(list(recorded(_events()))) == 1_002  # type: ignore[arg-type]
        with pytest.raises(InputError, match="another run"), recording(file):
            pass
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) < 100 and lines[-1]["end"] == "done"
    assert lines[-3]["done"] == 1_000 and lines[-2]["data"] == {"loss": None, "path": "x"}


@pytest.mark.parametrize(
    ("error", "end"),
    [(InputError("no", "do this"), "failed"), (KeyboardInterrupt(), "stopped"), (ValueError("odd"), "failed")],
)
def test_how_a_run_ended_is_the_last_line(tmp_path: Path, error: BaseException, end: str) -> None:
    file = tmp_path / "events.jsonl"
    with pytest.raises(type(error)), recording(file):
        raise error
    last = json.loads(file.read_text().splitlines()[-1])
    assert last["end"] == end
    if isinstance(error, InputError):
        assert (last["problem"], last["remedy"]) == ("no", "do this")


# -- two runs ---------------------------------------------------------------------------------------------


def evaluated(store: ArtefactStore, name: str, values: dict[str, float], steps: int) -> Artefact:
    """An evaluation artefact with one system, `values` by query."""
    asked = {query: Asked(query[-2:], query) for query in values}
    with store.draft("evaluation", name) as draft:
        summary = {
            "settings": {"measures": ["MRR@10"]},
            "systems": ["dense"],
            "averages": {"dense": {"MRR@10": averages(values, asked)}},
            "comparisons": {},
        }
        write_evaluation(draft.folder, summary, {"dense": {"MRR@10": values}}, asked)
        return store.publish(
            draft,
            stage="evaluate",
            version=1,
            settings={"training": {"steps": steps}, "pool": "all"},
            inputs={},
            fingerprints={"encoder": name},
        )


@pytest.fixture
def store(tmp_path: Path) -> ArtefactStore:
    store = ArtefactStore(tmp_path / "store")
    before = {f"q{number}.{lang}": 0.5 for number in range(12) for lang in ("ar", "ja")}
    after = {query: value + (0.25 if query.endswith("ja") else 0.0) for query, value in before.items()}
    one, two = evaluated(store, "one", before, 5), evaluated(store, "two", after, 7)
    store.name_run("one", {"evaluation": one.key}, {})
    store.name_run("two", {"evaluation": two.key, "more": one.key}, {})
    store.name_run("bare", {}, {})
    return store


def test_two_runs_differ_in_settings_and_fingerprints(store: ArtefactStore) -> None:
    found = diff(store, "one", "two")
    assert (found.same, found.only_left, found.only_right) == ((), (), ("more",))
    assert [(its.what, its.name, its.left, its.right) for its in found.changes] == [
        ("setting", "training.steps", 5, 7),
        ("fingerprint", "encoder", "one", "two"),
    ]
    assert diff(store, "one", "one").changes == () and diff(store, "one", "one").same == ("evaluation",)
    assert flat({"a": {}, "b": {"c": {"d": 1}}}) == {"a": {}, "b.c.d": 1}
    with pytest.raises(MissingError):
        diff(store, "one", "nothing")


def test_the_gain_of_each_language(store: ArtefactStore) -> None:
    store.name_run("later", {"evaluation": store.run("two")["evaluation"]}, {})
    found = gain(store, "one", "later")
    assert (found.system, found.measure, found.found["queries"]) == ("dense", "MRR@10", 24)
    languages = found.found["languages"]
    assert languages["ja"]["mean"] == pytest.approx(0.25) and languages["ja"]["holm"] < 0.05
    assert languages["ar"]["mean"] == 0 and languages["ar"]["holm"] > 0.5
    with pytest.raises(MissingError, match="nothing was evaluated in bare"):
        gain(store, "one", "bare")
    with pytest.raises(MissingError):
        gain(store, "one", "later", system="magic")


def test_plans_of_the_shipped_recipes_can_be_read(settings: Settings) -> None:
    its = Runs(settings, ArtefactStore(settings.store))
    shipped = {each.id: each for each in its.recipes()}
    assert all(each.recipe for each in shipped.values() if each.path)
    recipe = shipped["mine-sample"].recipe
    assert recipe
    assert [planned.state for planned in pipeline.plan(recipe, ArtefactStore(settings.store), None, {})][1:] == (  # type: ignore[arg-type]
        ["waits"] * (len(recipe.steps) - 1)
    )
