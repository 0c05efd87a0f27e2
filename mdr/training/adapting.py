"""What is done to a transformers network before it is trained, whatever it is for."""

from __future__ import annotations

from typing import Any

from torch import nn

from mdr.errors import UnavailableError
from mdr.training.settings import Lora


def adapted(network: Any, *, lora: Lora | None, checkpointing: bool, dropout: float | None) -> Any:
    """The network to save later: itself or, with LoRA, one around it whose small matrices are inside of it already."""
    if dropout is not None:
        _set_dropout(network, dropout)
    if lora:
        network = _with_lora(network, lora)
    if checkpointing:
        network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return network


def _set_dropout(network: Any, share: float) -> None:
    """In layers of their own, and where attention keeps its share as a number."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
        for name in ("dropout", "attention_dropout"):
            if isinstance(vars(module).get(name), float):
                setattr(module, name, share)


def merged(network: Any, lora: Lora | None) -> Any:
    """A network as it was before LoRA, with what LoRA learned."""
    return network.merge_and_unload() if lora else network


def _with_lora(network: Any, lora: Lora) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UnavailableError("LoRA needs the package peft", "pip install peft") from error
    targets = list(lora.targets) or "all-linear"
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets)
    return get_peft_model(network, config)
