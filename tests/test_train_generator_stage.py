"""The stage that trains generators, on tiny language models: what is written and preferred afterwards, what is kept of
the form in which they are asked, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import generator_models as tiny
import numpy as np
import pytest
import torch
from training_stage import Folders, given, made_by, pairs, steps_of, texts_of

from mdr.engines.generator import TransformerGenerator, load_generator
from mdr.engines.generator_folder import options_of, read_generator_folder
from mdr.engines.vocabulary_languages import FILE, write_own_tokens
from mdr.errors import InputError
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.pairs import Pair, PairWriter, Scored
from mdr.types import Event, Passage, Query

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.generator(tmp_path_factory.mktemp("t5"))
    (folder / "mdr.json").write_text(json.dumps({"prompt": "<{lang}> {passage}", "target": "{query}", "top_k": 1}))
    return folder


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.generator(tmp_path_factory.mktemp("gpt"), "gpt2", vocabulary="bytes")


WRITES = {"loss": "likelihood", "batch": 8, "sources": {"labelled": 1.0}}
RANKS = {"loss": "ranking", "batch": 4, "sources": {"mined": 1.0}}


def settings(start: Path, *objectives: dict[str, Any], **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "start": str(start),
        "device": "cpu",
        "precision": "float32",
        "objectives": list(objectives) or [WRITES],
        "sources": {"candidates": 2},
        "training": {"steps": 6, "rate": 1e-3, "checkpoint": 2},
    }
    return {**values, **changes}


def train(store: ArtefactStore, values: dict[str, Any], **inputs: Artefact) -> tuple[Artefact, list[Event]]:
    return made_by(steps_of("train-generator", store, values, Folders(), **inputs))


def load(folder: Path) -> TransformerGenerator:
    loaded = load_generator(str(folder), device="cpu", precision="float32")
    assert isinstance(loaded, TransformerGenerator)
    return loaded


@pytest.mark.parametrize("kind", ["t5", "gpt"])
def test_it_learns_what_it_is_then_asked(
    kind: str, store: ArtefactStore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """After training on pairs their queries are likelier, by the engine's own measure: it is trained as it is asked."""
    start = request.getfixturevalue(kind)
    source = given(store, pairs(tmp_path / "p"))
    made, events = train(store, settings(start, training={"steps": 40, "rate": 0.01, "warmup": 0.1}), labelled=source)
    queries, passages = texts_of(source)
    before, after = (load(folder).log_likelihood(queries, passages) for folder in (start, made.folder))
    assert (after > before + 1).all()
    told = [event.data["losses"]["loss"] for event in events if event.kind == "progress"]
    assert -after.mean() < told[0] / 2, "the loss is the likelihood that the engine tells"
    assert made.manifest.kind == "generator" and made.manifest.counts == {"steps": 40, "labelled": 16}
    assert {"README.md", "log.jsonl", "mdr.json", "config.json"} <= {path.name for path in made.folder.iterdir()}


def test_the_first_loss_is_the_engines_likelihood(store: ArtefactStore, tmp_path: Path, t5: Path, gpt: Path) -> None:
    source = given(store, pairs(tmp_path / "p", languages=("en",)))
    queries, passages = texts_of(source)
    for start in (t5, gpt):
        values = settings(start, training={"steps": 1}, dropout=0.0)
        _, events = train(store, values, labelled=source)
        [told] = [event.data["losses"]["loss"] for event in events if event.kind == "progress"]
        generator = load(start)
        likelihoods = generator.log_likelihood(queries, passages)
        lengths = np.array([len(ids) for ids in generator._prompts.targets([query.text for query in queries])])
        assert told == pytest.approx(-(likelihoods * lengths).sum() / lengths.sum(), rel=1e-4)


def scored(store: ArtefactStore, folder: Path, *, answered: bool = True) -> Artefact:
    """Lists of three candidates, the answer first."""
    folder.mkdir()
    with PairWriter(folder) as writer:
        for number in range(8):
            named = [Passage(f"{number}{place}", "en", "", f"{place} bread {number} music") for place in range(3)]
            writer.passages(named)
            evidence = {"pair": {"origin": "labelled"}} if answered else {}
            ids = tuple(each.id for each in named)
            writer.score(Scored(Query(f"q{number}", "en", f"bread {number} 0"), ids, (-1.0, -2.0, -3.0), evidence))
    return given(store, folder)


