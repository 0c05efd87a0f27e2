"""Tokenizers and networks out of a folder, as `transformers` reads them: safetensors only, no code of a model's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mdr.errors import ModelError

_TOKENIZERS = ("tokenizer.json", "vocab.*", "*.model")


def load_network(
    folder: Path,
    choose: Callable[[Any], Any],
    *,
    unused: Sequence[str] = (),
    fresh: Sequence[str] = (),
    dtype: torch.dtype = torch.float32,
) -> tuple[Any, Any]:
    """Tokenizer and network of a folder; `choose` picks the class by the config.

    Weights that are missing are an error, unless their names start with one of `unused`, or are below one of `fresh`:
    then they begin at random, whatever shape they had.
    """
    from transformers import AutoConfig, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what is missing is said by `_check`
    if not any(path for pattern in _TOKENIZERS for path in folder.glob(pattern)):  # transformers makes an empty one
        raise ModelError(f"{folder} has no tokenizer", f"one of {', '.join(_TOKENIZERS)} should be there")
    safe = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(folder, **safe)
        tokenizer = AutoTokenizer.from_pretrained(folder, **safe)
        network, report = choose(config).from_pretrained(
            folder,
            config=config,
            use_safetensors=True,
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=bool(fresh),
            **safe,
        )
    except ModelError:
        raise
    except Exception as error:  # transformers raises whatever its parts do
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"{folder} cannot be loaded by transformers: {first}",
            "the folder needs config.json, tokenizer files and *.safetensors; models with own code are not run",
        ) from error
    _check(folder, report, lambda name: not name.startswith(tuple(unused)) and set(fresh).isdisjoint(name.split(".")))
    return tokenizer, network.eval()


def _check(folder: Path, report: Mapping[str, Any], needed: Callable[[str], bool]) -> None:
    """Refuse a network that begins at random where weights of the folder are needed."""
    missing = sorted(filter(needed, report["missing_keys"]))
    other = [name for name, *_ in report["mismatched_keys"] if needed(name)]
    if missing or other:
        raise ModelError(
            f"{folder}: {len(missing)} weights are missing ({', '.join(missing[:3])})"
            if missing
            else f"{folder}: {len(other)} weights have other shapes than config.json says",
            "config.json and the weights belong to different models; save or download the model again",
        )


def within_positions(length: int, network: Any) -> int:
    """So many tokens, or as many as the network has positions for."""
    for name, module in network.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            # Where padding has a row of its own, positions are counted from behind it.
            skipped = 0 if module.padding_idx is None else module.padding_idx + 1
            length = min(length, module.num_embeddings - skipped)
    return min(length, getattr(network.config, "max_position_embeddings", None) or length)
