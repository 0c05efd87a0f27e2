"""A generator's network as it lies in a folder, and everything that says how it is asked, in writing and in training.

Both go through here, so a network is trained on the very tokens that it will be asked with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from mdr.engines.generator_folder import GeneratorFolder
from mdr.engines.generator_prompts import Prompts
from mdr.engines.language_models import Decoder, EncoderDecoder, LanguageModel
from mdr.engines.networks import load_network, within_positions
from mdr.errors import ModelError


@dataclass(frozen=True)
class GeneratorNetwork:
    """A tokenizer, a network, and how they are asked."""

    tokenizer: Any
    network: Any
    prompts: Prompts
    ends: frozenset[int]
    """Tokens that end a text."""
    language_model: LanguageModel


def load_generator_network(model: GeneratorFolder, *, dtype: torch.dtype, device: str = "cpu") -> GeneratorNetwork:
    """The network of a folder; causal ones continue what they read."""
    tokenizer, network = load_network(model.folder, _shape, dtype=dtype)
    network.to(device)
    if not tokenizer.is_fast:
        raise ModelError(f"{model.folder}: its tokenizer has no fast form", "use a model with a tokenizer.json")
    ends = _ends(model, tokenizer, network)
    reads_on = not network.config.is_encoder_decoder
    room = _room(model, tokenizer, network, reads_on)
    prompts = Prompts(model, tokenizer, reads_on=reads_on, room=room, ends=ends)
    language_model = Decoder(network) if reads_on else EncoderDecoder(network, first_token(model, network))
    return GeneratorNetwork(tokenizer, network, prompts, ends, language_model)


def first_token(model: GeneratorFolder, network: Any) -> int:
    """What a decoder is given to begin with."""
    for name in ("decoder_start_token_id", "bos_token_id", "pad_token_id"):
        for config in (network.generation_config, network.config):
            if (found := getattr(config, name, None)) is not None:
                return int(found)
    raise ModelError(f"{model.folder}: no token starts a decoder", "set decoder_start_token_id in its config.json")


def _shape(config: Any) -> Any:
    """The class that can answer, by what a config says."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    if config.is_encoder_decoder:
        return AutoModelForSeq2SeqLM
    if config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False):
        raise ModelError(
            f"a {config.model_type} model fills gaps and cannot write", "generators are seq2seq or causal models"
        )
    return AutoModelForCausalLM


def _ends(model: GeneratorFolder, tokenizer: Any, network: Any) -> frozenset[int]:
    said = getattr(network.generation_config, "eos_token_id", None)
    known = [*(said if isinstance(said, list) else [said]), tokenizer.eos_token_id]
    found = frozenset(token for token in known if token is not None)
    if not found:
        raise ModelError(f"{model.folder}: no token ends a text", "set eos_token in its tokenizer_config.json")
    return found


def _room(model: GeneratorFolder, tokenizer: Any, network: Any, reads_on: bool) -> int:
    """Tokens of a prompt; who reads on needs positions for the question, too."""
    if not reads_on:
        return within_positions(model.max_length, network)
    prefix = tokenizer(model.target.format(query=""), add_special_tokens=False)["input_ids"]
    question = len(prefix) + model.max_query_length + 1
    return within_positions(model.max_length + question, network) - question