def test_it_learns_to_prefer_the_passages_that_queries_are_about(
    store: ArtefactStore, tmp_path: Path, t5: Path
) -> None:
    source = given(store, pairs(tmp_path / "m", origin="mined"))
    inputs = {"mined": source, "scored": scored(store, tmp_path / "s")}
    both = RANKS | {"sources": {"mined": 1.0, "scored": 1.0}}
    values = settings(t5, both, training={"steps": 40, "rate": 0.01}, dropout=0.0)
    made, events = train(store, values, **inputs)
    losses = [event.data["losses"] for event in events if event.kind == "progress"]
    name = "ranking mined lists+scored lists"
    first, last = (np.mean([each[name] for each in losses[part]]) for part in (slice(5), slice(-5, None)))
    assert last < first / 2
    assert made.manifest.counts == {"steps": 40, "mined lists": 16, "scored lists": 8}
    queries, passages = texts_of(source)
    generator = load(made.folder)
    others = [*passages[1:8], passages[0], *passages[9:], passages[8]]
    right, wrong = (generator.log_likelihood(queries, its) for its in (passages, others))
    assert (right > wrong).mean() > 0.8


def test_a_step_before_is_where_it_begins(store: ArtefactStore, tmp_path: Path, t5: Path) -> None:
    """Generation first, ranking after: the second begins from the artefact of the first."""
    source = given(store, pairs(tmp_path / "p"))
    first, _ = train(store, settings(t5), labelled=source)
    ranks = RANKS | {"sources": {"labelled": 1.0}}
    by_slot, _ = train(store, settings(t5, ranks), start=first, labelled=source)
    assert by_slot.manifest.fingerprints["start"] == load(first.folder).fingerprint
    by_name, _ = train(store, settings(first.folder, ranks), labelled=source)
    assert by_name.manifest.fingerprints == by_slot.manifest.fingerprints
    again, events = train(store, settings(t5, ranks), start=first, labelled=source)
    assert again.key == by_slot.key and [event.kind for event in events] == ["reused"]


def test_weights_are_what_names_the_start(store: ArtefactStore, tmp_path: Path, t5: Path) -> None:
    source = given(store, pairs(tmp_path / "p"))
    here = Path(shutil.copytree(t5, tmp_path / "start"))
    first, _ = train(store, settings(here), labelled=source)
    moved, _ = train(store, settings(here.rename(tmp_path / "moved")), labelled=source)
    assert moved.key == first.key, "where it lies does not matter"
    shutil.copytree(first.folder, here)
    changed, _ = train(store, settings(here), labelled=source)
    assert changed.key != first.key, "other weights under the same name do"


def test_a_run_that_was_stopped_goes_on_and_ends_alike(store: ArtefactStore, tmp_path: Path, t5: Path) -> None:
    source = given(store, pairs(tmp_path / "p"))
    values = settings(t5, WRITES, RANKS | {"sources": {"labelled": 1.0}})
    straight, _ = train(store, values, labelled=source)
    again = ArtefactStore(tmp_path / "again")
    run = steps_of("train-generator", again, values, Folders(), labelled=source)
    next(event for event in run if event.kind == "progress" and event.done == 5)
    run.close()
    resumed, events = train(again, values, labelled=source)
    assert any("continues after step 4" in event.message for event in events)
    name = "model.safetensors"
    assert (resumed.folder / name).read_bytes() == (straight.folder / name).read_bytes()
    assert not list(resumed.folder.glob(".*"))


def test_heavy_pairs_count_more(store: ArtefactStore, tmp_path: Path, t5: Path) -> None:
    """The loss is the mean over tokens, those of a query times its weight; without any weight there is nothing."""
    folder = tmp_path / "w"
    folder.mkdir()
    texts = [(f"q{number}", f"bread music {number}", number + 1.0) for number in range(4)]
    with PairWriter(folder) as writer:
        writer.passages([Passage("p", "en", "", "music and bread")])
        for id, text, weight in texts:
            writer.add(Pair(Query(id, "en", text), ("p",), weight=weight))
        writer.add(Pair(Query("none", "en", "garden"), ("p",), weight=0.0))
    values = settings(t5, WRITES | {"batch": 8}, training={"steps": 1}, dropout=0.0)
    made, events = train(store, values, labelled=given(store, folder))
    assert made.manifest.counts["labelled"] == 4
    [told] = [event.data["losses"]["loss"] for event in events if event.kind == "progress"]
    generator = load(t5)
    passage = Passage("p", "en", "", "music and bread")
    likelihoods = generator.log_likelihood([Query(id, "en", text) for id, text, _ in texts], [passage] * 4)
    lengths = np.array([len(ids) for ids in generator._prompts.targets([text for _, text, _ in texts])])
    weights = lengths * np.array([weight for *_, weight in texts])
    assert told == pytest.approx(-(likelihoods * weights).sum() / weights.sum(), rel=1e-4)


