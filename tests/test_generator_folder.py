"""What a generator's folder says and does not say; broken and hostile ones; fingerprints."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import generator_models as tiny
import numpy as np
import pytest
from generator_folders import NILE, QUERY, change, copy, load, t5
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM

from mdr.engines.generator import load_generator
from mdr.engines.generator_folder import read_generator_folder
from mdr.errors import InputError, ModelError

__all__ = ["copy", "t5"]  # fixtures


def nudge(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["shared.weight"][5, 5] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


CHANGES: dict[str, Callable[[Path], Any]] = {
    "weights": nudge,
    "tokenizer": lambda folder: change(folder / "tokenizer.json", extra=1),
    "config": lambda folder: change(folder / "config.json", layer_norm_epsilon=1e-3),
    "ends": lambda folder: change(folder / "generation_config.json", eos_token_id=[1, 2]),
    "chat template": lambda folder: (folder / "chat_template.jinja").write_text("{{ messages }}"),
    **{
        name: lambda folder, name=name, value=value: (folder / "mdr.json").write_text(json.dumps({name: value}))  # type: ignore[misc]
        for name, value in {
            "prompt": "{passage}",
            "target": "{query}",
            "max_length": 99,
            "max_query_length": 9,
            "top_k": 9,
            "top_p": 0.9,
            "temperature": 2,
        }.items()
    },
}


def test_the_fingerprint_is_of_content_not_place(t5: Path, copy: Path) -> None:
    (copy / "README.md").write_text("Read me.")
    assert read_generator_folder(copy).fingerprint() == read_generator_folder(t5).fingerprint()


def test_whatever_changes_answers_changes_the_fingerprint(t5: Path, tmp_path: Path) -> None:
    found = {read_generator_folder(t5).fingerprint()}
    for number, alter in enumerate(CHANGES.values()):
        folder = Path(shutil.copytree(t5, tmp_path / str(number)))
        alter(folder)
        found.add(read_generator_folder(folder).fingerprint())
    assert len(found) == len(CHANGES) + 1


def test_given_options_go_before_the_folders_own(copy: Path) -> None:
    (copy / "mdr.json").write_text('{"top_k": 4, "top_p": 1}')
    found = read_generator_folder(copy, {"top_k": 6})
    assert (found.top_k, found.top_p) == (6, 1.0)


def masked(folder: Path) -> None:
    shape = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 1, "intermediate_size": 32}
    BertForMaskedLM(BertConfig(vocab_size=tiny.VOCABULARY, **shape)).save_pretrained(folder)


def encoder_only(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("decoder")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def without_ends(folder: Path) -> None:
    (folder / "generation_config.json").unlink()
    change(folder / "config.json", eos_token_id=None)
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    del tokenizer["eos_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))


def own(**options: Any) -> Callable[[Path], Any]:
    return lambda folder: (folder / "mdr.json").write_text(json.dumps(options))


BROKEN: dict[str, Callable[[Path], Any]] = {
    "no config": lambda folder: (folder / "config.json").unlink(),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "no tokenizer": lambda folder: [path.unlink() for path in folder.glob("tokenizer*")],
    "cut weights": lambda folder: (folder / "model.safetensors").write_bytes(b"\x10\x00\x00"),
    "weights of another model": lambda folder: change(folder / "config.json", d_model=64),
    "a pickle": lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
    "an encoder without its decoder": encoder_only,
    "a model that fills gaps": masked,
    "an architecture with own code": lambda folder: change(
        folder / "config.json", model_type="own", auto_map={"AutoModelForSeq2SeqLM": "code.Own"}
    ),
    "no end": without_ends,
    "settings that are no JSON": lambda folder: (folder / "mdr.json").write_text("{"),
    "settings that are a list": lambda folder: (folder / "mdr.json").write_text("[]"),
    "an unknown option": own(promt="{passage}"),
    "a prompt without passage": own(prompt="Ask in {language}."),
    "a prompt with two": own(prompt="{passage} {passage}"),
    "a prompt with more": own(prompt="{passage} {passage.id}"),
    "a prompt with a format": own(prompt="{passage!r:>9}"),
    "a broken prompt": own(prompt="{passage"),
    "a prompt of numbers": own(prompt=3),
    "a target without query": own(target="Question:"),
    "a target that goes on": own(target="{query} indeed"),
    "no length": own(max_length=0),
    "a length of words": own(max_query_length="many"),
    "no candidates": own(top_k=0),
    "more than all": own(top_p=1.5),
    "no temperature": own(temperature=0),
    "no draws": own(draws=0),
    "a truth": own(top_k=True),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_folder_is_said(name: str, copy: Path) -> None:
    BROKEN[name](copy)
    with pytest.raises(ModelError) as caught:
        load_generator(str(copy), device="cpu")
    assert caught.value.problem and caught.value.remedy


@pytest.mark.parametrize("name", ["", "./nowhere", "owner/name"])
def test_a_name_that_leads_nowhere_is_said(name: str) -> None:
    with pytest.raises(ModelError):
        load_generator(name)


def test_a_chat_template_that_fails_is_said(tmp_path: Path) -> None:
    folder = tiny.generator(tmp_path, "llama", chat_template="{{ raise_exception('system message wanted') }}")
    with pytest.raises(ModelError, match="system message wanted") as caught:
        load(folder).write([NILE], ["en"], n=1, seed=1)
    assert caught.value.remedy


def test_likelihoods_that_are_no_numbers_are_said(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    weights["shared.weight"][:] = float("nan")
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="no numbers"):
        load(copy).log_likelihood([QUERY], [NILE])


def test_a_precision_can_be_asked_for(t5: Path) -> None:
    queries = [QUERY] * 6
    full = load(t5).log_likelihood(queries, tiny.PASSAGES)
    low = load_generator(str(t5), device="cpu", precision="bfloat16").log_likelihood(queries, tiny.PASSAGES)
    assert (low != full).any()
    np.testing.assert_allclose(low, full, atol=0.1)
    with pytest.raises(InputError, match="no precision 'half'"):
        load_generator(str(t5), precision="half")


def test_names_alone_load_no_torch() -> None:
    program = (
        "import sys, mdr.engines.generator_folder, mdr.engines.generator_prompts, mdr.storage.likelihoods;"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[1])
