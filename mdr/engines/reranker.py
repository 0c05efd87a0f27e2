"""Rerankers by name: networks that read a query and a passage together and answer with one number.

Any model that `transformers` loads for sequence classification, with one output, or with two (no, yes), whose
difference is taken. Slower than an encoder by the number of passages, and as a rule a better judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mdr.engines.devices import AUTO, FULL, check_precision, pick_device
from mdr.engines.encoder import find_model
from mdr.engines.language_models import padded
from mdr.engines.model_folder import shaping_files
from mdr.engines.networks import load_network
from mdr.engines.probe import low_precision
from mdr.engines.reranker_inputs import Joined, PairInputs
from mdr.errors import InputError, ModelError
from mdr.ports import Reranker, Scores
from mdr.storage.files import digest
from mdr.types import Passage, Query

_TOKENS = {"cpu": 8192, "cuda": 131_072}
"""Tokens in a batch, padding included."""
_ALGORITHM = 1
"""Goes up when the same folder gives other scores than before."""


def load_reranker(name: str, *, device: str = "auto", threads: int = 0, precision: str = "auto") -> Reranker:
    """The reranker of a model folder or hub name."""
    return TransformerReranker(find_model(name), device=device, threads=threads, precision=precision)


class TransformerReranker:
    """A transformers folder with a network that classifies pairs of texts."""

    def __init__(self, folder: Path, *, device: str = "auto", threads: int = 0, precision: str = "auto") -> None:
        if threads:
            torch.set_num_threads(threads)
        self._folder = folder
        self._precision = check_precision(precision)
        self.device = pick_device(device)
        self._tokenizer, self._network = load_network(folder, _classifier)
        self._network.to(self.device)
        self._inputs = PairInputs(self._tokenizer, self._network, folder)

    @cached_property
    def fingerprint(self) -> str:
        """Weights and tokenizer; not how fast or in which precision they run."""
        return digest(["reranker", _ALGORITHM, shaping_files(self._folder)])

    def score(self, queries: Sequence[Query], passages: Sequence[Passage]) -> Scores:
        """How well each passage answers the query beside it."""
        if len(queries) != len(passages):
            raise InputError(
                f"{len(queries):,} queries are given with {len(passages):,} passages", "give one beside each"
            )
        asked = self._inputs.queries([query.text for query in queries])
        told = self._inputs.passages([passage.full_text for passage in passages])
        rows = [self._inputs.join(*pair) for pair in zip(asked, told, strict=True)]
        found = np.zeros(len(rows))
        with torch.inference_mode(), torch.autocast(self.device, self._low, enabled=self._low is not None):
            for places in _batches(rows, _TOKENS[self.device]):
                logits = classified(
                    self._network,
                    *padded([rows[place].ids for place in places], self.device, fill=self._padding),
                    padded([rows[place].types for place in places], self.device)[0] if self._inputs.typed else None,
                )
                found[places] = logits.double().cpu().numpy()
        if not np.isfinite(found).all():
            raise ModelError(f"{self._folder} gave scores that are no numbers", "set MDR_PRECISION=float32")
        return found

    @property
    def _padding(self) -> int:
        return int(self._tokenizer.pad_token_id or 0)

    @cached_property
    def _low(self) -> torch.dtype | None:
        if self._precision == AUTO:
            return low_precision(self.device, int(self._network.config.hidden_size))
        return None if self._precision == FULL else getattr(torch, self._precision)


def classified(network: Any, ids: Tensor, mask: Tensor, types: Tensor | None) -> Tensor:
    """One number for each row."""
    more = {} if types is None else {"token_type_ids": types}
    logits: Tensor = network(input_ids=ids, attention_mask=mask, **more).logits.float()
    return logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]


def _classifier(config: Any) -> Any:
    from transformers import AutoModelForSequenceClassification

    if not any("SequenceClassification" in name for name in config.architectures or ()):
        raise ModelError(
            f"a {config.model_type} model without a classifier judges no pairs",
            "train a reranker from it (stage train-reranker), or use one that is trained",
        )
    if config.num_labels > 2:
        raise ModelError(f"it tells {config.num_labels} classes apart", "a reranker has one output, or a no and a yes")
    return AutoModelForSequenceClassification


def _batches(rows: Sequence[Joined], most: int) -> Iterator[list[int]]:
    """Places of rows of like lengths."""
    order = sorted(range(len(rows)), key=lambda place: (-len(rows[place].ids), rows[place].ids, place))
    while order:
        size = max(1, most // len(rows[order[0]].ids))
        yield order[:size]
        order = order[size:]
