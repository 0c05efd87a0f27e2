"""The train stage end to end on tiny models: a folder that others read, killed and resumed, by one process or two."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_training import bert, settings, static, steps, train
from streams import ended
from training_stage import Folders, given, pairs

from mdr import pipeline
from mdr.engines.encoder import load_encoder
from mdr.errors import ArtefactError, InputError
from mdr.pipeline import Recipe, Step
from mdr.ports import Encoder
from mdr.recipes.baselines import prepare
from mdr.storage.artefacts import ArtefactStore

__all__ = ["bert", "static"]  # fixtures


@pytest.mark.parametrize("kind", ["static", "bert"])
def test_what_is_trained_is_read_by_all(
    kind: str, store: ArtefactStore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    start = request.getfixturevalue(kind)
    model, events = train(store, settings(start), labelled=given(store, pairs(tmp_path / "p")))
    sentence_transformers = pytest.importorskip("sentence_transformers")
    texts = ["apple river", "music", "the doctor on the island"]
    ours = load_encoder(str(model.folder), device="cpu", precision="float32").encode(texts, "query")
    before = load_encoder(str(start), device="cpu", precision="float32").encode(texts, "query")
    theirs = sentence_transformers.SentenceTransformer(str(model.folder), device="cpu").encode(texts)
    np.testing.assert_allclose(_unit(ours), _unit(theirs), atol=1e-4)
    assert not np.allclose(_unit(ours), _unit(before), atol=1e-3), "nothing was learned"
    assert {"README.md", "log.jsonl", "model.safetensors"} <= {path.name for path in model.folder.iterdir()}
    log = [json.loads(line) for line in (model.folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [1, 2, 3, 4, 5, 6]
    assert {"losses", "rate", "gradient", "pairs", "seconds", "left"} <= set(log[0])
    told = [event for event in events if event.kind == "progress"]
    assert [event.done for event in told] == [1, 2, 3, 4, 5, 6] and told[-1].total == 6
    assert model.manifest.counts == {"steps": 6, "labelled": 16}


def _unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_plain_transformers_reader_sees_the_same_tokens(store: ArtefactStore, tmp_path: Path, bert: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    model, _ = train(store, settings(bert), labelled=given(store, pairs(tmp_path / "p")))
    tokenizer, network = AutoTokenizer.from_pretrained(model.folder), AutoModel.from_pretrained(model.folder)
    with torch.no_grad():
        tokens = network.eval()(**tokenizer("apple river", return_tensors="pt")).last_hidden_state.mean(1)
    ours = load_encoder(str(model.folder), device="cpu", precision="float32").encode(["apple river"], "query")
    np.testing.assert_allclose(_unit(tokens.numpy()), _unit(ours), atol=1e-4)


def test_a_run_that_was_stopped_goes_on_and_ends_alike(
    store: ArtefactStore, tmp_path: Path, bert: Path
) -> None:
    torch.set_num_threads(1)
    source = given(store, pairs(tmp_path / "p"))
    straight, _ = train(store, settings(bert), labelled=source)
    again = ArtefactStore(tmp_path / "again")
    run = steps(again, settings(bert), labelled=source)
    for event in run:
        if event.kind == "progress" and event.done == 5:
            run.close()
            break
    resumed, events = train(again, settings(bert), labelled=source)
    assert any("continues after step 4" in event.message for event in events)
    name = "model.safetensors"
    assert (resumed.folder / name).read_bytes() == (straight.folder / name).read_bytes()
    lines = (resumed.folder / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert resumed.manifest.recipe == straight.manifest.recipe
    assert not list(resumed.folder.glob(".*"))


def test_two_towers_learn_apart(store: ArtefactStore, tmp_path: Path, bert: Path) -> None:
    model, _ = train(store, settings(bert, tied=False), labelled=given(store, pairs(tmp_path / "p")))
    encoder = load_encoder(str(model.folder), device="cpu", precision="float32")
    query, passage = encoder.encode(["apple river"], "query"), encoder.encode(["apple river"], "passage")
    assert not np.allclose(query, passage, atol=1e-3)


def test_lora_leaves_a_plain_model(store: ArtefactStore, tmp_path: Path, bert: Path) -> None:
    pytest.importorskip("peft")
    from safetensors.torch import load_file

    values = settings(bert, lora={"rank": 2, "alpha": 4}, training={"steps": 4, "rate": 0.05})
    model, _ = train(store, values, labelled=given(store, pairs(tmp_path / "p")))
    before, after = load_file(bert / "model.safetensors"), load_file(model.folder / "model.safetensors")
    assert not [name for name in after if "lora" in name]
    moved = {name for name, weight in after.items() if name in before and not torch.equal(weight, before[name])}
    assert moved and not any("embeddings" in name or "bias" in name for name in moved)


def test_the_dev_collection_chooses_the_weights(
    store: ArtefactStore, tmp_path: Path, static: Path, tiny: Path
) -> None:
    recipe = Recipe("c", (prepare("folder", str(tiny)),))
    collection = ended(pipeline.run(recipe, store, Folders()))[0]["collection"]  # type: ignore[arg-type]
    values = settings(static, training={"steps": 6, "rate": 0.5, "every": 2}, sources={"split": "dev"})
    _, events = train(store, values, labelled=given(store, pairs(tmp_path / "p")), dev=collection)
    looks = [event.data["dev"] for event in events if "dev" in event.data]
    assert len(looks) == 3
    best = max(range(3), key=lambda place: looks[place])
    assert any(f"kept the weights of step {2 * (best + 1)}" in event.message for event in events)
    direct, _ = train(store, values, labelled=collection)
    assert direct.manifest.counts["labelled"] == 4


def test_the_fingerprint_is_of_the_model_that_training_begins_from(
    store: ArtefactStore, tmp_path: Path, static: Path, bert: Path
) -> None:
    """Without a name it begins from the base encoder, whatever encoder is set for searching."""

    class Named(Folders):
        def encoder(self, name: str) -> Encoder:
            return super().encoder(name or str(bert))

        def model_folder(self, name: str) -> Path:
            return super().model_folder(name or str(static))

    recipe = Recipe("r", (Step("model", "train", settings(Path("")) | {"start": ""}, {"labelled": "labelled"}),))
    source = given(store, pairs(tmp_path / "p"))
    model = ended(pipeline.run(recipe, store, Named(), given={"labelled": source}))[0]["model"]  # type: ignore[arg-type]
    assert model.manifest.fingerprints["start"] == load_encoder(str(static)).fingerprint
    assert load_encoder(str(model.folder)).dimension == load_encoder(str(static)).dimension


def test_a_guide_counts_by_its_weights_and_must_cut_texts_alike(
    store: ArtefactStore, tmp_path: Path, static: Path, bert: Path
) -> None:
    source = given(store, pairs(tmp_path / "p"))
    objectives = [{"loss": "contrast", "batch": 4, "sources": {"labelled": 1.0}, "margin": 0.5}]
    guide = Path(shutil.copytree(bert, tmp_path / "guide"))
    values = settings(bert, objectives=objectives, guide=str(guide))
    first, _ = train(store, values, labelled=source)
    moved, _ = train(store, {**values, "guide": str(guide.rename(tmp_path / "moved"))}, labelled=source)
    assert moved.key == first.key, "where a guide lies does not matter"
    other = Path(shutil.copytree(first.folder, tmp_path / "other"))
    changed, _ = train(store, {**values, "guide": str(other)}, labelled=source)
    assert changed.key != first.key, "its weights do"
    with pytest.raises(InputError, match="cuts texts into other tokens"):
        train(store, {**values, "guide": str(static)}, labelled=source)


def test_two_trainings_of_one_artefact_do_not_meet(store: ArtefactStore, tmp_path: Path, static: Path) -> None:
    source = given(store, pairs(tmp_path / "p"))
    first = steps(store, settings(static), labelled=source)
    next(event for event in first if event.kind == "progress")
    with pytest.raises(ArtefactError, match="another process is making"):
        train(store, settings(static), labelled=source)
    first.close()
    assert (train(store, settings(static), labelled=source)[0].folder / "model.safetensors").is_file()


def test_two_processes_make_one_artefact(store: ArtefactStore, tmp_path: Path, bert: Path) -> None:
    """Started as `torchrun` does: both train, one writes, and the weights are those of one process."""
    source = given(store, pairs(tmp_path / "p"))
    values = settings(bert, training={"steps": 3, "rate": 1e-3}, dropout=0.0)
    alone, _ = train(ArtefactStore(tmp_path / "alone"), values, labelled=source)
    program = (
        "import sys, json; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "import torch; torch.set_num_threads(1)\n"
        "import encoder_training as here\n"
        "from mdr.storage.artefacts import ArtefactStore\n"
        "store = ArtefactStore(Path(sys.argv[2]))\n"
        "here.train(store, json.loads(sys.argv[3]), labelled=store.get(sys.argv[4]))\n"
    )
    arguments = [str(Path(__file__).parent), str(store.root), json.dumps(values), source.key]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    for process in started:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said.decode()[-2000:]
    [model] = [artefact for artefact in store.all() if artefact.manifest.kind == "model"]
    texts = ["apple river", "music", "the doctor on the island"]  # weights that change nothing move by float noise
    one, two = (
        load_encoder(str(folder), device="cpu", precision="float32").encode(texts, "query")
        for folder in (alone.folder, model.folder)
    )
    np.testing.assert_allclose(one, two, atol=1e-4)
