"""A model card: what a model is, made of what and how well it does, as a README.md that the model hub reads.

Equal cards and files give equal bytes. Every value is escaped: none can break the table or the page that it stands in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import mdr
from mdr.core.languages import code_of
from mdr.core.text import clean
from mdr.errors import InputError
from mdr.storage.files import disk_errors, sha256_file
from mdr.storage.manifest import MANIFEST

NAME = "README.md"
Kind = Literal["encoder", "generator", "reranker"]

_HUB: Mapping[Kind, dict[str, str]] = {
    "encoder": {"library_name": "sentence-transformers", "pipeline_tag": "sentence-similarity"},
    "generator": {"library_name": "transformers", "pipeline_tag": "text-generation"},
    "reranker": {"library_name": "transformers", "pipeline_tag": "text-ranking"},
}
_TAGS: Mapping[Kind, list[str]] = {
    "encoder": ["sentence-transformers", "feature-extraction", "multilingual", "retrieval"],
    "generator": ["query-generation", "multilingual", "retrieval"],
    "reranker": ["cross-encoder", "multilingual", "retrieval"],
}
_LICENCES = re.compile(
    r"apache-2\.0|mit|cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-[234]\.0|bsd-[23]-clause|(l|a)?gpl-3\.0|mpl-2\.0|unlicense|openrail"
)
"""Identifiers that the hub knows; others go there as `other` with a name."""
_HUB_NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_MARKS = re.compile(r"([\\`*_\[\]<>|~$&#])")


class Source(NamedTuple):
    """Data that a model learned from; `rows` is how many of its rows were used, `use` what for."""

    name: str
    licence: str
    rows: int
    use: str


class Number(NamedTuple):
    """Something measured, and the command that measures it again."""

    what: str
    value: float | str
    command: str


def current_versions() -> dict[str, str]:
    """Of this project and of the libraries that a model's numbers depend on."""
    return {"mdr": mdr.__version__, **{name: version(name) for name in ("torch", "transformers")}}


@dataclass(frozen=True)
class Card:
    """What is to be known of a model. Hashes of its files are added when it is written."""

    name: str
    kind: Kind
    about: str
    """What it is, in a sentence or two."""
    languages: Sequence[str]
    licence: str
    sources: Sequence[Source]
    settings: Mapping[str, Any]
    numbers: Sequence[Number]
    use: str
    """What it is meant for."""
    limits: Sequence[str]
    base_model: str = ""
    """The hub name of what training began from, or words; empty: from scratch."""
    command: str = ""
    """What makes it again."""
    machine: str = ""
    seconds: float | None = None
    versions: Mapping[str, str] = field(default_factory=current_versions)


def write_card(folder: Path, card: Card) -> Path:
    """Write the card beside the files it lists; gives its path."""
    text = card_text(card, folder)
    with disk_errors(folder / NAME):
        (folder / NAME).write_text(text, encoding="utf-8", newline="\n")
    return folder / NAME


def card_text(card: Card, folder: Path) -> str:
    """The page: front matter for the hub, then sections for people."""
    settings = [(key, _code(_plain(card.settings[key]))) for key in sorted(card.settings)]
    numbers = [(_text(what), _number(value), _code(command)) for what, value, command in card.numbers]
    sources = [(_text(name), _text(licence), f"{rows:,}", _text(use)) for name, licence, rows, use in card.sources]
    limits = [f"- {_text(limit)}" for limit in card.limits]
    parts = [
        f"---\n{_front_matter(card)}\n---\n\n# {_text(card.name)}\n\n{_text(card.about)}",
        _table(("", ""), _facts(card)),
        f"## Use\n\n{_text(card.use)}" + (_USAGE if card.kind == "encoder" else ""),
        "## Limits\n\n" + ("\n".join(limits) or _NOT_SAID),
        "## Trained on\n\n" + _table(("data", "licence", "rows", "use"), sources),
        "## Settings\n\n" + _table(("setting", "value"), [(_text(key), value) for key, value in settings]),
        "## Measured\n\n" + _table(("what", "value", "command"), numbers),
        "## Files\n\n" + _table(("file", "bytes", "sha256"), _files(folder)),
    ]
    if card.command:
        parts.insert(-3, f"Made by {_code(card.command)}.")
    return "\n\n".join(parts) + "\n"


_NOT_SAID = "Nothing was said."
_USAGE = """

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("FOLDER_OR_NAME")
queries = model.encode_query(["Which river flows through Cairo?"])
passages = model.encode_document(["Niili virtaa Kairon läpi mereen."])
print(model.similarity(queries, passages))
```"""


def _front_matter(card: Card) -> str:
    """What the hub sorts models by."""
    from huggingface_hub import ModelCardData

    licence = "-".join(re.findall("[a-z0-9.]+", card.licence.lower()))
    known = _LICENCES.fullmatch(licence)
    if not licence:
        raise InputError(f"{card.licence!r} is no licence", "name one, such as apache-2.0 or cc-by-sa-4.0")
    values: dict[str, Any] = {
        "language": sorted({code_of(name) for name in card.languages}),
        "license": licence if known else "other",
        "license_name": None if known else licence,
        "base_model": card.base_model if _HUB_NAME.fullmatch(card.base_model) else None,
        **_HUB[card.kind],
        "tags": _TAGS[card.kind],
    }
    return str(ModelCardData(**values).to_yaml(line_break="\n"))


def _facts(card: Card) -> Iterable[Sequence[str]]:
    yield "kind", card.kind
    yield "languages", " ".join(sorted({code_of(name) for name in card.languages}))
    yield "licence", _text(card.licence)
    yield "base model", _text(card.base_model) or "none: trained from scratch"
    yield "trained on", _text(card.machine) or _NOT_SAID
    if card.seconds is not None:
        yield "training took", _duration(card.seconds)
    yield "versions", _text(", ".join(f"{name} {card.versions[name]}" for name in sorted(card.versions)))


def _files(folder: Path) -> Iterable[Sequence[str]]:
    """Every file that makes up the model; the card cannot hold its own hash."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name not in (NAME, MANIFEST) and not any(part.startswith(".") for part in Path(name).parts):
            yield _code(name), f"{path.stat().st_size:,}", _code(sha256_file(path))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    head = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return "\n".join(head + lines) if lines else _NOT_SAID


def _text(value: str) -> str:
    """Words as Markdown shows them: no mark means anything, nothing begins a list, a heading or another line."""
    escaped = _MARKS.sub(r"\\\1", clean(value))
    return re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", escaped)


def _code(value: str) -> str:
    """Words as they would be typed; fenced by more backticks than they hold in a row."""
    plain = clean(value).replace("|", "\\|")
    if not plain:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", plain)), default=0))
    edge = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{edge}{plain}{edge}{fence}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _number(value: float | str) -> str:
    if isinstance(value, str):
        return _text(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _duration(seconds: float) -> str:
    """As people say it.

    >>> _duration(42), _duration(420), _duration(12_060)
    ('42 s', '7 min', '3 h 21 min')
    """
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
