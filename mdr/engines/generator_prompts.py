"""Passages and queries as a language model's tokens: the instruction stays whole, the passage is cut.

Tokens depend on what stands beside them, so a prompt is tokenized as one text; only where that is too long is the
passage cut, at the character where its own tokens reach the limit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from threading import Lock
from typing import Any

from mdr.core.languages import language
from mdr.core.text import clean
from mdr.engines.generator_folder import GeneratorFolder
from mdr.errors import ModelError
from mdr.types import Passage

Ids = list[int]

_CHARACTERS_PER_TOKEN = 64
"""Texts are cut to this many characters per token that they may have before anything reads them."""


def control_tokens(tokenizer: Any) -> dict[int, str]:
    """Tokens that steer a model instead of standing for text."""
    added = {token: str(text) for token, text in tokenizer.added_tokens_decoder.items() if text.special}
    return added | dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))


class Plain:
    """Makes texts say nothing but themselves: cleaned, cut, and without a model's control tokens spelled out."""

    def __init__(self, tokenizer: Any) -> None:
        names = sorted(filter(None, control_tokens(tokenizer).values()), key=len, reverse=True)
        self._controls = re.compile("|".join(map(re.escape, names)) or "(?!)", re.IGNORECASE)

    def __call__(self, text: str, tokens: int) -> str:
        """As much of a text as so many tokens can hold."""
        return clean(self._controls.sub(" ", text[: tokens * _CHARACTERS_PER_TOKEN]))


class Prompts:
    """What a model reads and is to write. `reads_on`: it continues its prompt, as decoders without an encoder do."""

    def __init__(
        self, model: GeneratorFolder, tokenizer: Any, *, reads_on: bool, room: int, ends: frozenset[int]
    ) -> None:
        self._model, self._tokenizer, self._reads_on, self._room, self._ends = model, tokenizer, reads_on, room, ends
        self._end = min(ends) if tokenizer.eos_token_id is None else tokenizer.eos_token_id
        self._chats = reads_on and bool(tokenizer.chat_template)
        self.plain = Plain(tokenizer)
        self._lock = Lock()  # a tokenizer keeps its truncation as state
        self.prefix = self._tokens([model.target.format(query="").rstrip()], special=False)[0]
        """What a model is given of its own answer before it writes."""

    def inputs(self, passages: Sequence[Passage], langs: Sequence[str]) -> list[Ids]:
        """What the model reads, for each passage and the language beside it."""
        asked = [(passage.full_text, lang) for passage, lang in zip(passages, langs, strict=True)]
        different = list(dict.fromkeys(asked))
        texts = [self.plain(text, self._room) for text, _ in different]
        rendered = [self._render(text, lang) for text, (_, lang) in zip(texts, different, strict=True)]
        found = self._tokens(rendered, special=not self._chats) if rendered else []
        for place, ids in enumerate(found):
            if len(ids) > self._room:
                found[place] = self._fitted(texts[place], different[place][1])
        places = {one: place for place, one in enumerate(different)}
        return [found[places[one]] for one in asked]

    def targets(self, texts: Sequence[str]) -> list[Ids]:
        """What the model would write if it asked these queries."""
        limit = self._model.max_query_length
        rendered = [self._model.target.format(query=self.plain(text, limit)) for text in texts]
        found = self._tokens(rendered, special=False) if rendered else []
        return [[*ids[: len(self.prefix) + limit], self._end] for ids in found]

    def _render(self, text: str, lang: str) -> str:
        row = language(lang)
        asked = self._model.prompt.format(passage=text, language=row.name, lang=row.code)
        if not self._reads_on:
            return asked
        if not self._chats:
            return asked + "\n"
        try:
            rendered: str = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": asked}],
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,  # templates of models that think aloud know this, others pass it over
            )
        except Exception as error:  # templates are programs
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(
                f"{self._model.folder}: its chat template fails: {first}", "correct or remove chat_template.jinja"
            ) from error
        return rendered

    def _fitted(self, text: str, lang: str) -> Ids:
        """The prompt with as much of the passage as there is room for."""
        instruction = len(self._tokens([self._render("", lang)], special=not self._chats)[0])
        left = self._room - instruction
        with self._lock:
            offsets = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        while left > 0 and offsets:
            cut = text[: offsets[min(left, len(offsets)) - 1][1]]
            ids = self._tokens([self._render(cut, lang)], special=not self._chats)[0]
            if len(ids) <= self._room:
                return ids
            left -= len(ids) - self._room  # tokens differ a little where the passage meets the instruction
        raise ModelError(
            f"{self._model.folder}: the instruction takes {instruction} of {self._room} tokens, none is left",
            "set a larger max_length, or a shorter prompt, in its mdr.json",
        )

    def _tokens(self, texts: list[str], *, special: bool) -> list[Ids]:
        with self._lock:
            encoded = self._tokenizer(
                texts, add_special_tokens=special, return_attention_mask=False, return_token_type_ids=False
            )
        found: list[Ids] = encoded["input_ids"]
        if self._reads_on:  # some tokenizers end every text; nothing would be written behind an end
            found = [ids[:-1] if ids and ids[-1] in self._ends else ids for ids in found]
        return found
