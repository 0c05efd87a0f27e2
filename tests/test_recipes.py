"""The methods as recipes: every variant at every scale is whole, reads no grade that it should not, and is measured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mdr import pipeline
from mdr.core.summary import Asked
from mdr.errors import InputError, MissingError
from mdr.recipes.methods import METHODS, recipe
from mdr.recipes.page import LABELLED, MIXED, TARGET, TEXTS, WILD
from mdr.recipes.scales import SCALES, scale
from mdr.services.runs import reproduction
from mdr.settings import Settings
from mdr.storage.artefacts import ArtefactStore
from mdr.storage.evaluation import write_evaluation

DATA = Path("nowhere")
EVERY = [
    (method, variant, size)
    for method, its in METHODS.items()
    for variant in ("", *its.variants)
    for size in SCALES
    if not variant or variant in its.possible(scale(size, DATA))
]


@pytest.mark.parametrize(("method", "variant", "size"), EVERY)
def test_every_variant_is_whole(method: str, variant: str, size: str) -> None:
    """Stages, settings and inputs fit each other, and a recipe file would say the same."""
    made = recipe(method, scale(size, DATA), variant, seed=3)
    pipeline.check(made)
    assert pipeline.recipe_from_data(made.as_data()) == made
    assert re.fullmatch(r"[\w.-]{1,100}", reproduction.run_name(method, size, variant, 3)), "what a run may be called"
    taken = {name for step in made.steps for name in step.inputs.values()}
    assert {step.name for step in made.steps if step.stage in ("prepare", "read-texts")} <= taken, "no idle material"
    measured = [step for step in made.steps if step.stage == "evaluate"]
    assert len(measured) >= 2 and all(step.inputs["collection"] in (TARGET, MIXED) for step in measured)


@pytest.mark.parametrize(("method", "variant", "size"), EVERY)
def test_nothing_learns_from_what_is_measured(method: str, variant: str, size: str) -> None:
    made = recipe(method, scale(size, DATA), variant)
    taking = {step.stage for step in made.steps if {TARGET, MIXED} & set(step.inputs.values())}
    assert taking <= {"evaluate", "index-lexical", "index-dense"}


def test_umr_takes_in_no_pair_and_no_grade() -> None:
    made = recipe("umr", scale("small", DATA))
    learning = [step for step in made.steps if step.stage in ("train", "score")]
    assert {slot for step in learning for slot in step.inputs} == {"collection", "dense", "queries", "scored", "start"}
    assert LABELLED not in {name for step in learning for name in step.inputs.values()}


def test_lestm_trains_every_round_from_the_warm_up() -> None:
    made = {step.name: step for step in recipe("lestm", scale("small", DATA)).steps}
    assert made["model-1"].inputs["start"] == made["model-2"].inputs["start"] == "warm-up"
    assert made["vectors-1"].inputs["model"] == "warm-up" and made["vectors-2"].inputs["model"] == "model-1"
    assert made["mined-2"].inputs["collection"] == WILD and made["mined-2"].settings["round"] == 2


@pytest.mark.parametrize("method", METHODS)
def test_what_is_measured_first_is_what_training_begins_from(method: str) -> None:
    """And it is the shipped encoder that has seen no label."""
    made = recipe(method, scale("small", DATA))
    begun = {step.settings["start"] for step in made.steps if step.stage == "train" and "start" not in step.inputs}
    indexes = [step for step in made.steps if step.stage == "index-dense" and "model" not in step.inputs]
    first = {step.settings["encoder"] for step in indexes}
    assert begun == first == {"base"}
    settings = Settings()
    assert settings.model("base") == settings.base_encoder != settings.default_encoder


def test_seeds_reach_every_step_that_draws() -> None:
    one, other = (recipe("quick", scale("demo", DATA), seed=seed) for seed in (1, 2))
    differ = {step.name for step, its in zip(one.steps, other.steps, strict=True) if step.settings != its.settings}
    assert {"mined", "lists", "writer", "teacher", "scored-1", "asked-1", "model-1"} <= differ


def test_what_is_not_there_is_named() -> None:
    demo = scale("demo", DATA)
    bare = replace(demo, material=tuple(step for step in demo.material if step.name != TEXTS))
    warm = "language-contrastive warm-up"
    for method, variant in (("language-agnostic", ""), ("umr", warm), ("lestm", warm)):
        with pytest.raises(InputError, match="needs texts, and the scale 'demo' has none"):
            recipe(method, bare, variant)
    with pytest.raises(InputError, match="quick needs posed, and the scale 'demo' has none"):
        recipe("quick", demo, "parallel questions")
    assert "parallel questions" not in reproduction.chosen("quick", ["all"], demo)
    assert "parallel questions" in reproduction.chosen("quick", ["all"], scale("small", DATA))
    with pytest.raises(InputError, match="no method 'bm26'"):
        recipe("bm26", scale("demo", DATA))
    with pytest.raises(InputError, match="no variant 'x'"):
        recipe("umr", scale("demo", DATA), "x")
    with pytest.raises(InputError, match="no scale 'huge'"):
        scale("huge", DATA)
    with pytest.raises(InputError, match="no variant 'x'"):
        reproduction.chosen("lestm", ["x"], demo)


def measured(store: ArtefactStore, run: str, steps: Mapping[str, Mapping[str, float]]) -> None:
    """A run with evaluations of one query in each of two languages."""
    asked = {"q.en": Asked("en", "q.en"), "q.fi": Asked("fi", "q.fi")}
    keys = {}
    for step, means in steps.items():
        pool = "all" if step.endswith(MIXED) else "own"
        summary = {
            "systems": list(means),
            "settings": {"measures": ["MRR@10"], "pool": pool},
            "bias": dict.fromkeys(means, {"same_language": 0.25} if pool == "all" else None),
        }
        values = {system: {"MRR@10": {"q.en": mean, "q.fi": mean / 2}} for system, mean in means.items()}
        with store.draft("evaluation", f"{run}-{step}".replace(".", "-")) as draft:
            write_evaluation(draft.folder, summary, values, asked)
            made = store.publish(draft, stage="evaluate", version=1, settings={}, inputs={}, fingerprints={})
        keys[step] = made.key
    store.name_run(run, keys, {})


def test_evidence_is_read_from_the_runs(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path)
    with pytest.raises(MissingError, match="no run of umr"):
        reproduction.rows(store, "umr", "demo")
    before = {"bm25": 0.8, "dense": 0.4, "hybrid": 0.8}
    for seed, after in ((0, 0.6), (1, 0.8)):
        measured(
            store,
            reproduction.run_name("umr", "demo", "", seed),
            {
                "before": before,
                f"before-{MIXED}": {"dense": 0.2},
                "round-1": {"bm25": 0.8, "dense": after, "hybrid": 0.9},
                f"round-1-{MIXED}": {"dense": 0.4},
            },
        )
    found = {(row.step, row.system): row for row in reproduction.rows(store, "umr", "demo")}
    assert set(found) == {
        ("before", "bm25"),
        ("before", "dense"),
        ("before", "hybrid"),
        ("round-1", "dense"),
        ("round-1", "hybrid"),
        (f"before-{MIXED}", "dense"),
        (f"round-1-{MIXED}", "dense"),
    }
    assert [row.pool for row in found.values()] == ["own"] * 5 + ["all"] * 2
    mixed = found[f"round-1-{MIXED}", "dense"]
    assert mixed.gain == pytest.approx(0.75 * 0.2) and mixed.same_language == 0.25
    row = found["round-1", "dense"]
    assert row.seeds == 2 and row.mean == pytest.approx(0.75 * 0.7) and row.gain == pytest.approx(0.75 * 0.3)
    assert row.spread == pytest.approx(0.75 * 0.2) and row.languages == pytest.approx({"en": 0.7, "fi": 0.35})
    assert found["before", "dense"].gain == 0 and found["before", "bm25"].gain == pytest.approx(0.75 * 0.4)
    after = {(row.step, row.system): row for row in reproduction.rows(store, "umr", "demo", against="whole/round-1")}
    assert after["round-1", "dense"].gain == 0 and after["before", "dense"].gain == pytest.approx(-0.75 * 0.3)
    assert after[f"before-{MIXED}", "dense"].gain == pytest.approx(-0.75 * 0.2)
    assert 'over the encoder of round-1' in reproduction.markdown("umr", "demo", list(after.values()), "round-1")
    with pytest.raises(MissingError, match="nothing called 'round-2' was measured"):
        reproduction.rows(store, "umr", "demo", against="round-2")
    reproduction.check_against("umr", scale("demo", DATA), "round-2")
    with pytest.raises(InputError, match="umr measures nothing called 'round-7'"):
        reproduction.check_against("umr", scale("demo", DATA), "round-7")
    shown = reproduction.markdown("umr", "demo", list(found.values()))
    assert "| whole | round-1 | dense | 0.525 |" in shown and "| 2 | 0.150 | +0.225" in shown
    assert "| +0.150" in shown and "| 25% |" in shown and shown.count("own language in top 10") == 1
