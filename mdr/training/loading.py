"""Models as training takes them up and puts them down: a folder becomes a trainable encoder, and a folder again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mdr.engines.model_folder import ModelFolder, read_model_folder, towers_of
from mdr.engines.networks import load_network, within_positions
from mdr.engines.static_encoder import read_rows
from mdr.errors import InputError
from mdr.training.adapting import adapted, merged
from mdr.training.batches import Ints
from mdr.training.dual import DualEncoder
from mdr.training.export import join_towers, save_encoder
from mdr.training.settings import Lora
from mdr.training.static_folder import save_static
from mdr.training.towers import POOLINGS, StaticTower, TransformerTower
from mdr.types import Role

_UNUSED = ("decoder.", "pooler.")


@dataclass(frozen=True)
class Trainable:
    """An encoder in training: its model, how texts become tokens for it, and how it is saved."""

    model: DualEncoder
    tokens: Callable[[Sequence[str], Role], list[Ints]]
    save: Callable[[Path], None]


def load_trainable(
    folder: Path,
    *,
    tied: bool = True,
    lora: Lora | None = None,
    checkpointing: bool = False,
    lengths: dict[Role, int] | None = None,
    dropout: float | None = None,
) -> Trainable:
    """The encoder of a folder. `lengths` cuts each side to so many tokens; untied, each side has a network."""
    if places := towers_of(folder):
        if tied:
            raise InputError(f"{folder} has two networks", "train it with tied = false, or start from one of them")
        models = {role: read_model_folder(place) for role, place in places.items()}
        return _transformers(models["query"], models["passage"], lora, checkpointing, lengths or {}, dropout)
    model = read_model_folder(folder)
    if model.kind == "static":
        if lora or not tied:
            raise InputError(f"{folder} is a static model: it has one table", "train it tied and without LoRA")
        return _static(model, lengths or {})
    return _transformers(model, None if tied else model, lora, checkpointing, lengths or {}, dropout)


def _static(model: ModelFolder, lengths: dict[Role, int]) -> Trainable:
    from tokenizers import Tokenizer

    rows, damped = read_rows(model), model.damped
    tokenizer = Tokenizer.from_file(str(model.body_folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tower = StaticTower(torch.from_numpy(rows.copy()), damped=damped)

    def tokens(texts: Sequence[str], role: Role) -> list[Ints]:
        prompted = [model.prompts[role] + text for text in texts]
        found = tokenizer.encode_batch_fast(prompted, add_special_tokens=False)
        return [np.array(each.ids[: lengths.get(role)], np.int64) for each in found]

    def save(out: Path) -> None:
        save_static(tower.rows(), tokenizer, out, damped=damped)

    return Trainable(DualEncoder(tower), tokens, save)


def _transformers(
    query: ModelFolder,
    passage: ModelFolder | None,
    lora: Lora | None,
    checkpointing: bool,
    lengths: dict[Role, int],
    dropout: float | None,
) -> Trainable:
    tokenizer, tower = _tower(query, lora, checkpointing, dropout)
    other = None if passage is None else _tower(passage, lora, checkpointing, dropout)[1]
    most = within_positions(query.max_length or min(tokenizer.model_max_length, 512), tower.network)

    def tokens(texts: Sequence[str], role: Role) -> list[Ints]:
        prompted = [query.prompts[role] + text for text in texts]
        cut = min(most, lengths.get(role, most))
        found = tokenizer(prompted, truncation=True, max_length=cut, return_attention_mask=False)["input_ids"]
        return [np.array(each, np.int64) for each in found]

    def save(out: Path) -> None:
        towers = {"": tower} if other is None else {"query": tower, "passage": other}
        for place, each in towers.items():
            save_encoder(
                merged(each.network, lora),
                tokenizer,
                out / place,
                pooling=each.pooling,
                normalise=each.normalise,
                prompts=query.prompts,
                max_length=most,
            )
        if other is not None:
            join_towers(out)

    return Trainable(DualEncoder(tower, other), tokens, save)


def _tower(
    model: ModelFolder, lora: Lora | None, checkpointing: bool, dropout: float | None
) -> tuple[Any, TransformerTower]:
    if model.dense or model.dimension or len(model.pooling) != 1 or model.pooling[0] not in POOLINGS:
        raise InputError(
            f"{model.folder}: pooling {'+'.join(model.pooling)} with {len(model.dense)} dense layers cannot be trained",
            f"start from a model with one pooling of {', '.join(POOLINGS)} and nothing behind it",
        )
    tokenizer, network = load_network(model.body_folder, _body, unused=_UNUSED)
    if hasattr(network, "encoder") and hasattr(network, "decoder"):  # as T5 has
        network = network.get_encoder()
    network = adapted(network, lora=lora, checkpointing=checkpointing, dropout=dropout)
    padding = tokenizer.pad_token_id or 0
    return tokenizer, TransformerTower(network, pooling=model.pooling[0], normalise=model.normalise, padding=padding)


def _body(config: Any) -> Any:
    from transformers import AutoModel

    return AutoModel
