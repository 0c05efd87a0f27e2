"""A trained model as a folder that sentence-transformers, transformers and this project read alike.

The layout is one that sentence-transformers 3 reads as well as 6, with transformers 4 or 5. Weights may be stored in
fewer bits than they are computed in: `config.json` asks for float32, so each reader computes the same vectors without
being told. The token embeddings, most of a small multilingual model, may take one byte each (float8): they are
converted as they are loaded, and a row keeps a cosine of .9996 with what it was where its entries deviate by .05 or
more and end below 448.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mdr.engines.model_folder import LEGACY_POOLINGS, POOLINGS, TOWERS, read_config
from mdr.errors import InputError
from mdr.storage.files import disk_errors, write_json
from mdr.types import Role

_LOSS = 0.05
"""Of the embeddings' norm, the most that storing may change; float8 changes .026 where its range fits."""


def save_encoder(
    network: Any,
    tokenizer: Any,
    folder: Path,
    *,
    pooling: str = "mean",
    normalise: bool = True,
    prompts: Mapping[Role, str] | None = None,
    max_length: int,
    embedding_dtype: torch.dtype | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a transformers network (a body without a head) as `save_network` does, and how texts become vectors."""
    if pooling not in POOLINGS:
        raise InputError(f"unknown pooling {pooling!r}", f"poolings are {', '.join(POOLINGS)}")
    save_network(network, tokenizer, folder, max_length=max_length, dtype=dtype, embedding_dtype=embedding_dtype)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False})
    parts = [("", "Transformer"), ("1_Pooling", "Pooling")]
    _save_pooling(folder / "1_Pooling", pooling, int(network.config.hidden_size))
    if normalise:
        parts.append(("2_Normalize", "Normalize"))
        write_json(folder / "2_Normalize" / "config.json", {})
    _save_modules(folder, parts, prompts or {}, normalise)


def save_network(
    network: Any,
    tokenizer: Any,
    folder: Path,
    *,
    max_length: int,
    embedding_dtype: torch.dtype | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """A transformers folder, of an encoder's body or a generator; network and tokenizer stay as they are.

    `dtype` is what weights are stored in, `embedding_dtype` what the token embeddings are, `dtype` where it is None.
    """
    if max_length < 1:
        raise InputError(f"max_length is {max_length}", "give the number of tokens a text may have, 1 or more")
    weights = _stored(network, dtype, embedding_dtype or dtype)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _save_weights(network, weights, folder)
        _save_tokenizer(tokenizer, max_length, folder)


def join_towers(folder: Path) -> None:
    """Make one encoder of two that `save_encoder` wrote below `folder`, one for queries and one for passages.

    sentence-transformers reads it as a Router, this project by its `mdr.json`; either tower loads alone as well.
    """
    structure: dict[str, list[str]] = {}
    types: dict[str, str] = {}
    prompts: dict[Role, str] = {}
    for (role, tower), route in zip(TOWERS.items(), ("query", "document"), strict=True):
        modules = read_config(folder / tower / "modules.json", list)
        places = [f"{tower}/{module['path']}".rstrip("/") for module in modules]
        structure[route] = places
        types |= {place: module["type"] for place, module in zip(places, modules, strict=True)}
        config = read_config(folder / tower / "config_sentence_transformers.json")
        prompts[role] = config["prompts"][route]
        similarity = config["similarity_fn_name"]
    parameters = {"default_route": "document", "allow_empty_key": True}
    routes = {"types": types, "structure": structure, "parameters": parameters}
    write_json(folder / "router_config.json", routes)
    write_json(folder / "mdr.json", dict(TOWERS))
    _save_modules(folder, [("", "Router")], prompts, similarity == "cosine")


def _stored(network: Any, dtype: torch.dtype, embedding_dtype: torch.dtype) -> dict[str, Tensor]:
    """Every weight as it will lie on the disk; what shares memory still shares it."""
    embeddings = network.get_input_embeddings().weight.data_ptr()
    made: dict[tuple[int, torch.Size], Tensor] = {}
    state: dict[str, Tensor] = {}
    for name, weight in network.state_dict().items():
        key = weight.data_ptr(), weight.shape
        if key not in made:
            looked_up = weight.data_ptr() == embeddings
            made[key] = _cast(name, weight, embedding_dtype if looked_up else dtype)
            if looked_up:
                _check_loss(name, weight, made[key])
        state[name] = made[key]
    return state


def _cast(name: str, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy in this type on the CPU; what is no fraction keeps its own."""
    if not weight.is_floating_point():
        return weight.cpu()
    if not torch.isfinite(weight).all():
        raise InputError(f"weight {name} is not finite", "training has diverged; go back to an earlier checkpoint")
    found = weight.detach().to("cpu", dtype).contiguous()
    if not torch.isfinite(found.float()).all():
        raise InputError(f"weight {name} has entries too large for {_name(dtype)}", "store it as bfloat16")
    return found


def _check_loss(name: str, weight: Tensor, stored: Tensor) -> None:
    """float8 has few bits, fewer still for small entries, and cuts large ones off at 448 without a word."""
    whole = weight.detach().cpu().float()
    lost = float((stored.float() - whole).norm() / whole.norm().clamp_min(1e-12))
    if lost > _LOSS:
        raise InputError(
            f"as {_name(stored.dtype)}, {name} would change by {lost:.1%} (at most {_LOSS:.0%} may be lost); "
            f"its entries are {float(whole.std()):.2g} on average, the largest is {float(whole.abs().max()):.2g}",
            "store the embeddings as bfloat16, or train them at another scale: float8 fits .02 to 448",
        )


def _save_weights(network: Any, weights: dict[str, Tensor], folder: Path) -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    network.save_pretrained(folder, state_dict=weights)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # safetensors leaves it readable by its owner only
    config = read_config(folder / "config.json")
    write_json(folder / "config.json", {**config, "dtype": "float32"})


def _save_tokenizer(tokenizer: Any, max_length: int, folder: Path) -> None:
    """Without what training set: a length to cut or pad to stays in tokenizer.json otherwise."""
    own = deepcopy(tokenizer)
    own.model_max_length = max_length
    if own.is_fast:
        own.backend_tokenizer.no_truncation()
        own.backend_tokenizer.no_padding()
    own.save_pretrained(folder)
    config = read_config(folder / "tokenizer_config.json")
    if config.get("tokenizer_class") == "TokenizersBackend":  # its name since transformers 5; all know the former one
        write_json(folder / "tokenizer_config.json", {**config, "tokenizer_class": "PreTrainedTokenizerFast"})


def _save_pooling(folder: Path, pooling: str, width: int) -> None:
    """As flags: older releases know no other spelling."""
    flags = {flag: mode == pooling for flag, mode in LEGACY_POOLINGS.items()}
    values = {"word_embedding_dimension": width, **flags, "include_prompt": True}
    write_json(folder / "config.json", values)


def _save_modules(folder: Path, parts: list[tuple[str, str]], prompts: Mapping[Role, str], normalise: bool) -> None:
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (path, kind) in enumerate(parts)
    ]
    write_json(folder / "modules.json", modules)
    config = {
        "model_type": "SentenceTransformer",
        "prompts": {"query": prompts.get("query", ""), "document": prompts.get("passage", "")},
        "default_prompt_name": None,
        "similarity_fn_name": "cosine" if normalise else "dot",
    }
    write_json(folder / "config_sentence_transformers.json", config)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
