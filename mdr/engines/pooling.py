"""From token vectors to one vector: pooling, dense layers, truncation, normalisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from mdr.engines.model_folder import ModelFolder, read_config
from mdr.errors import ModelError


class Head:
    """What follows the transformer. Rows are padded on the right, so a row's first `length` tokens are its own."""

    def __init__(self, model: ModelFolder, width: int, device: str) -> None:
        self._model = model
        self._dense = [_dense(model, path, device) for path in model.dense]
        width *= len(model.pooling)
        for layer, path in zip(self._dense, model.dense, strict=True):
            if layer[0].in_features != width:
                raise ModelError(
                    f"{model.folder / path} takes in {layer[0].in_features} dimensions, {width} come",
                    "its modules belong to different models; save or download the model again",
                )
            width = layer[0].out_features
        if model.dimension and model.dimension > width:
            raise ModelError(f"{model.folder}: dimension {model.dimension} of {width}", f"give at most {width}")
        self.dimension: int = model.dimension or width

    def __call__(self, tokens: Tensor, lengths: Tensor, prompt: int) -> Tensor:
        """One fp32 row per text. The first `prompt` tokens count only where the model includes its prompt."""
        first = 0 if self._model.include_prompt else prompt
        tokens = tokens.float()
        vectors = torch.cat([_POOLINGS[mode](tokens, lengths, first) for mode in self._model.pooling], dim=-1)
        for layer in self._dense:
            vectors = layer(vectors)
        vectors = vectors[:, : self.dimension]
        return functional.normalize(vectors, dim=-1) if self._model.normalise else vectors


def _places(tokens: Tensor) -> Tensor:
    return torch.arange(tokens.shape[1], device=tokens.device)[None, :]


def _mask(tokens: Tensor, lengths: Tensor, first: int) -> Tensor:
    places = _places(tokens)
    return ((places >= first) & (places < lengths[:, None])).unsqueeze(-1)


def _weighted(tokens: Tensor, weights: Tensor) -> Tensor:
    return (tokens * weights).sum(1) / weights.sum(1).clamp(min=1e-9)


def _mean(tokens: Tensor, lengths: Tensor, first: int) -> Tensor:
    return _weighted(tokens, _mask(tokens, lengths, first).float())


def _mean_sqrt(tokens: Tensor, lengths: Tensor, first: int) -> Tensor:
    mask = _mask(tokens, lengths, first).float()
    return (tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9).sqrt()


def _weighted_mean(tokens: Tensor, lengths: Tensor, first: int) -> Tensor:
    return _weighted(tokens, _mask(tokens, lengths, first) * (_places(tokens).unsqueeze(-1) + 1.0))


def _max(tokens: Tensor, lengths: Tensor, first: int) -> Tensor:
    return tokens.masked_fill(~_mask(tokens, lengths, first), -torch.inf).amax(1)


def _cls(tokens: Tensor, lengths: Tensor, first: int) -> Tensor:
    return _pick(tokens, torch.where(lengths > first, first, 0))


def _last(tokens: Tensor, lengths: Tensor, first: int) -> Tensor:
    return _pick(tokens, lengths - 1)


def _pick(tokens: Tensor, places: Tensor) -> Tensor:
    return tokens[torch.arange(len(tokens), device=tokens.device), places]


_POOLINGS: Mapping[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "mean": _mean,
    "cls": _cls,
    "lasttoken": _last,
    "max": _max,
    "weightedmean": _weighted_mean,
    "mean_sqrt_len_tokens": _mean_sqrt,
}

_ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "Identity": nn.Identity,
    "Tanh": nn.Tanh,
    "ReLU": nn.ReLU,
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
    "Sigmoid": nn.Sigmoid,
}


def _dense(model: ModelFolder, path: str, device: str) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = model.folder / path
    values = read_config(folder / "config.json")
    name = str(values.get("activation_function", "Tanh")).rsplit(".", 1)[-1]
    if name not in _ACTIVATIONS or values.get("use_residual") or _moved(values):
        raise ModelError(
            f"{folder / 'config.json'}: this kind of dense layer is not supported ({name})",
            f"supported are plain layers with {', '.join(_ACTIVATIONS)}",
        )
    try:
        weights = load_file(folder / "model.safetensors")
        outgoing, incoming = weights["linear.weight"].shape
        layer = nn.Linear(incoming, outgoing, bias="linear.bias" in weights)
        layer.load_state_dict({key.removeprefix("linear."): value.float() for key, value in weights.items()})
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        raise ModelError(f"{folder / 'model.safetensors'} cannot be read: {error}", "save the model again") from error
    return nn.Sequential(layer, _ACTIVATIONS[name]()).to(device).eval()


def _moved(values: Mapping[str, Any]) -> bool:
    """Whether the layer reads or writes something else than the text's vector."""
    names = (values.get("module_input_name"), values.get("module_output_name"))
    return any(name not in (None, "sentence_embedding") for name in names)
