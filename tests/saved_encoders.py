"""Tiny encoders saved as training saves them, for tests that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import encoder_models as tiny
import torch
from transformers import ModernBertConfig, ModernBertModel, PreTrainedTokenizerFast

from mdr.training.export import save_encoder

LENGTH = 40
PROMPTS = {"query": "Which river? ", "passage": ""}


def network(kind: str) -> Any:
    if kind != "modernbert":
        return tiny.network(kind)
    torch.manual_seed(3)
    special = {f"{name}_token_id": place for name, place in (("cls", 2), ("sep", 3), ("bos", 2), ("eos", 3))}
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    made = ModernBertModel(ModernBertConfig(vocab_size=tiny.VOCABULARY, pad_token_id=0, **special, **sizes))
    with torch.no_grad():
        for weights in made.parameters():
            weights.add_(0.2 * torch.randn(weights.shape))
    return made.eval()


def tokenizer() -> PreTrainedTokenizerFast:
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep")}
    return PreTrainedTokenizerFast(tokenizer_object=tiny.tokenizer(), model_max_length=10**6, **names)


def save(folder: Path, kind: str = "bert", **options: Any) -> Path:
    save_encoder(network(kind), tokenizer(), folder, **({"max_length": LENGTH, "prompts": PROMPTS} | options))
    return folder
