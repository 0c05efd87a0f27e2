"""What recipes are said to cost: every stage is known, more costs more, and what is shared is counted once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Mdr, mdr

from mdr.pipeline import Recipe, Step
from mdr.recipes.methods import METHODS, recipe
from mdr.recipes.page import ASKED, WILD
from mdr.recipes.scales import SCALES, scale
from mdr.services.runs import estimates
from mdr.services.runs.estimates import DEVICES, SHAPES, Cost, Size, estimate, size_of
from mdr.stages import STAGES

__all__ = ["mdr"]  # a fixture

CPU = DEVICES["cpu"]
FULL = scale("full", Path("nowhere"))
KNOWN = {place: size_of(counts) for place, counts in FULL.expected.items()}


def costs(method: str = "lestm", device: estimates.Device = CPU, **changed: Size) -> dict[str, Cost]:
    return {cost.step.name: cost for cost in estimate(recipe(method, FULL), {**KNOWN, **changed}, device)}


def test_every_stage_and_every_model_that_a_scale_names_is_known() -> None:
    assert estimates._STAGES.keys() == STAGES.keys()
    for size in SCALES:
        its = scale(size, Path("nowhere"))
        assert {its.encoder, its.generator, its.reranker} - {""} <= SHAPES.keys()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_at_full_scale_has_costs(method: str) -> None:
    found = costs(method, DEVICES["h100"])
    assert all(cost.seconds >= 0 and cost.memory >= 0 and cost.what for cost in found.values())
    assert 3_600 < sum(cost.seconds for cost in found.values()) < 14 * 86_400
    assert 2e9 < max(cost.memory for cost in found.values()) < 1e12


def test_more_passages_and_slower_devices_cost_more() -> None:
    whole, half = costs()["vectors-1"], costs(wild=replace(KNOWN[WILD], passages=KNOWN[WILD].passages / 2))["vectors-1"]
    assert whole.seconds == pytest.approx(2 * half.seconds)
    assert whole.memory > 1.9 * half.memory
    seconds = [costs("umr", device)["scored-1"].seconds for device in DEVICES.values()]
    assert seconds == sorted(seconds, reverse=True)


def test_samples_bound_what_is_asked() -> None:
    collection = Step("c", "prepare", {"format": "x", "path": "x"})
    words = Step("w", "index-lexical", {}, {"collection": "c"})
    known = {"c": Size(langs=5, passages=1_000, queries=900, asking=3)}
    for samples, asked in ((0, "900 queries"), (100, "300 queries"), (500, "900 queries")):
        mine = Step("m", "mine", {"samples": samples}, {"collection": "c", "lexical": "w"})
        assert estimate(Recipe("r", (collection, words, mine)), known, CPU)[-1].what == asked
    assert KNOWN[ASKED].queries == 48_729


def test_trained_models_keep_their_shape() -> None:
    assert costs()["vectors-2"].seconds == pytest.approx(costs()["before-vectors"].seconds)


def test_what_several_runs_share_is_counted_once() -> None:
    whole, part = (estimate(recipe("lestm", FULL, variant), KNOWN, CPU) for variant in ("", "intersection"))
    shared = {cost.key for cost in whole} & {cost.key for cost in part}
    names = {cost.step.name for cost in whole if cost.key in shared}
    assert {"warm-up", "mined-1", "before"} <= names and "model-1" not in names


def test_the_plan_tells_time_and_memory_before_anything_is_there(mdr: Mdr, tmp_path: Path) -> None:
    asked = ("reproduce", "umr", "--scale", "full", "--data", str(tmp_path / "none"), "--plan", "--seeds", "2")
    told = mdr(*asked, "--on", "h100", "--json").json
    assert told["seconds"] > 3_600 and told["memory"] > 1e10 and told["device"] == "one H100"
    again = [step for step in told["steps"] if step["run"].endswith(".1") and step["step"] == "target"]
    assert again[0]["cost"] is None and told["steps"][0]["cost"]["seconds"] > 0
    wrong = mdr(*asked, "--on", "abacus")
    assert wrong.exit_code != 0 and "no estimates for 'abacus'" in wrong.stderr
