"""What a generator's folder says of itself: its prompt, lengths and sampling. Reads JSON only; loads no weights.

A folder saved by transformers says nothing of prompts; it gets the instruction that UMR asks multilingual seq2seq
models with, and LeSTM's way of sampling. An `mdr.json` in the folder, or options given on loading, override any of it:

    {"prompt": "Passage: {passage}. Please write a question based on this passage in {language}.",
     "target": "Question: {query}", "max_length": 512, "max_query_length": 64,
     "top_k": 25, "top_p": 0.95, "temperature": 1.0, "draws": 4}

`{language}` is a language's English name, `{lang}` its code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from string import Formatter
from typing import Any

from mdr.engines import vocabulary_languages
from mdr.engines.model_folder import read_config, shaping_files
from mdr.errors import ModelError
from mdr.storage.files import digest, sha256_file

_ALGORITHM = 1
"""Goes up when the same folder writes or scores otherwise than before."""
_ALSO_SHAPING = ("generation_config.json", "chat_template.jinja", vocabulary_languages.FILE)
"""Files that change what a model says, beside those that change what it computes."""


@dataclass(frozen=True)
class GeneratorFolder:
    """How to ask a folder's language model for a question."""

    folder: Path
    prompt: str = "Passage: {passage}. Please write a question based on this passage in {language}."
    target: str = "Question: {query}"
    max_length: int = 512
    """Tokens of the prompt with its passage; the passage is cut to what the instruction leaves."""
    max_query_length: int = 64
    """Tokens of a question, written or scored."""
    top_k: int = 25
    top_p: float = 0.95
    temperature: float = 1.0
    draws: int = 4
    """How often a question is drawn at most, until it is in the language that was asked for."""

    def fingerprint(self) -> str:
        """The content of everything that can change a question or a likelihood; the same wherever the folder lies."""
        files = shaping_files(self.folder)
        files |= {name: sha256_file(path) for name in _ALSO_SHAPING if (path := self.folder / name).is_file()}
        return digest([_ALGORITHM, files, options_of(self)])


def read_generator_folder(folder: Path, overrides: Mapping[str, Any] | None = None) -> GeneratorFolder:
    """Read a folder's own settings, then what overrides them."""
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} is not a language model's folder: it has no config.json",
            "give a folder saved by transformers, or a hub name such as owner/name",
        )
    model = GeneratorFolder(folder)
    own = folder / "mdr.json"
    if own.is_file():
        model = _override(model, read_config(own), str(own))
    return _override(model, overrides or {}, "the options given")


def options_of(model: GeneratorFolder) -> dict[str, Any]:
    """Everything that an `mdr.json` may say, as it holds for this folder."""
    return {name: getattr(model, name) for name in _OPTIONS}


def _override(model: GeneratorFolder, values: Mapping[str, Any], source: str) -> GeneratorFolder:
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if name not in _OPTIONS:
            raise ModelError(f"{source}: unknown option {name!r}", f"options are {', '.join(_OPTIONS)}")
        fits, expected = _OPTIONS[name]
        if not fits(value):
            raise ModelError(f"{source}: {name} is {value!r}", f"it should be {expected}")
        changes[name] = float(value) if isinstance(getattr(model, name), float) else value
    return replace(model, **changes)


def _fields(template: Any) -> Counter[str]:
    """How often each field stands in a template; what is no template has one that nobody knows."""
    try:
        parts = list(Formatter().parse(template))
    except (TypeError, ValueError):
        return Counter(["broken"])
    plain = all(not spec and not conversion for _, _, spec, conversion in parts)
    return Counter([name for _, name, _, _ in parts if name is not None] if plain else ["broken"])


def _asks(value: Any) -> bool:
    fields = _fields(value)
    return fields["passage"] == 1 and not set(fields) - {"passage", "language", "lang"}


def _answers(value: Any) -> bool:
    return _fields(value) == {"query": 1} and value.endswith("{query}")


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _above_zero(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


_COUNT = (_count, "a whole number above 0")
_OPTIONS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "prompt": (_asks, "a text with {passage} once, and {language} or {lang} where they are wanted"),
    "target": (_answers, "a text that ends in {query}, such as 'Question: {query}'"),
    "max_length": _COUNT,
    "max_query_length": _COUNT,
    "top_k": _COUNT,
    "top_p": (lambda value: _above_zero(value) and value <= 1, "a number above 0, at most 1"),
    "temperature": (_above_zero, "a number above 0"),
    "draws": _COUNT,
}
