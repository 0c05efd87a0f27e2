"""One training of a reranker, from any transformers network: a reranker, an encoder, or a generator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mdr.engines.language_models import padded
from mdr.engines.model_folder import body_of, read_model_folder, towers_of
from mdr.engines.networks import load_network
from mdr.engines.reranker import classified
from mdr.engines.reranker_inputs import PairInputs
from mdr.errors import InputError
from mdr.training.adapting import adapted, merged
from mdr.training.answered_run import AnsweredRun
from mdr.training.answered_source import Reader
from mdr.training.batches import Batch, Ints
from mdr.training.export import save_network
from mdr.training.pieces import Parts, PieceLearner
from mdr.training.plan import Plan
from mdr.training.settings import RerankerSettings

_FRESH = ("classifier", "pre_classifier", "classification_head", "score", "pooler")
"""Weights that a network which has judged no pairs does not have yet: they begin at random."""


class RerankerLearner(PieceLearner):
    """A batch's queries and passages come without what a tokenizer puts around them; `inputs` joins them."""

    learner = "a reranker"

    def __init__(self, model: nn.Module, plan: Plan, inputs: PairInputs, *, padding: int, **options: Any) -> None:
        super().__init__(model, plan, **options)
        self._inputs, self._padding = inputs, padding

    def losses(self) -> Mapping[str, Parts]:
        return {"ranking": self.ranked}

    def judged(self, batch: Batch, queries: Ints, passages: Ints) -> Tensor:
        """How well each passage answers the query beside it."""
        sides = batch.queries.take(queries).lists(), batch.passages.take(passages).lists()
        rows = [self._inputs.join(*pair) for pair in zip(*sides, strict=True)]
        ids, mask = padded([row.ids for row in rows], self._device, fill=self._padding)
        types = padded([row.types for row in rows], self._device)[0] if self._inputs.typed else None
        with torch.autocast(self._device.type, self.precision, enabled=self.precision is not None):
            return classified(self.model, ids, mask, types)


class RerankerRun(AnsweredRun):
    """A reranker that learns which of a query's candidates answers it."""

    kind = "reranker"
    about = "Reads a query and a passage together, and says how well the one answers the other."
    use = "Scoring candidates as a teacher, and ranking a few of them anew."

    def __init__(
        self, settings: RerankerSettings, start: Path, slots: Mapping[str, Path], *, device: str, precision: str
    ) -> None:
        super().__init__(settings, start, device=device, precision=precision)
        self.settings = settings
        torch.manual_seed(settings.training.seed)
        self._tokenizer, self._network = load_judge(start)
        self._whole = adapted(
            self._network, lora=settings.lora, checkpointing=settings.checkpointing, dropout=settings.dropout
        )
        self._network.to(self.device)
        self._inputs = PairInputs(self._tokenizer, self._network, start, length=settings.length)
        reader = Reader(
            lambda passages, langs: self._inputs.passages([passage.full_text for passage in passages]),
            self._inputs.queries,
        )
        self.read(reader, settings.sources, slots)

    @property
    def width(self) -> int | None:
        return int(self._network.config.hidden_size)

    def taught(self, plan: Plan) -> RerankerLearner:
        return RerankerLearner(
            self._network,
            plan,
            self._inputs,
            padding=self._tokenizer.pad_token_id or 0,
            piece=self.settings.piece,
            precision=self.precision,
            processes=self.processes,
        )

    def write(self, folder: Path) -> None:
        network = merged(self._whole, self.settings.lora)
        save_network(network, self._tokenizer, folder, max_length=self._inputs.length)


def load_judge(start: Path) -> tuple[Any, Any]:
    """The tokenizer of a folder and its network with one output: its own, or one that begins at random."""
    if towers_of(start):
        raise InputError(f"{start} has two networks", "begin from a folder with one")
    if (start / "modules.json").is_file() and read_model_folder(start).kind == "static":
        raise InputError(
            f"{start} is a static model: it has a table, and no network that could read two texts together",
            "begin from a generator or from a transformers encoder",
        )
    tokenizer, network = load_network(body_of(start), _one_output, fresh=_FRESH)
    if not tokenizer.num_special_tokens_to_add(pair=True):
        _join_with_ends(tokenizer, start)
    return tokenizer, network


def _one_output(config: Any) -> Any:
    from transformers import AutoModelForSequenceClassification

    judges = any("SequenceClassification" in name for name in config.architectures or ())
    if not judges or config.num_labels > 2:
        config.num_labels = 1
    return AutoModelForSequenceClassification


def _join_with_ends(tokenizer: Any, start: Path) -> None:
    """Where a tokenizer puts nothing around two texts: an end behind each."""
    from tokenizers import processors

    end = tokenizer.eos_token or tokenizer.sep_token
    if not end:
        raise InputError(f"{start}: its tokenizer has no token that ends a text", "begin from another model")
    id = tokenizer.convert_tokens_to_ids(end)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", pair=f"$A {end} $B:1 {end}:1", special_tokens=[(end, id)]
    )
