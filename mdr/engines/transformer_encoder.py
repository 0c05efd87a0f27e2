"""Transformer encoders: any model that `transformers` can load, with pooling as its folder says.

Texts are batched by length within a token budget and padded on the right: with causal attention no token sees the
padding, without it the mask hides it, so a text's vector is the same in every company but for float noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import torch

from mdr.core.stopping import still_wanted
from mdr.engines.devices import AUTO, FULL, check_precision, pick_device
from mdr.engines.model_folder import ModelFolder
from mdr.engines.networks import load_network, within_positions
from mdr.engines.pooling import Head
from mdr.engines.probe import low_precision
from mdr.engines.texts import places, readable
from mdr.errors import UnavailableError
from mdr.ports import Matrix, Tokens
from mdr.types import Role

_CHARACTERS_PER_TOKEN = 64
"""Texts are cut to this many characters per token of the model's length before they are tokenized."""
_WINDOW = 4096
"""Texts tokenized and sorted together."""
_BUDGET = {"cpu": 2048, "cuda": 65_536}
"""Tokens in a batch, padding included."""
_FEW = 4
"""Fewer texts stay in fp32 on a CPU, where low precision gains nothing for them."""


class TransformerEncoder:
    """A transformers or sentence-transformers folder."""

    def __init__(self, model: ModelFolder, *, device: str = "auto", threads: int = 0, precision: str = "auto") -> None:
        if threads:
            torch.set_num_threads(threads)
        self._model = model
        self._precision = check_precision(precision)
        self.device = pick_device(device)
        self._tokenizer, self._network = _load(model)
        self._network.to(self.device)
        self._head = Head(model, int(self._network.config.hidden_size), self.device)
        self._length = _length(model, self._tokenizer, self._network)
        self._lock = Lock()  # a tokenizer keeps its truncation as state

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        return self._head.dimension

    @cached_property
    def fingerprint(self) -> str:
        """Weights, tokenizer and how they are read; not how fast or in which precision they run."""
        return self._model.fingerprint()

    def encode(self, texts: Sequence[str], role: Role) -> Matrix:
        """One row per text; a text without tokens is a row of zeros."""
        prompt = self._model.prompts[role]
        prepared = readable(texts, prompt, self._length * _CHARACTERS_PER_TOKEN)
        vectors = np.zeros((len(prepared), self.dimension), dtype=np.float32)
        with torch.inference_mode(), self._arithmetic(len(prepared)):
            for start in range(0, len(prepared), _WINDOW):
                tokens = self._tokens(prepared[start : start + _WINDOW])
                for places in batches([len(ids) for ids in tokens], _BUDGET[self.device]):
                    still_wanted()
                    batch = [tokens[place] for place in places]
                    vectors[start + places] = self._run(batch, self._prompt_tokens[role])
        return vectors

    def tokens(self, text: str, role: Role) -> Tokens:
        """The last states before pooling, in fp32; special tokens stand for no characters and are left out."""
        if not self._tokenizer.is_fast:
            raise UnavailableError(
                f"the tokenizer of {self._model.folder} does not say where its tokens stand",
                "use a model with a tokenizer.json",
            )
        prompt = self._model.prompts[role]
        [prepared] = readable([text], prompt, self._length * _CHARACTERS_PER_TOKEN)
        if self._model.lowercase:  # letter by letter: a text that changed its length would move every place
            prepared = "".join(small if len(small := char.lower()) == 1 else char for char in prepared)
        with self._lock:
            encoded = self._tokenizer(
                prepared, truncation=True, max_length=self._length, return_offsets_mapping=True
            )
        kept, spans = places(encoded["offset_mapping"], len(prompt))
        if not kept:
            return Tokens(np.zeros((0, int(self._network.config.hidden_size)), dtype=np.float32), ())
        with torch.inference_mode():
            ids = torch.tensor([encoded["input_ids"]], device=self.device)
            states = self._network(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        vectors: Matrix = states[0, kept].float().cpu().numpy()
        return Tokens(vectors, spans)

    def _arithmetic(self, texts: int) -> torch.autocast:
        """The precision asked for, or the fastest one here; inside, weights are converted once."""
        if self._precision == AUTO:
            few = self.device == "cpu" and texts < _FEW
            precision = None if few else low_precision(self.device, int(self._network.config.hidden_size))
        else:
            precision = None if self._precision == FULL else getattr(torch, self._precision)
        return torch.autocast(self.device, precision, enabled=precision is not None)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        if self._model.lowercase:
            texts = [text.lower() for text in texts]
        with self._lock:
            encoded = self._tokenizer(
                texts,
                truncation=True,
                max_length=self._length,
                return_attention_mask=False,
                return_token_type_ids=False,
            )
        found: list[list[int]] = encoded["input_ids"]
        return found

    @cached_property
    def _prompt_tokens(self) -> dict[Role, int]:
        """How many tokens a role's prompt takes at the start of a text."""
        counts: dict[Role, int] = {}
        for role, prompt in self._model.prompts.items():
            ids = self._tokens([prompt])[0] if prompt else []
            counts[role] = len(ids) - (bool(ids) and ids[-1] in self._tokenizer.all_special_ids)
        return counts

    def _run(self, tokens: list[list[int]], prompt: int) -> Matrix:
        lengths = torch.tensor([len(ids) for ids in tokens])
        width = int(lengths.max())
        padded = torch.full((len(tokens), width), self._tokenizer.pad_token_id or 0)
        for row, ids in zip(padded, tokens, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        mask = (torch.arange(width) < lengths[:, None]).long()
        states = self._network(input_ids=padded.to(self.device), attention_mask=mask.to(self.device))
        vectors: Matrix = (
            self._head(states.last_hidden_state.float(), lengths.to(self.device), prompt).float().cpu().numpy()
        )
        return vectors


def batches(lengths: Sequence[int], budget: int) -> Iterator[np.ndarray[Any, np.dtype[np.int64]]]:
    """Positions in batches of similar length, longest first; padded, a batch stays within the budget of tokens.

    Texts without tokens are in no batch.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    order = order[: np.count_nonzero(lengths)]
    while len(order):
        size = max(1, budget // lengths[order[0]])
        yield order[:size]
        order = order[size:]


def _load(model: ModelFolder) -> tuple[Any, Any]:
    from transformers import AutoModel

    tokenizer, network = load_network(model.body_folder, lambda config: AutoModel, unused=_UNUSED)
    if hasattr(network, "encoder") and hasattr(network, "decoder"):  # as T5 has
        network = network.get_encoder()
    return tokenizer, network


_UNUSED = ("decoder.", "pooler.")


def _length(model: ModelFolder, tokenizer: Any, network: Any) -> int:
    """Tokens that a text may have: as the folder says, within what the network has positions for."""
    return within_positions(min(model.max_length or tokenizer.model_max_length, _MOST_TOKENS), network)


_MOST_TOKENS = 8192
"""Where neither folder nor tokenizer set a limit."""
