"""What a folder says and does not say; broken and hostile ones; fingerprints."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import encoder_models as tiny
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mdr.engines.encoder import load_encoder
from mdr.engines.probe import low_precision
from mdr.engines.transformer_encoder import batches
from mdr.errors import InputError, ModelError


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.sentence_transformer(tmp_path_factory.mktemp("transformer"), dense=16, prompts={"query": "q: "})


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.static(tmp_path_factory.mktemp("static"))


@pytest.fixture
def copy(tmp_path: Path, transformer: Path) -> Path:
    return Path(shutil.copytree(transformer, tmp_path / "copy"))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def nudge_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][5, 5] += 1
    save_file(weights, folder / "model.safetensors")


def nudge_dense(folder: Path) -> None:
    weights = load_file(folder / "2_Dense" / "model.safetensors")
    weights["linear.bias"][0] += 1
    save_file(weights, folder / "2_Dense" / "model.safetensors")


CHANGES: dict[str, Callable[[Path], None]] = {
    "weights": nudge_weights,
    "dense weights": nudge_dense,
    "tokenizer": lambda folder: change(folder / "tokenizer.json", truncation=None, extra=1),
    "prompts": lambda folder: change(folder / "config_sentence_transformers.json", prompts={"query": "Q: "}),
    "pooling": lambda folder: change(folder / "1_Pooling" / "config.json", pooling_mode="cls"),
    "config": lambda folder: change(folder / "config.json", layer_norm_eps=1e-3),
    "own length": lambda folder: (folder / "mdr.json").write_text('{"max_length": 12}'),
    "own dimension": lambda folder: (folder / "mdr.json").write_text('{"dimension": 8}'),
}


def test_the_fingerprint_is_of_content_not_place(transformer: Path, copy: Path) -> None:
    (copy / "README.md").write_text("Read me.")
    assert load_encoder(str(copy)).fingerprint == load_encoder(str(transformer)).fingerprint


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_vectors_changes_the_fingerprint(name: str, transformer: Path, copy: Path) -> None:
    CHANGES[name](copy)
    from mdr.engines.model_folder import read_model_folder

    assert read_model_folder(copy).fingerprint() != read_model_folder(transformer).fingerprint()


def test_overrides_count_in_the_fingerprint(static: Path) -> None:
    options: list[dict[str, Any]] = [{}, {"normalise": True}, {"dimension": 8}, {"prompts": {"query": "q: "}}]
    assert len({load_encoder(str(static), overrides=one).fingerprint for one in options}) == 4


def test_own_settings_are_followed(copy: Path, transformer: Path) -> None:
    (copy / "mdr.json").write_text('{"prompts": {"query": ""}, "max_length": 5, "dimension": 4}')
    encoder, other = load_encoder(str(copy), device="cpu"), load_encoder(str(transformer), device="cpu")
    assert encoder.dimension == 4
    long = encoder.encode(["The Nile is a long river", "The Nile is a lake"], "query")
    np.testing.assert_allclose(long[0], long[1], atol=1e-6)
    expected = other.encode(["Kahvi"], "passage")[:, :4]
    np.testing.assert_allclose(
        encoder.encode(["Kahvi"], "query"), expected / np.linalg.norm(expected), rtol=1e-4, atol=1e-5
    )


def test_given_options_go_before_the_folders_own(copy: Path) -> None:
    (copy / "mdr.json").write_text('{"dimension": 4}')
    assert load_encoder(str(copy), overrides={"dimension": 6}).dimension == 6


def test_a_legacy_pooling_config(copy: Path, transformer: Path) -> None:
    legacy = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (copy / "1_Pooling" / "config.json").write_text(json.dumps(legacy))
    found = load_encoder(str(copy), device="cpu").encode(["Kahvi"], "query")
    expected = load_encoder(str(transformer), device="cpu", overrides={"pooling": "cls"}).encode(["Kahvi"], "query")
    np.testing.assert_array_equal(found, expected)


BROKEN: dict[str, Callable[[Path], Any]] = {
    "no modules": lambda folder: [(folder / name).unlink() for name in ("modules.json", "config.json")],
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "no dense weights": lambda folder: (folder / "2_Dense" / "model.safetensors").unlink(),
    "no tokenizer": lambda folder: [path.unlink() for path in folder.glob("tokenizer*")],
    "no pooling config": lambda folder: (folder / "1_Pooling" / "config.json").unlink(),
    "cut weights": lambda folder: (folder / "model.safetensors").write_bytes(b"\x10\x00\x00"),
    "weights that are text": lambda folder: (folder / "model.safetensors").write_text("version https://git-lfs"),
    "modules that are no JSON": lambda folder: (folder / "modules.json").write_text("{"),
    "modules that are no list": lambda folder: (folder / "modules.json").write_text("{}"),
    "modules without types": lambda folder: (folder / "modules.json").write_text('[{"path": ""}]'),
    "modules that lead out": lambda folder: (folder / "modules.json").write_text(
        '[{"type": "x.Transformer", "path": "../elsewhere"}]'
    ),
    "no module": lambda folder: (folder / "modules.json").write_text("[]"),
    "an unknown module": lambda folder: (folder / "modules.json").write_text('[{"type": "evil.Code", "path": ""}]'),
    "an unknown pooling": lambda folder: change(folder / "1_Pooling" / "config.json", pooling_mode="median"),
    "an unknown similarity": lambda folder: change(
        folder / "config_sentence_transformers.json", similarity_fn_name="euclidean"
    ),
    "an unknown activation": lambda folder: change(folder / "2_Dense" / "config.json", activation_function="os.system"),
    "weights of another model": lambda folder: change(folder / "config.json", hidden_size=64),
    "fewer weights than layers": lambda folder: change(folder / "config.json", num_hidden_layers=3),
    "an architecture with own code": lambda folder: change(
        folder / "config.json", model_type="own", auto_map={"AutoModel": "code.Own"}
    ),
    "an unknown option": lambda folder: (folder / "mdr.json").write_text('{"poolng": "cls"}'),
    "a dimension of words": lambda folder: (folder / "mdr.json").write_text('{"dimension": "many"}'),
    "a dimension too large": lambda folder: (folder / "mdr.json").write_text('{"dimension": 1000}'),
    "prompts of numbers": lambda folder: (folder / "mdr.json").write_text('{"prompts": {"query": 3}}'),
    "prompts for nobody": lambda folder: (folder / "mdr.json").write_text('{"prompts": {"reader": ""}}'),
    "normalise of words": lambda folder: (folder / "mdr.json").write_text('{"normalise": "yes"}'),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_said(name: str, copy: Path) -> None:
    BROKEN[name](copy)
    with pytest.raises(ModelError) as caught:
        load_encoder(str(copy), device="cpu")
    assert caught.value.remedy


STATIC_BROKEN: dict[str, Callable[[Path], Any]] = {
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "tokenizer that is no JSON": lambda folder: (folder / "tokenizer.json").write_text("{"),
    "cut weights": lambda folder: (folder / "model.safetensors").write_bytes(b"\x10\x00\x00"),
    "no table": lambda folder: save_file({"other": np.ones(3, np.float32)}, folder / "model.safetensors"),
    "fewer rows than tokens": lambda folder: save_file(
        {"embedding.weight": np.ones((3, 4), np.float32)}, folder / "model.safetensors"
    ),
    "a dimension too large": lambda folder: (folder / "mdr.json").write_text('{"dimension": 1000}'),
}


@pytest.mark.parametrize("name", STATIC_BROKEN)
def test_a_broken_static_folder_is_said(name: str, static: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(static, tmp_path / "copy"))
    STATIC_BROKEN[name](folder)
    with pytest.raises(ModelError) as caught:
        load_encoder(str(folder))
    assert caught.value.remedy


@pytest.mark.parametrize(
    "name", ["", "./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", "owner/name", "name", "bad name!"]
)
def test_a_name_that_leads_nowhere_is_said(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        load_encoder(name)
    assert caught.value.remedy


def test_an_unknown_device_is_said(transformer: Path) -> None:
    with pytest.raises(InputError, match="device"):
        load_encoder(str(transformer), device="abacus")


def test_a_static_encoder_needs_no_torch(static: Path) -> None:
    program = (
        "import sys; from mdr.engines.encoder import load_encoder;"
        "load_encoder(sys.argv[1]).encode(['Nile'], 'query');"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(static)], check=True, cwd=Path(__file__).parents[1])


def test_batches_stay_within_the_budget() -> None:
    lengths = [*np.random.default_rng(0).integers(0, 60, 500).tolist(), 900]
    made = [places.tolist() for places in batches(lengths, 512)]
    assert sorted(chain.from_iterable(made)) == [place for place, length in enumerate(lengths) if length]
    for places in made:
        longest = max(lengths[place] for place in places)
        assert len(places) == 1 or len(places) * longest <= 512
    assert len(made) < sum(lengths) / 512 * 1.2 + 1


def test_the_probe_answers_and_remembers() -> None:
    first = low_precision("cpu", 64)
    hits = low_precision.cache_info().hits
    assert low_precision("cpu", 64) is first
    assert low_precision.cache_info().hits == hits + 1


def test_a_precision_can_be_asked_for(transformer: Path) -> None:
    texts = ["Kahvi keitetään", "The Nile", "กาแฟ", "নীল নদ", "coffee beans"]
    full = load_encoder(str(transformer), device="cpu", precision="float32").encode(texts, "passage")
    low = load_encoder(str(transformer), device="cpu", precision="bfloat16").encode(texts, "passage")
    assert (low != full).any()
    np.testing.assert_allclose(low, full, atol=0.05)
    with pytest.raises(InputError, match="no precision 'half'"):
        load_encoder(str(transformer), precision="half")
