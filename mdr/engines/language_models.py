"""The two shapes of language models under one face: what they read, what they think of an answer, what comes next.

Inputs are token lists, different ones each; `rows` says which input each answer belongs to, so that an encoder reads
a passage once however many answers are asked of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

Ids = list[int]


@dataclass
class Draft:
    """Answers being written, a row each."""

    model: LanguageModel
    logits: Tensor
    """Of every row's next token."""
    cache: Any
    mask: Tensor
    states: Tensor | None = None

    def select(self, rows: Tensor) -> None:
        """Go on with these rows; one may be taken several times."""
        self.logits, self.mask = self.logits[rows], self.mask[rows]
        self.states = None if self.states is None else self.states[rows]
        self.cache.batch_select_indices(rows)

    def extend(self, tokens: Tensor) -> None:
        """Write a token behind each row."""
        self.logits = self.model.extend(self, tokens[:, None])


class LanguageModel(Protocol):
    """A network that answers."""

    @property
    def vocabulary(self) -> int:
        """Tokens that it has logits for."""
        ...

    def score(self, inputs: Sequence[Ids], rows: Sequence[int], answers: Sequence[Ids]) -> Tensor:
        """Logits for every token of each answer to its row's input; answers are padded on the right."""
        ...

    def start(self, inputs: Sequence[Ids], prefix: Ids) -> Draft:
        """A draft with a row per input, each answer beginning with the prefix."""
        ...

    def extend(self, draft: Draft, tokens: Tensor) -> Tensor:
        """Read a draft's newest tokens and give the logits of the next."""
        ...


class EncoderDecoder:
    """Reads with an encoder, answers with a decoder: T5 and its kin."""

    def __init__(self, network: Any, start: int) -> None:
        self._network, self._start = network, start
        self._device = network.device

    @property
    def vocabulary(self) -> int:
        return int(self._network.config.vocab_size)

    def score(self, inputs: Sequence[Ids], rows: Sequence[int], answers: Sequence[Ids]) -> Tensor:
        states, mask = self._read(inputs)
        taken = torch.tensor(rows, device=self._device)
        given, _ = padded([[self._start, *ids[:-1]] for ids in answers], self._device)
        logits: Tensor = self._decode(states[taken], mask[taken], given, use_cache=False).logits
        return logits

    def start(self, inputs: Sequence[Ids], prefix: Ids) -> Draft:
        states, mask = self._read(inputs)
        given = torch.tensor([[self._start, *prefix]] * len(inputs), device=self._device)
        made = self._decode(states, mask, given, use_cache=True)
        return Draft(self, made.logits[:, -1], made.past_key_values, mask, states)

    def extend(self, draft: Draft, tokens: Tensor) -> Tensor:
        made = self._decode(draft.states, draft.mask, tokens, use_cache=True, past_key_values=draft.cache)
        logits: Tensor = made.logits[:, -1]
        return logits

    def _read(self, inputs: Sequence[Ids]) -> tuple[Tensor, Tensor]:
        ids, mask = padded(inputs, self._device)
        return self._network.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state, mask

    def _decode(self, states: Tensor | None, mask: Tensor, given: Tensor, **options: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutput

        read = BaseModelOutput(last_hidden_state=states)
        return self._network(encoder_outputs=read, attention_mask=mask, decoder_input_ids=given, **options)


class Decoder:
    """Answers by reading on: prompts are padded on the left, so that all answers begin at one place."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self._device = network.device
        self._known = set(inspect.signature(network.forward).parameters)  # few networks lack some options

    @property
    def vocabulary(self) -> int:
        return int(self._network.config.get_text_config().vocab_size)

    def score(self, inputs: Sequence[Ids], rows: Sequence[int], answers: Sequence[Ids]) -> Tensor:
        prompts, before = padded([inputs[row] for row in rows], self._device, left=True)
        given, mask = padded(answers, self._device)
        ids, mask = torch.cat([prompts, given], 1)[:, :-1], torch.cat([before, mask], 1)[:, :-1]
        logits: Tensor = self._run(ids, mask, keep=given.shape[1], use_cache=False).logits
        return logits[:, -given.shape[1] :]

    def start(self, inputs: Sequence[Ids], prefix: Ids) -> Draft:
        ids, mask = padded([ids + prefix for ids in inputs], self._device, left=True)
        made = self._run(ids, mask, keep=1, use_cache=True)
        return Draft(self, made.logits[:, -1], made.past_key_values, mask)

    def extend(self, draft: Draft, tokens: Tensor) -> Tensor:
        draft.mask = torch.cat([draft.mask, torch.ones_like(tokens)], 1)
        made = self._run(tokens, draft.mask, keep=1, use_cache=True, past_key_values=draft.cache)
        logits: Tensor = made.logits[:, -1]
        return logits

    def _run(self, ids: Tensor, mask: Tensor, *, keep: int, **options: Any) -> Any:
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        known = {"position_ids": positions, "logits_to_keep": keep}
        options |= {name: value for name, value in known.items() if name in self._known}
        return self._network(input_ids=ids, attention_mask=mask, **options)


def padded(rows: Sequence[Ids], device: Any, *, left: bool = False, fill: int = 0) -> tuple[Tensor, Tensor]:
    """Token lists as one matrix, and a mask of what is no padding."""
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), fill)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        span = slice(width - len(row), width) if left else slice(0, len(row))
        ids[place, span] = torch.tensor(row, dtype=torch.long)
        mask[place, span] = 1
    return ids.to(device), mask.to(device)


def shared_batches(
    inputs: Sequence[Ids], answers: Sequence[int], *, tokens: int, most_answers: int
) -> Iterator[tuple[list[int], list[Ids], list[int]]]:
    """Places in batches, each with its different inputs and the row of these that every place has.

    Long inputs go first and equal ones together. Different inputs and answers, padded, are at most so many `tokens`
    (unless a single one is more), and the answers among them at most `most_answers`.
    """
    order = sorted(range(len(inputs)), key=lambda place: (-len(inputs[place]), inputs[place], answers[place], place))
    places: list[int] = []
    different: list[Ids] = []
    rows: list[int] = []
    longest = 0
    for place in order:
        new = not different or inputs[place] != different[-1]
        widest = max(longest, answers[place])
        read = (len(different) + new) * len(different[0] if different else inputs[place])
        written = (len(places) + 1) * widest
        if places and (written > most_answers or read + written > tokens):
            yield places, different, rows
            places, different, rows, new, widest = [], [], [], True, answers[place]
        if new:
            different.append(inputs[place])
        places.append(place)
        rows.append(len(different) - 1)
        longest = widest
    if places:
        yield places, different, rows
