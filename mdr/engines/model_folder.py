"""What a model folder says of itself: modules, pooling, prompts, lengths. Reads JSON only; loads no weights.

Two layouts are known: sentence-transformers (`modules.json`) and plain transformers (`config.json`). A plain folder
says nothing of pooling, so it gets mean pooling and vectors as they come. An `mdr.json` in the folder, or options
given on loading, override any of it:

    {"pooling": "cls", "prompts": {"query": "query: ", "passage": "passage: "}, "max_length": 256,
     "normalise": true, "dimension": 128, "damped": true}

`damped` is for static models: a token that comes n times counts 1 + ln n times, as a word does in lexical search.

Where queries and passages have networks of their own, each is a model folder below, and `mdr.json` says where:

    {"query": "query", "passage": "passage"}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from mdr.errors import ModelError
from mdr.storage.files import digest, sha256_file
from mdr.types import Role

POOLINGS = ("mean", "cls", "lasttoken", "max", "weightedmean", "mean_sqrt_len_tokens")

LEGACY_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_PROMPT_NAMES: Mapping[Role, tuple[str, ...]] = {"query": ("query",), "passage": ("document", "passage", "corpus")}
_SHAPING = ("*.safetensors", "*.json", "*.model", "*.txt")
"""Files that can change an answer. Of the JSON files only those below; the rest is read into the fields above."""
_SHAPING_JSON = {
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
}
TOWERS: Mapping[Role, str] = {"query": "query", "passage": "passage"}
"""Where two networks lie below the folder of one encoder."""
_ALGORITHM = 1
"""Goes up when the same folder gives other vectors than before."""


@dataclass(frozen=True)
class ModelFolder:
    """How to turn a folder into an encoder."""

    folder: Path
    kind: Literal["static", "transformer"]
    body: str = ""
    pooling: tuple[str, ...] = ("mean",)
    include_prompt: bool = True
    dense: tuple[str, ...] = ()
    prompts: Mapping[Role, str] = field(default_factory=lambda: {"query": "", "passage": ""})
    max_length: int | None = None
    lowercase: bool = False
    normalise: bool = False
    dimension: int | None = None
    damped: bool = False

    @property
    def body_folder(self) -> Path:
        """Where weights and tokenizer lie."""
        return self.folder / self.body

    def fingerprint(self) -> str:
        """The content of everything that can change a vector; the same wherever the folder lies."""
        files = {
            f"{place}/{name}": content
            for place in (self.body, *self.dense)
            for name, content in shaping_files(self.folder / place).items()
        }
        reading = [self.kind, self.pooling, self.include_prompt, dict(self.prompts), self.max_length, self.lowercase]
        damped = ["damped"] if self.damped else []  # only where it is: other fingerprints stay as they were
        return digest([_ALGORITHM, files, reading, self.normalise, self.dimension, *damped])


def towers_of(folder: Path) -> Mapping[Role, Path]:
    """The folders of an encoder's two networks; none where one network reads both sides."""
    own = folder / "mdr.json"
    places = read_config(own) if own.is_file() else {}
    if not set(places) & set(TOWERS):
        return {}
    if set(places) != set(TOWERS) or any(not _inside(place) for place in places.values()):
        raise ModelError(f"{own} names towers by {places!r}", f"it should be like {json.dumps(dict(TOWERS))}")
    return {role: folder / places[role] for role in TOWERS}


def _inside(place: Any) -> bool:
    return isinstance(place, str) and not Path(place).is_absolute() and ".." not in Path(place).parts


def read_model_folder(folder: Path, overrides: Mapping[str, Any] | None = None) -> ModelFolder:
    """Read a folder's own files, then what overrides them."""
    if (folder / "modules.json").is_file():
        model = _sentence_transformers(folder)
    elif (folder / "config.json").is_file():
        model = ModelFolder(folder, "transformer")
    else:
        raise ModelError(
            f"{folder} is not a model folder: neither modules.json nor config.json is there",
            "give a folder saved by transformers or sentence-transformers, or a hub name such as owner/name",
        )
    own = folder / "mdr.json"
    if own.is_file():
        model = _override(model, read_config(own), str(own))
    return _override(model, overrides or {}, "the options given")


def _sentence_transformers(folder: Path) -> ModelFolder:
    modules = read_config(folder / "modules.json", list)
    try:
        steps = [(str(module["type"]).rsplit(".", 1)[-1], str(module["path"])) for module in modules]
    except (TypeError, KeyError) as error:
        raise ModelError(f"{folder / 'modules.json'}: a module without type or path", "save the model again") from error
    if not all(_inside(path) for _, path in steps):
        raise ModelError(f"{folder / 'modules.json'} points outside of its folder", "do not use this model")
    if not steps:
        raise ModelError(f"{folder / 'modules.json'} names no module", "save or download the model again")
    model = ModelFolder(folder, "transformer")
    for position, (name, path) in enumerate(steps):
        if name not in _MODULES or (position == 0) != (name in _BODIES):
            raise ModelError(
                f"{folder / 'modules.json'}: module {position} is {name}, which has no place there",
                f"known are {', '.join(_BODIES)} first, then {', '.join(sorted(set(_MODULES) - _BODIES))}",
            )
        model = _MODULES[name](model, path)
    return _with_config(model)


