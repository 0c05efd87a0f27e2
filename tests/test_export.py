"""A saved encoder gives the same vectors in every library that reads it; what cannot be saved says so."""

from __future__ import annotations

import copy
import json
import stat
from pathlib import Path
from typing import Any

import encoder_models as tiny
import numpy as np
import pytest
import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file
from saved_encoders import LENGTH, PROMPTS, network, save, tokenizer
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

from mdr.engines.encoder import load_encoder
from mdr.engines.model_folder import POOLINGS, read_model_folder
from mdr.errors import InputError, MismatchError, ModelError, StorageError
from mdr.ports import Matrix
from mdr.training.export import join_towers, save_encoder, save_network

ROW = {"bert": "word_embeddings", "xlm-roberta": "word_embeddings", "modernbert": "tok_embeddings"}


def by_transformers(folder: Path, pooling: str, normalise: bool, prompt: str) -> Matrix:
    """Vectors as someone would make them who has nothing but transformers."""
    reader, body = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    rows = []
    for text in tiny.TEXTS:
        with torch.inference_mode():
            states = body(**reader(prompt + text, return_tensors="pt", truncation=True)).last_hidden_state[0]
        rows.append({"mean": states.mean(0), "cls": states[0], "lasttoken": states[-1]}[pooling].numpy())
    vectors = np.array(rows)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if normalise else vectors


def same(ours: Matrix, theirs: Matrix, least: float = 0.9999) -> None:
    lengths = np.linalg.norm(ours, axis=1), np.linalg.norm(theirs, axis=1)
    assert ((ours * theirs).sum(1) / lengths[0] / lengths[1]).min() >= least
    np.testing.assert_allclose(*lengths, rtol=1e-4)


STORED: dict[str, dict[str, Any]] = {
    "float32": {},
    "bfloat16": {"dtype": torch.bfloat16},
    "float16": {"dtype": torch.float16},
    "float8 rows": {"dtype": torch.bfloat16, "embedding_dtype": torch.float8_e4m3fn},
}
SHAPES: dict[str, tuple[str, str, bool]] = {
    "modernbert": ("modernbert", "mean", True),
    "bert": ("bert", "cls", True),
    "xlm-roberta": ("xlm-roberta", "lasttoken", False),
}


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_reader_gives_the_same_vectors(shape: str, stored: str, tmp_path: Path) -> None:
    kind, pooling, normalise = SHAPES[shape]
    folder = save(tmp_path / "model", kind, pooling=pooling, normalise=normalise, **STORED[stored])
    ours = load_encoder(str(folder), device="cpu", precision="float32")
    theirs = SentenceTransformer(str(folder), device="cpu")
    assert {weight.dtype for weight in theirs.parameters()} == {torch.float32}
    queries, passages = ours.encode(tiny.TEXTS, "query"), ours.encode(tiny.TEXTS, "passage")
    assert not np.allclose(queries, passages), "the prompt is read"
    same(queries, theirs.encode_query(tiny.TEXTS))
    same(passages, theirs.encode_document(tiny.TEXTS))
    same(queries, by_transformers(folder, pooling, normalise, PROMPTS["query"]))
    same(passages, by_transformers(folder, pooling, normalise, PROMPTS["passage"]))


@pytest.mark.parametrize(("stored", "least"), [("float32", 0.999999), ("bfloat16", 0.999), ("float8 rows", 0.99)])
def test_vectors_are_those_of_the_network(stored: str, least: float, tmp_path: Path) -> None:
    """What fewer bits cost; the exact number is that of random weights."""
    made, reader = network("modernbert"), tokenizer()
    save_encoder(made, reader, tmp_path, max_length=LENGTH, normalise=False, **STORED[stored])
    rows = []
    for text in tiny.TEXTS:
        with torch.inference_mode():
            ids = reader(text, return_tensors="pt", truncation=True, max_length=LENGTH)
            rows.append(made(ids["input_ids"]).last_hidden_state[0].mean(0).numpy())
    found, expected = load_encoder(str(tmp_path), device="cpu", precision="float32").encode(tiny.TEXTS, "query"), rows
    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() >= least


@pytest.mark.parametrize("kind", ROW)
def test_float8_is_for_token_embeddings_only(kind: str, tmp_path: Path) -> None:
    weights = load_file(save(tmp_path, kind, **STORED["float8 rows"]) / "model.safetensors")
    for name, weight in weights.items():
        assert weight.dtype == (torch.float8_e4m3fn if ROW[kind] in name else torch.bfloat16), name
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "float32"


@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_is_read_as_it_was_written(pooling: str, tmp_path: Path) -> None:
    model = read_model_folder(save(tmp_path, pooling=pooling, normalise=False))
    assert (model.pooling, model.normalise, model.max_length) == ((pooling,), False, LENGTH)
    assert model.prompts == PROMPTS


def test_shared_weights_are_stored_once(tmp_path: Path) -> None:
    made = tiny.network("t5").get_encoder()
    body = transformers.T5EncoderModel(made.config)
    save_encoder(body, tokenizer(), tmp_path, max_length=LENGTH, dtype=torch.bfloat16)
    assert len(body.state_dict().keys() & {"shared.weight", "encoder.embed_tokens.weight"}) == 2
    assert [name for name in load_file(tmp_path / "model.safetensors") if "shared" in name or "embed" in name] == [
        "shared.weight"
    ]
    assert load_encoder(str(tmp_path), device="cpu").dimension == tiny.WIDTH


