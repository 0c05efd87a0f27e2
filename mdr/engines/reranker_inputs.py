"""A query and a passage as one text, as a reranker's tokenizer joins them. Each side is tokenized once, for itself.

What stands before, between and after them is learned from the tokenizer, by joining two words with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from mdr.engines.generator_prompts import Plain
from mdr.engines.networks import within_positions
from mdr.errors import ModelError

Ids = list[int]

_LONGEST = 512
"""Tokens, where a tokenizer does not say."""


@dataclass(frozen=True)
class Joined:
    """Token ids, and which of two texts each belongs to, as some networks want to know."""

    ids: Ids
    types: Ids


class PairInputs:
    """Joins queries and passages. A query has at most half of the room, a passage what is left."""

    def __init__(self, tokenizer: Any, network: Any, where: object, *, length: int | None = None) -> None:
        if not tokenizer.is_fast:
            raise ModelError(f"{where}: its tokenizer has no fast form", "use a model with a tokenizer.json")
        self._tokenizer = tokenizer
        self._plain = Plain(tokenizer)
        self._lock = Lock()  # a tokenizer keeps its truncation as state
        self.typed = "token_type_ids" in tokenizer.model_input_names
        self._before, self._between, self._after = _frame(tokenizer, where)
        self.length = within_positions(length or min(tokenizer.model_max_length, _LONGEST), network)
        self._room = self.length - sum(len(part.ids) for part in (self._before, self._between, self._after))
        if self._room < 2:
            raise ModelError(f"{where}: {self.length} tokens leave no room for texts", "set a larger model_max_length")

    def queries(self, texts: Sequence[str]) -> list[Ids]:
        """The tokens of queries, cut."""
        return self._tokens(texts, self._room // 2)

    def passages(self, texts: Sequence[str]) -> list[Ids]:
        """The tokens of passages, as many as fit beside an empty query."""
        return self._tokens(texts, self._room)

    def join(self, query: Sequence[int], passage: Sequence[int]) -> Joined:
        """What the network reads."""
        told = passage[: self._room - len(query)]
        before, between, after = self._before, self._between, self._after
        return Joined(
            [*before.ids, *query, *between.ids, *told, *after.ids],
            [*before.types, *[0] * len(query), *between.types, *[1] * len(told), *after.types],
        )

    def _tokens(self, texts: Sequence[str], most: int) -> list[Ids]:
        read = [self._plain(text, most) for text in texts]
        if not read:
            return []
        with self._lock:
            found = self._tokenizer(read, add_special_tokens=False, return_attention_mask=False)["input_ids"]
        return [ids[:most] for ids in found]


def _frame(tokenizer: Any, where: object) -> tuple[Joined, Joined, Joined]:
    """What a tokenizer puts around two texts; between them there must be something."""
    joined = tokenizer("a", "b", return_special_tokens_mask=True, return_token_type_ids=True)
    sides = joined.sequence_ids(0)
    types = joined["token_type_ids"]
    first, last = sides.index(0), len(sides) - 1 - sides[::-1].index(1)
    middle = [place for place, side in enumerate(sides) if side is None and first < place < last]
    if not middle:
        raise ModelError(
            f"{where}: its tokenizer puts nothing between a query and a passage",
            "use a model whose tokenizer joins two texts, or begin from another one",
        )
    parts = (range(first), middle, range(last + 1, len(sides)))
    before, between, after = (
        Joined([joined["input_ids"][place] for place in part], [types[place] for place in part]) for part in parts
    )
    return before, between, after
