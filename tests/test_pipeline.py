"""Recipes carried out: reuse exactly when nothing changed, and problems told."""

from __future__ import annotations

import pytest
from toy_recipes import TOTAL, carry_out, kinds, toys
from toy_stages import Count, Sum, ToyEngines, recipe

from mdr import pipeline
from mdr.errors import InputError
from mdr.pipeline import Recipe, Step, recipe_from_data
from mdr.stages.stage import Slots
from mdr.storage.artefacts import ArtefactStore

__all__ = ["toys"]  # fixtures

# -- reuse ----------------------------------------------------------------------------------------------------


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


def test_what_cannot_work_is_said_before_anything_is_made(
    store: ArtefactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Sum, slots: Slots) -> None:
        if "more" not in slots:
            raise InputError("toy-sum: there is no more", "give it")

    monkeypatch.setattr(Sum, "refuse", refuse)
    for does in (pipeline.plan, pipeline.run):
        with pytest.raises(InputError, match="there is no more") as error:
            list(does(recipe(), store, ToyEngines()))  # type: ignore[operator]
        assert "in step 'sum' (stage toy-sum)" in error.value.__notes__
    assert Count.built == 0


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


# -- verify ---------------------------------------------------------------------------------------------------


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
