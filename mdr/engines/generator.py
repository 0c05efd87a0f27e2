"""Generators by name: a language model that writes questions for passages and says how likely a question is.

Any seq2seq model (T5, mT5 …) or causal one, with or without a chat template, that `transformers` can load. Questions
are drawn from streams of their own (`sampling`), within a language's scripts (`vocabulary_scripts`), and anew where one
is in another language; on a CPU in fp32 unless another precision is asked for, so that company changes no word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch

from mdr.core.languages import LANGUAGES, code_of
from mdr.core.stopping import still_wanted
from mdr.core.text import clean
from mdr.engines.devices import AUTO, FULL, check_precision, pick_device
from mdr.engines.encoder import find_model
from mdr.engines.generator_folder import GeneratorFolder, read_generator_folder
from mdr.engines.generator_network import load_generator_network
from mdr.engines.generator_prompts import Ids
from mdr.engines.language_id import FastLanguageIdentifier
from mdr.engines.language_models import padded, shared_batches
from mdr.engines.probe import low_precision
from mdr.engines.sampling import stream
from mdr.engines.writing import Writer
from mdr.errors import InputError, ModelError
from mdr.ports import Generator, LanguageIdentifier, Scores
from mdr.training.losses import token_likelihood
from mdr.types import Passage, Query

_TOKENS = {"cpu": 8192, "cuda": 131_072}
"""Tokens in a batch, padding included."""
_LOGITS = {"cpu": 1 << 25, "cuda": 1 << 28}
"""Logits held at once: vocabularies of a quarter million take more memory than all else."""
_FEW = 4
"""Fewer pairs are scored in fp32 on a CPU, where low precision gains nothing for them."""
_MOST_QUESTIONS = 1_000
"""For one passage."""


def load_generator(
    name: str,
    *,
    device: str = "auto",
    threads: int = 0,
    precision: str = "auto",
    overrides: Mapping[str, Any] | None = None,
) -> Generator:
    """The generator of a model folder or hub name; `overrides` are those that an `mdr.json` may hold."""
    model = read_generator_folder(find_model(name), overrides)
    return TransformerGenerator(model, device=device, threads=threads, precision=precision)


class TransformerGenerator:
    """A transformers folder with a language model."""

    def __init__(
        self, model: GeneratorFolder, *, device: str = "auto", threads: int = 0, precision: str = "auto"
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._model = model
        self._precision = check_precision(precision)
        self.device = pick_device(device)
        loaded = load_generator_network(model, dtype=self._weights(), device=self.device)
        self._tokenizer, self._network, self._prompts = loaded.tokenizer, loaded.network, loaded.prompts
        self._language_model = loaded.language_model
        self._writer = Writer(model, self._language_model, self._tokenizer, loaded.ends)

    @cached_property
    def fingerprint(self) -> str:
        """Weights, tokenizer, prompt and sampling; not how fast or in which precision they run."""
        return self._model.fingerprint()

    def write(self, passages: Sequence[Passage], langs: Sequence[str], *, n: int, seed: int) -> list[list[str]]:
        """`n` questions for each passage, in the language beside it; "" where the model has none, or the passage
        no text."""
        if not 0 <= n <= _MOST_QUESTIONS:
            raise InputError(f"{n} questions for each passage were asked", f"ask for 0 to {_MOST_QUESTIONS:,}")
        _paired(passages, langs, "languages")
        codes = [code_of(lang) for lang in langs]
        inputs = self._prompts.inputs(passages, codes)
        found = [[""] * n for _ in passages]
        places = [place for place, passage in enumerate(passages) if clean(passage.full_text)]
        wanted = [(place, number) for place in places for number in range(n)]
        with torch.inference_mode(), self._arithmetic(low=False):
            for again in range(self._model.draws):
                asked = [(inputs[place], codes[place]) for place, _ in wanted]
                streams = [
                    stream(int(seed), codes[place], number, passages[place].full_text, *([again] if again else []))
                    for place, number in wanted
                ]
                astray = []
                for (place, number), question in zip(wanted, self._drawn(asked, streams), strict=True):
                    found[place][number] = question
                    if self._strays(question, codes[place]):
                        astray.append((place, number))
                wanted = astray
        return found

    def _drawn(self, asked: list[tuple[Ids, str]], streams: list[int]) -> list[str]:
        """A question for each input, in the language beside it."""
        found = [""] * len(asked)
        lengths = [self._model.max_query_length] * len(asked)
        for batch, different, rows in self._batches([ids for ids, _ in asked], lengths, steps=True):
            langs, noise = [asked[each][1] for each in batch], [streams[each] for each in batch]
            written = self._writer.write(different, rows, self._prompts.prefix, langs, noise)
            for each, ids in zip(batch, written, strict=True):
                found[each] = self._text(ids)
        return found

    def _strays(self, question: str, lang: str) -> bool:
        """Whether it cannot be told to be in this language: it is in another, in none, or a mere name."""
        return lang in self._languages and self._identifier.identify(question).lang != lang

    @cached_property
    def _languages(self) -> frozenset[str]:
        return self._writer.languages or frozenset(LANGUAGES)

    @cached_property
    def _identifier(self) -> LanguageIdentifier:
        return FastLanguageIdentifier(self._languages)

    def log_likelihood(self, queries: Sequence[Query], passages: Sequence[Passage]) -> Scores:
        """Mean log-probability per token of each query, its end included, given the passage beside it."""
        _paired(queries, passages, "passages")
        inputs = self._prompts.inputs(passages, [code_of(query.lang) for query in queries])
        answers = self._prompts.targets([query.text for query in queries])
        found = np.zeros(len(queries))
        with torch.inference_mode(), self._arithmetic(low=len(queries) >= _FEW):
            for places, different, rows in self._batches(inputs, [len(ids) for ids in answers]):
                still_wanted()
                asked = [answers[place] for place in places]
                logits = self._language_model.score(different, rows, asked)
                labels, mask = padded(asked, self.device)
                found[places] = token_likelihood(logits, labels.masked_fill(mask == 0, -100)).double().cpu().numpy()
        if not np.isfinite(found).all():
            raise ModelError(f"{self._model.folder} gave likelihoods that are no numbers", "set MDR_PRECISION=float32")
        return found

    def _text(self, ids: Ids) -> str:
        line = self._tokenizer.decode(ids, skip_special_tokens=True).partition("\n")[0]
        return clean(line.replace("\ufffd", ""))  # what half a character becomes

    def _batches(
        self, inputs: list[Ids], answers: list[int], *, steps: bool = False
    ) -> Iterator[tuple[list[int], list[Ids], list[int]]]:
        """Of rows that fit the memory; whoever answers in `steps` holds the logits of one token at a time."""
        most = _LOGITS[self.device] // self._language_model.vocabulary
        longest = self._model.max_query_length if steps else 1
        return shared_batches(inputs, answers, tokens=_TOKENS[self.device], most_answers=most * longest)

    def _weights(self) -> torch.dtype:
        """A GPU holds weights as it computes with them; a CPU converts them where that is faster."""
        if self.device == "cpu" or self._precision == FULL:
            return torch.float32
        return (low_precision("cuda", 0) or torch.float32) if self._precision == AUTO else _named(self._precision)

    @contextmanager
    def _arithmetic(self, *, low: bool) -> Iterator[None]:
        """The precision asked for; of its own accord a low one only where `low` is wanted, and faster."""
        chosen: torch.dtype | None = None
        if self.device == "cpu" and self._precision == AUTO:
            width = int(self._network.config.get_text_config().hidden_size)
            chosen = low_precision("cpu", width) if low else None
        elif self.device == "cpu" and self._precision != FULL:
            chosen = _named(self._precision)
        with torch.autocast(self.device, chosen, enabled=chosen is not None):
            yield


def _named(precision: str) -> torch.dtype:
    found: torch.dtype = getattr(torch, precision)
    return found


def _paired(one: Sequence[Any], other: Sequence[Any], what: str) -> None:
    if len(one) != len(other):
        raise InputError(f"{len(one):,} are given with {len(other):,} {what}", "give one beside each")
