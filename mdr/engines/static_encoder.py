"""Static embeddings: a text is the mean of its tokens' rows. Thousands of texts a second, without loading torch.

Where a folder says so, repeats are damped: a token that comes n times counts 1 + ln n times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdr.engines.model_folder import ModelFolder
from mdr.engines.texts import places, readable
from mdr.errors import ModelError
from mdr.ports import Matrix, Tokens
from mdr.types import Role

_CHARACTERS = 100_000
_BATCH = 256


class StaticEncoder:
    """A sentence-transformers StaticEmbedding folder, run by numpy."""

    def __init__(self, model: ModelFolder) -> None:
        from tokenizers import Tokenizer

        if model.dense:
            raise ModelError(f"{model.folder}: Dense after StaticEmbedding", "this combination is not supported")
        self._model = model
        self._rows, self._scale = _weights(model.body_folder / "model.safetensors")
        path = model.body_folder / "tokenizer.json"
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises plain Exception
            raise ModelError(f"{path} cannot be read: {error}", "save or download the model again") from error
        self._tokenizer.no_padding()
        if model.max_length:
            self._tokenizer.enable_truncation(model.max_length)
        if self._tokenizer.get_vocab_size() > len(self._rows):
            raise ModelError(
                f"{model.folder}: the tokenizer knows {self._tokenizer.get_vocab_size():,} tokens, "
                f"the weights have {len(self._rows):,} rows",
                "tokenizer and weights belong to different models; save or download the model again",
            )
        width = self._rows.shape[1]
        if model.dimension and model.dimension > width:
            raise ModelError(f"{model.folder}: dimension {model.dimension} of {width}", f"give at most {width}")
        self.dimension: int = model.dimension or width

    @cached_property
    def fingerprint(self) -> str:
        """Weights, tokenizer and how they are read."""
        return self._model.fingerprint()

    def encode(self, texts: Sequence[str], role: Role) -> Matrix:
        """One row per text; a text without tokens is a row of zeros."""
        prepared = readable(texts, self._model.prompts[role], _CHARACTERS)
        vectors = np.zeros((len(prepared), self.dimension), dtype=np.float32)
        for start in range(0, len(prepared), _BATCH):
            self._mean(prepared[start : start + _BATCH], vectors[start : start + _BATCH])
        if self._model.normalise:
            norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
            vectors /= np.where(norms > 0, norms, 1)[:, None]
        return vectors

    def tokens(self, text: str, role: Role) -> Tokens:
        """A row per token, as it is added up; each as often as it comes, damped or not."""
        prompt = self._model.prompts[role]
        [prepared] = readable([text], prompt, _CHARACTERS)
        encoding = self._tokenizer.encode(prepared, add_special_tokens=False)
        kept, spans = places(encoding.offsets, len(prompt))
        return Tokens(self._read(np.array(encoding.ids, dtype=np.int64)[kept]), spans)

    def _mean(self, texts: list[str], out: Matrix) -> None:
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        ids = [encoding.ids for encoding in encodings]
        counts: list[list[float]] = []
        if self._model.damped:
            ids, counts = map(list, zip(*map(_distinct, ids), strict=True))
        tokens = np.fromiter(chain.from_iterable(ids), dtype=np.int64)
        rows = self._read(tokens)
        if counts:
            rows *= np.fromiter(chain.from_iterable(counts), dtype=np.float32)[:, None]
        start = 0
        for vector, own in zip(out, ids, strict=True):  # several times faster than np.add.reduceat
            if own:
                np.add.reduce(rows[start : start + len(own)], axis=0, out=vector)
                vector /= len(own)
                start += len(own)

    def _read(self, tokens: NDArray[np.int64]) -> Matrix:
        rows = self._rows[tokens, : self.dimension].astype(np.float32, copy=False)
        if self._scale is not None:
            rows *= self._scale[tokens] if len(self._scale) > 1 else self._scale
        return rows


def _distinct(ids: list[int]) -> tuple[list[int], list[float]]:
    """Every token once, and 1 + ln of how often it was there."""
    counts = Counter(ids)
    return list(counts), [1 + log(count) for count in counts.values()]


def read_rows(model: ModelFolder) -> Matrix:
    """A static model's row per token, as it is added up."""
    rows, scale = _weights(model.body_folder / "model.safetensors")
    whole = rows.astype(np.float32)
    return whole if scale is None else whole * scale


def _weights(path: Path) -> tuple[NDArray[Any], Matrix | None]:
    """A row per token as stored (bf16 widened), and the scale of int8 rows: one for all, or one a row."""
    import safetensors

    read: Callable[[bytes], list[tuple[str, Mapping[str, Any]]]] = safetensors.deserialize
    try:
        tensors = {name: _array(tensor) for name, tensor in read(path.read_bytes())}
    except (safetensors.SafetensorError, OSError, KeyError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "save or download the model again") from error
    rows = tensors.get("embedding.weight", tensors.get("embeddings"))
    if rows is None or rows.ndim != 2:
        raise ModelError(f"{path} has no table embedding.weight; it has {', '.join(tensors)}", "is it a static model?")
    if "mapping" in tensors:  # model2vec: tokens share rows, and weigh differently
        rows = rows[tensors["mapping"]]
    if "weights" in tensors:
        rows = rows.astype(np.float32) * tensors["weights"].astype(np.float32)[:, None]
    scale = tensors.get("embedding.scale")
    if scale is not None and scale.size not in (1, len(rows)):
        raise ModelError(f"{path} has {scale.size:,} scales for {len(rows):,} rows", "save the model again")
    return rows, None if scale is None else scale.astype(np.float32).reshape(-1, 1)


_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I8": "i1", "I32": "<i4", "I64": "<i8"}


def _array(tensor: Mapping[str, Any]) -> NDArray[Any]:
    values = np.frombuffer(tensor["data"], dtype=_DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
    if tensor["dtype"] == "BF16":  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values
