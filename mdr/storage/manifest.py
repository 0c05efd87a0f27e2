"""The manifest: how an artefact was made, from what, and what is in it. Sealed by a hash over itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mdr.errors import ArtefactError, StorageError
from mdr.storage.files import canonical, digest, read_json, sha256_file, write_json

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """How an artefact was made, from what, and what is in it."""

    kind: str
    stage: str
    version: int
    recipe: str
    content: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, Mapping[str, str]]
    fingerprints: Mapping[str, str]
    files: Mapping[str, Mapping[str, Any]]
    counts: Mapping[str, Any]
    seconds: float
    device: str
    made: str
    mdr: str
    seal: str = ""

    @property
    def bytes(self) -> int:
        """What all files take."""
        return sum(entry["bytes"] for entry in self.files.values())

    def write(self, folder: Path) -> Manifest:
        """Seal it and put it into its folder; gives it as it reads back."""
        values = json.loads(canonical(asdict(self)))
        values["seal"] = _seal(values)
        write_json(folder / MANIFEST, values)
        return Manifest(**values)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a published folder; an error when it is not as it was written."""
    path = folder / MANIFEST
    try:
        values = read_json(path)
        whole = set(values) == {field.name for field in fields(Manifest)} and values["seal"] == _seal(values)
        if not whole or (values["kind"], values["recipe"]) != (folder.parent.name, folder.name):
            raise ArtefactError(f"{path} is not as mdr wrote it", _AGAIN.format(folder))
    except StorageError as error:
        raise ArtefactError(error.problem, _AGAIN.format(folder)) from error
    return Manifest(**values)


def describe(path: Path) -> dict[str, Any]:
    """What a manifest says of a file."""
    return {"bytes": path.stat().st_size, "sha256": sha256_file(path)}


def recipe_hash(
    stage: str,
    version: int,
    settings: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, str]],
    fingerprints: Mapping[str, str],
) -> str:
    """The name of a way to make something: equal ways, equal name; any change, another name."""
    contents = {slot: reference["content"] for slot, reference in inputs.items()}
    return digest([stage, version, dict(settings), contents, dict(fingerprints)])


_AGAIN = "delete the folder {}; the next run makes it again"


def _seal(values: Mapping[str, Any]) -> str:
    return digest({key: value for key, value in values.items() if key != "seal"})
