"""Recipe files, right and wrong ones: told with their place before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_recipes import carry_out, toys
from toy_stages import Count, ToyEngines, recipe

from mdr import pipeline
from mdr.errors import InputError, MdrError
from mdr.pipeline import Recipe, Step, recipe_from_data, recipe_from_file
from mdr.storage.artefacts import ArtefactStore

__all__ = ["toys"]  # fixtures


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