def _with_config(model: ModelFolder) -> ModelFolder:
    path = model.folder / "config_sentence_transformers.json"
    config = read_config(path) if path.is_file() else {}
    similarity = config.get("similarity_fn_name") or "cosine"
    if similarity not in ("cosine", "dot"):
        raise ModelError(
            f"{path}: the model compares by {similarity} distance; vectors are compared by inner product here",
            'put {"normalise": true} into an mdr.json in its folder if cosine serves as well',
        )
    given = config.get("prompts") or {}
    fallback = given.get(config.get("default_prompt_name") or "") or ""
    prompts: dict[Role, str] = {}
    for role, names in _PROMPT_NAMES.items():
        prompts[role] = next((str(given[name]) for name in names if given.get(name) is not None), fallback)
    return replace(model, prompts=prompts, normalise=model.normalise or similarity == "cosine")


def _transformer(model: ModelFolder, path: str) -> ModelFolder:
    settings = model.folder / path / "sentence_bert_config.json"
    values = read_config(settings) if settings.is_file() else {}
    lowercase = bool(values.get("do_lower_case"))
    return replace(model, body=path, max_length=values.get("max_seq_length"), lowercase=lowercase)


def _pooling(model: ModelFolder, path: str) -> ModelFolder:
    values = read_config(model.folder / path / "config.json")
    modes = (
        values.get("pooling_mode") or [mode for key, mode in LEGACY_POOLINGS.items() if values.get(key)] or ["mean"]
    )
    pooling = _poolings(modes, str(model.folder / path / "config.json"))
    return replace(model, pooling=pooling, include_prompt=bool(values.get("include_prompt", True)))


def _dense(model: ModelFolder, path: str) -> ModelFolder:
    if model.normalise:
        raise ModelError(f"{model.folder}: a Dense module after Normalize", "this order is not supported")
    return replace(model, dense=(*model.dense, path))


_MODULES: Mapping[str, Callable[[ModelFolder, str], ModelFolder]] = {
    "Transformer": _transformer,
    "StaticEmbedding": lambda model, path: replace(model, kind="static", body=path),
    "Pooling": _pooling,
    "Dense": _dense,
    "Normalize": lambda model, path: replace(model, normalise=True),
    "Dropout": lambda model, path: model,
}
_BODIES = {"Transformer", "StaticEmbedding"}


def _override(model: ModelFolder, values: Mapping[str, Any], source: str) -> ModelFolder:
    changes: dict[str, Any] = {}
    for key, value in values.items():
        if key not in _OVERRIDES:
            raise ModelError(f"{source}: unknown option {key!r}", f"options are {', '.join(_OVERRIDES)}")
        changes[key] = _OVERRIDES[key](value, source)
    if "prompts" in changes:
        changes["prompts"] = {**model.prompts, **changes["prompts"]}
    return replace(model, **changes)


def _poolings(value: Any, source: str) -> tuple[str, ...]:
    modes = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not modes or any(mode not in POOLINGS for mode in modes):
        raise ModelError(f"{source}: unknown pooling {value!r}", f"poolings are {', '.join(POOLINGS)}")
    return modes


def _prompts(value: Any, source: str) -> dict[str, str]:
    fits = isinstance(value, Mapping) and all(isinstance(prompt, str) for prompt in value.values())
    if not fits or set(value) - set(_PROMPT_NAMES):
        raise ModelError(f"{source}: prompts is {value!r}", 'it should be like {"query": "query: ", "passage": ""}')
    return dict(value)


def _positive(value: Any, source: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ModelError(f"{source}: {value!r} is not a whole number above 0", "set max_length and dimension to such")
    return value


def _flag(value: Any, source: str) -> bool:
    if not isinstance(value, bool):
        raise ModelError(f"{source}: normalise or damped is {value!r}", "they should be true or false")
    return value


_OVERRIDES: Mapping[str, Callable[[Any, str], Any]] = {
    "pooling": _poolings,
    "prompts": _prompts,
    "max_length": _positive,
    "normalise": _flag,
    "dimension": _positive,
    "damped": _flag,
}


def read_config(path: Path, kind: type = dict) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}", "save or download the model again") from error
    if not isinstance(value, kind):
        raise ModelError(f"{path} should hold a JSON {kind.__name__}", "save or download the model again")
    return value


def body_of(folder: Path) -> Path:
    """Where the network of a folder lies, with its tokenizer."""
    return read_model_folder(folder).body_folder if (folder / "modules.json").is_file() else folder


def shaping_files(folder: Path) -> dict[str, str]:
    """Name and hash of every file of a folder that can change what its network answers."""
    paths = sorted(file for pattern in _SHAPING for file in folder.glob(pattern))
    return {path.name: _file_hash(path) for path in paths if path.suffix != ".json" or path.name in _SHAPING_JSON}


def _file_hash(path: Path) -> str:
    status = path.stat()
    return _hash_once(path.resolve(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _hash_once(path: Path, size: int, changed: int) -> str:
    return sha256_file(path)
