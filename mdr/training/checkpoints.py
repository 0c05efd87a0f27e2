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
    temporary = path.with_name(f".{path.name}.tmp")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.save(dict(state), temporary)
        except RuntimeError as error:  # how torch tells that the disk is full
            temporary.unlink(missing_ok=True)
            raise OSError(28, f"No space left on device ({error})") from error
        fsync_file(temporary)
        os.replace(temporary, path)
        fsync_folder(path.parent)


def load_checkpoint(path: Path, identity: str) -> dict[str, Any] | None:
    """The last state that was saved, or None; never that of another configuration."""
    if not path.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever unpickling does
        raise ArtefactError(f"{path} cannot be read: {error}", f"delete {path}; training starts again") from error
    if state.get("identity") != identity:
        raise ArtefactError(
            f"{path} is of another configuration: {state.get('identity')}, this one is {identity}",
            f"delete {path} to train anew, or go back to the settings and data it was made with",
        )
    return state