@pytest.mark.parametrize(("objective", "what"), [(WRITES, "likelihood"), (RANKS, "rank")])
def test_held_out_queries_choose_the_weights(
    objective: dict[str, Any], what: str, store: ArtefactStore, tmp_path: Path, t5: Path
) -> None:
    source = given(store, pairs(tmp_path / "p"))
    objective = objective | {"sources": {"labelled": 1.0}}
    training = {"steps": 6, "rate": 0.3, "every": 2}
    values = settings(t5, objective, training=training, sources={"candidates": 2, "holdout": 0.4})
    made, events = train(store, values, labelled=source)
    looks = [event.data["dev"] for event in events if "dev" in event.data]
    assert len(looks) == 3 and made.manifest.counts["steps"] == 6
    best = max(range(3), key=lambda place: looks[place])
    assert any(f"kept the weights of step {2 * (best + 1)}" in event.message for event in events)
    assert all(look < 0 for look in looks) if what == "likelihood" else all(0.5 <= look <= 1 for look in looks)


def test_it_is_asked_as_the_one_it_began_from(store: ArtefactStore, tmp_path: Path, t5: Path) -> None:
    """Prompt, lengths, sampling and the tokens of languages go along."""
    start = Path(shutil.copytree(t5, tmp_path / "start"))
    write_own_tokens(start, {"en": np.arange(tiny.VOCABULARY) % 2 == 0})
    made, _ = train(store, settings(start), labelled=given(store, pairs(tmp_path / "p")))
    before, after = (read_generator_folder(folder) for folder in (start, made.folder))
    assert options_of(before) == options_of(after) and after.prompt == "<{lang}> {passage}"
    assert (made.folder / FILE).read_bytes() == (start / FILE).read_bytes()


def test_lora_leaves_a_plain_generator(store: ArtefactStore, tmp_path: Path, t5: Path) -> None:
    pytest.importorskip("peft")
    from safetensors.torch import load_file

    values = settings(t5, lora={"rank": 2, "alpha": 4}, training={"steps": 4, "rate": 0.05})
    made, _ = train(store, values, labelled=given(store, pairs(tmp_path / "p")))
    before, after = load_file(t5 / "model.safetensors"), load_file(made.folder / "model.safetensors")
    assert before.keys() == after.keys()
    moved = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    assert moved and "shared.weight" not in moved
    queries, passages = texts_of(given(store, tmp_path / "p"))
    assert np.isfinite(load(made.folder).log_likelihood(queries, passages)).all()


def test_a_slot_that_nobody_draws_from_is_said(store: ArtefactStore, tmp_path: Path, t5: Path) -> None:
    inputs = {"labelled": given(store, pairs(tmp_path / "p")), "mined": given(store, pairs(tmp_path / "m"))}
    _, events = train(store, settings(t5), **inputs)
    assert any(event.kind == "warning" and "mined is given" in event.message for event in events)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": [{"loss": "contrast", "sources": {"labelled": 1.0}}]}, "a generator cannot learn 'contrast'"),
        ({"objectives": [WRITES | {"sources": {"mined": 1.0}}]}, "draws from 'mined'; the sources are none"),
        ({"objectives": [RANKS]}, "draws from 'mined lists'; the sources are none"),
        (
            {"objectives": [RANKS | {"sources": {"labelled": 1.0}}], "sources": {"candidates": 4}},
            "'labelled' has no list of 4 candidates; the longest has 2",
        ),
        ({"sources": {"holdout": 0.999}}, "'labelled' has no pairs to train on"),
    ],
)
def test_what_makes_no_sense_is_said(
    changes: dict[str, Any], message: str, store: ArtefactStore, tmp_path: Path, t5: Path
) -> None:
    with pytest.raises(InputError, match=message) as error:
        train(store, settings(t5, **changes), labelled=given(store, pairs(tmp_path / "p")))
    assert error.value.remedy and "stage train-generator" in error.value.__notes__[0]


def test_poor_sources_are_said(store: ArtefactStore, tmp_path: Path, t5: Path) -> None:
    with pytest.raises(InputError, match="train-generator: there is nothing to learn from"):
        train(store, settings(t5))
    ranks = settings(t5, RANKS | {"sources": {"scored": 1.0}})
    with pytest.raises(InputError, match="no list of the source 'scored' begins with a known answer"):
        train(store, ranks, scored=scored(store, tmp_path / "s", answered=False))
    empty = tmp_path / "empty"
    empty.mkdir()
    with PairWriter(empty) as writer:
        writer.drop(Pair(Query("q", "en", "x"), (), rule="round trip"))
    with pytest.raises(InputError, match="'labelled' has no pairs") as error:
        train(store, settings(t5), labelled=given(store, empty))
    assert "why it dropped the rest" in error.value.remedy
    with pytest.raises(InputError, match="neither pairs nor lists"):
        train(store, ranks, scored=given(store, empty))
