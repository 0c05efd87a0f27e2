"""Writing with a language model: token by token, many texts at once, each as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mdr.engines.generator_folder import GeneratorFolder
from mdr.engines.language_models import Draft, Ids, LanguageModel
from mdr.engines.sampling import Tokens, draw, repeats
from mdr.engines.vocabulary_languages import read_own_tokens
from mdr.engines.vocabulary_scripts import VocabularyScripts
from mdr.ports import Mask


class Writer:
    """Draws texts of one line, within their language's scripts (and its own tokens and the input's, where the folder
    knows them), without running in circles."""

    def __init__(self, settings: GeneratorFolder, model: LanguageModel, tokenizer: Any, ends: frozenset[int]) -> None:
        self._settings, self._model, self._tokenizer, self._ends = settings, model, tokenizer, ends
        self._masks: dict[str, Mask] = {}

    def write(
        self, inputs: Sequence[Ids], rows: Sequence[int], prefix: Ids, langs: Sequence[str], streams: Sequence[int]
    ) -> list[Ids]:
        """Tokens for every row, which names its input, until the model ends it, or its line, or it is as long as
        it may be."""
        draft = self._model.start(inputs, prefix)
        device = draft.logits.device
        draft.select(torch.tensor(rows, device=device))
        allowed = torch.from_numpy(
            np.stack([self._allowed(lang, inputs[row]) for lang, row in zip(langs, rows, strict=True)])
        ).to(device)
        noise = np.array(streams, dtype=np.uint64)
        written: list[Ids] = [[] for _ in rows]
        done = np.zeros(len(rows), dtype=bool)
        going = np.arange(len(rows))  # which text each row of the draft is
        for step in range(self._settings.max_query_length):
            drawn = self._next(draft, allowed, [written[text] for text in going], noise[going], step)
            for text, token in zip(going.tolist(), drawn.tolist(), strict=True):
                if not done[text] and token not in self._ends:
                    written[text].append(token)
            done[going[np.isin(drawn, list(self._stops))]] = True
            live = ~done[going]
            if not live.any():
                break
            if 2 * live.sum() <= len(live):  # rows that are done cost as much as others, and so does dropping them
                kept = torch.from_numpy(np.flatnonzero(live)).to(device)
                draft.select(kept)
                allowed, going, drawn = allowed[kept], going[live], drawn[live]
            draft.extend(torch.from_numpy(drawn).to(device))
        return written

    def _next(self, draft: Draft, allowed: Tensor, written: list[Ids], noise: Any, step: int) -> Tokens:
        logits = draft.logits.float().masked_fill(~allowed, -torch.inf)
        for row, ids in enumerate(written):
            if again := repeats(ids):
                logits[row, again] = -torch.inf
        scores, tokens = logits.topk(min(self._settings.top_k, logits.shape[1]))
        return draw(
            scores.double().cpu().numpy(),
            tokens.cpu().numpy(),
            noise,
            step,
            top_p=self._settings.top_p,
            temperature=self._settings.temperature,
        )

    @property
    def languages(self) -> frozenset[str]:
        """Those that it is known to write in; none where its folder does not say."""
        return frozenset(self._own)

    @cached_property
    def _scripts(self) -> VocabularyScripts:
        return VocabularyScripts(self._tokenizer, self._model.vocabulary)

    @cached_property
    def _stops(self) -> frozenset[int]:
        """A text is one line: it ends where the model ends it, or a line does."""
        return self._ends | self._scripts.breaks

    @cached_property
    def _own(self) -> dict[str, Mask]:
        return read_own_tokens(self._settings.folder, self._model.vocabulary)

    def _allowed(self, lang: str, read: Ids) -> Mask:
        """What a text in a language may have whose writer has read this."""
        if lang not in self._masks:
            mask = self._scripts.allowed(lang)
            mask[list(self._stops)] = True
            self._masks[lang] = mask
        mask = self._masks[lang]
        if lang not in self._own:
            return mask
        kept = mask & self._own[lang]
        for always in (list(self._stops), read):
            kept[always] = mask[always]
        return kept