@pytest.mark.parametrize("tied", [True, False])
def test_a_generator_says_the_same(tied: bool, tmp_path: Path) -> None:
    torch.manual_seed(3)
    sizes = {"vocab_size": tiny.VOCABULARY, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    config = transformers.T5Config(**sizes, decoder_start_token_id=0, tie_word_embeddings=tied)
    made = transformers.T5ForConditionalGeneration(config).eval()
    save_network(made, tokenizer(), tmp_path, max_length=LENGTH, **STORED["float8 rows"])
    found = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path).eval()
    ids = torch.arange(5, 15)[None]
    with torch.inference_mode():
        ours, theirs = (each(input_ids=ids, decoder_input_ids=ids).logits for each in (made, found))
    assert found.dtype == torch.float32
    assert torch.cosine_similarity(ours, theirs, dim=-1).min() >= 0.99


def test_saving_leaves_network_and_tokenizer_alone_and_repeats_itself(tmp_path: Path) -> None:
    made, reader = network("modernbert"), tokenizer()
    before = copy.deepcopy(made.state_dict())
    reader(["Nile"], padding="max_length", truncation=True, max_length=7)  # leaves both in a fast tokenizer
    for name in ("one", "two"):
        save_encoder(made, reader, tmp_path / name, max_length=LENGTH, **STORED["float8 rows"])
    assert all(torch.equal(weight, before[name]) for name, weight in made.state_dict().items())
    assert reader.model_max_length == 10**6
    one, two = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two
    assert json.loads(one[Path("tokenizer_config.json")])["tokenizer_class"] == "PreTrainedTokenizerFast"
    written = json.loads(one[Path("tokenizer.json")])
    assert written["truncation"] is written["padding"] is None
    assert stat.S_IMODE((tmp_path / "one" / "model.safetensors").stat().st_mode) == 0o644


def test_two_towers_are_one_encoder(tmp_path: Path) -> None:
    for seed, tower in enumerate(("query", "passage")):
        made = network("bert")
        torch.manual_seed(seed)
        with torch.no_grad():
            made.embeddings.word_embeddings.weight.add_(torch.randn(tiny.VOCABULARY, tiny.WIDTH))
        save_encoder(made, tokenizer(), tmp_path / tower, max_length=LENGTH, prompts=PROMPTS)
    join_towers(tmp_path)
    ours = load_encoder(str(tmp_path), device="cpu", precision="float32")
    alone = {tower: load_encoder(str(tmp_path / tower), device="cpu", precision="float32") for tower in PROMPTS}
    theirs = SentenceTransformer(str(tmp_path), device="cpu")
    for role, encode in (("query", theirs.encode_query), ("passage", theirs.encode_document)):
        found = ours.encode(tiny.TEXTS, role)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found, alone[role].encode(tiny.TEXTS, role))  # type: ignore[arg-type]
        same(found, encode(tiny.TEXTS))
    assert not np.allclose(ours.encode(tiny.TEXTS, "passage"), alone["query"].encode(tiny.TEXTS, "passage"))
    assert len({ours.fingerprint, *(each.fingerprint for each in alone.values())}) == 3
    assert ours.dimension == tiny.WIDTH


def test_towers_must_fit_each_other(tmp_path: Path) -> None:
    save(tmp_path / "query")
    save(tmp_path / "passage")
    join_towers(tmp_path)
    (tmp_path / "passage" / "mdr.json").write_text('{"dimension": 8}')
    with pytest.raises(MismatchError, match="32 dimensions, passages 8"):
        load_encoder(str(tmp_path), device="cpu")
    for text in ('{"query": "query"}', '{"query": "../query", "passage": "passage"}', '{"query": 1, "passage": ""}'):
        (tmp_path / "mdr.json").write_text(text)
        with pytest.raises(ModelError, match="names towers by"):
            load_encoder(str(tmp_path), device="cpu")


def test_weights_that_cannot_be_stored_are_refused(tmp_path: Path) -> None:
    def attempt(change: Any, **options: Any) -> None:
        made = network("bert")
        with torch.no_grad():
            change(made.embeddings.word_embeddings.weight)
        save_encoder(made, tokenizer(), tmp_path / "model", max_length=LENGTH, **options)

    with pytest.raises(InputError, match="diverged"):
        attempt(lambda rows: rows[3].fill_(float("nan")))
    with pytest.raises(InputError, match="too large for float16"):
        attempt(lambda rows: rows[3].fill_(1e5), **STORED["float16"])
    with pytest.raises(InputError, match=r"float8_e4m3fn.*would change by"):
        attempt(lambda rows: rows[3].fill_(1e4), **STORED["float8 rows"])
    with pytest.raises(InputError, match=r"float8_e4m3fn.*would change by"):
        attempt(lambda rows: rows.mul_(1e-3), **STORED["float8 rows"])
    for options, said in (({"pooling": "median"}, "unknown pooling 'median'"), ({"max_length": 0}, "max_length is 0")):
        with pytest.raises(InputError, match=said):
            save(tmp_path / "model", **options)
    assert not (tmp_path / "model").exists(), "nothing is written before all is known to be well"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full to stand for a full disk")
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_full_disk_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(StorageError, match="No space left") as told:
        save(tmp_path)
    assert "free some space" in told.value.remedy


def test_a_full_disk_is_told_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """safetensors says it in words only."""

    def full(*_: Any, **__: Any) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("transformers.modeling_utils.safe_save_file", full)
    with pytest.raises(StorageError, match="No space left"):
        save(tmp_path)
