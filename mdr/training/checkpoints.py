"""The state of a training run on disk, whole or not at all: what a killed run continues from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mdr.errors import ArtefactError
from mdr.storage.files import disk_errors, fsync_file, fsync_folder


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Replace the checkpoint in one rename, once it is on the disk."""
    temporary = path.with_name(f"{path.name}.tmp")  # one name: what a kill leaves is written over
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as stream:  # a stream of ours: torch would not say why a disk refuses
                torch.save(dict(state), stream)
            fsync_file(temporary)
            os.replace(temporary, path)
            fsync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path, identity: str) -> dict[str, Any] | None:
    """The last state that was saved, or None; never that of another configuration."""
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever unpickling does
        raise ArtefactError(f"{path} cannot be read: {error}", f"delete {path}; training starts again") from error
    made_by = state.get("identity") if isinstance(state, dict) else None
    if made_by != identity:
        raise ArtefactError(
            f"{path} is of another configuration: {made_by}, this one is {identity}",
            f"delete {path} to train anew, or go back to the settings and data it was made with",
        )
    return state
