"""A model folder to the model hub: checked, listed with hashes, then uploaded; a dry run stops before the upload.

Only what a model is read from leaves this machine: weights as safetensors, JSON, vocabularies and the card. Anything
else, pickles above all, is refused rather than left out, so that what was checked here is what others get.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mdr.engines.generator_folder import read_generator_folder
from mdr.engines.model_folder import read_model_folder, towers_of
from mdr.errors import MismatchError, MissingError, ModelError
from mdr.services.hub.upload import check_repo, first_line, hub_token, reaching
from mdr.storage.artefacts import ArtefactStore
from mdr.storage.files import sha256_file
from mdr.storage.manifest import MANIFEST
from mdr.types import Event

STAGE = "push"
_ENDINGS = (".safetensors", ".json", ".txt", ".model", ".jinja", ".md")
_NAMES = ("LICENSE", "NOTICE")
_CARD = "README.md"


class File(NamedTuple):
    """One file as it would be uploaded."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Pushed:
    """What was uploaded, or would be."""

    folder: Path
    repo: str
    private: bool
    files: tuple[File, ...]
    url: str = ""
    """Of the upload; empty after a dry run."""


def push(folder: Path, repo: str, *, private: bool = False, dry_run: bool = False) -> Generator[Event, None, Pushed]:
    """Check a model folder, list it, and upload it to `owner/name`; a dry run touches no network."""
    check_repo(repo)
    yield Event(STAGE, "started", f"{folder} to {repo}")
    names = check_model(folder)
    files = []
    for done, name in enumerate(names, 1):
        path = folder / name
        files.append(File(name, path.stat().st_size, sha256_file(path)))
        yield Event(STAGE, "progress", name, done, len(names), "files")
    if _CARD not in names:
        yield Event(STAGE, "warning", f"there is no {_CARD}: nobody will know what the model is or may be used for")
    url = "" if dry_run else _upload(folder, repo, names, private)
    yield Event(STAGE, "finished", "nothing was uploaded" if dry_run else f"uploaded to {url}")
    return Pushed(folder, repo, private, tuple(files), url)


def model_of(store: ArtefactStore, name: str, step: str = "") -> Path:
    """The model folder that is meant: a folder, or what a step of a run made; `step` may be left out if one did."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name not in store.names():
        have = ", ".join(store.names()) or "none"
        raise MissingError(f"{name!r} is neither a folder nor a run; runs are {have}", "give a model folder or a run")
    models = {
        made: artefact.folder
        for made, key in store.run(name).items()
        if (artefact := store.get(key)) and any((artefact.folder / mark).is_file() for mark in _MARKS)
    }
    if step not in models and (step or len(models) != 1):
        have = ", ".join(models) or "none"
        wanted = f"step {step!r} of {name} made no model" if step else f"{name} has {len(models)} models"
        raise MissingError(f"{wanted}; models were made by: {have}", "choose one with --step")
    return models[step] if step else next(iter(models.values()))


_MARKS = ("modules.json", "config.json")
"""One of these is in every model folder."""


# -- checking -------------------------------------------------------------------------------------------------


def check_model(folder: Path) -> list[str]:
    """The files to upload, by name; an error where the folder is not a whole model or holds something else."""
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {str(folder)!r}", "give a folder that a training step wrote")
    paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    names = [path.relative_to(folder).as_posix() for path in paths if path != folder / MANIFEST]
    if refused := [name for name in names if not _allowed(folder, name)]:
        more = f" and {len(refused) - 5} more" if len(refused) > 5 else ""
        raise ModelError(
            f"{folder} holds what is no part of a model: {', '.join(refused[:5])}{more}",
            f"take it out; allowed are plain files ending in {' '.join(_ENDINGS)}",
        )
    for place in [*towers_of(folder).values()] or [folder]:
        _check_loadable(place)
    for name in names:
        _check_readable(folder / name)
    return names


def _allowed(folder: Path, name: str) -> bool:
    """A plain file of a known kind, nowhere hidden: links could lead to files that are nobody's business."""
    path = folder / name
    return (
        path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in Path(name).parts)
        and (path.suffix in _ENDINGS or path.name in _NAMES)
    )


def _check_loadable(folder: Path) -> None:
    """It says of itself what an encoder or a generator must say, and has weights."""
    try:
        body = read_model_folder(folder).body_folder
    except ModelError as error:
        if (folder / "modules.json").is_file() or not (folder / "config.json").is_file():
            raise
        try:
            body = read_generator_folder(folder).folder
        except ModelError:
            raise error from None
    if not any(body.glob("*.safetensors")):
        raise ModelError(f"{body} has no weights: no *.safetensors is there", "save the model again")


def _check_readable(path: Path) -> None:
    """Headers of weights are read, and JSON is parsed: a file cut short or renamed does not leave."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as weights:
                weights.keys()
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
    except (SafetensorError, ValueError, OSError) as error:
        raise ModelError(f"{path} cannot be read: {first_line(error)}", "save the model again") from error


# -- uploading ------------------------------------------------------------------------------------------------


def _upload(folder: Path, repo: str, names: list[str], private: bool) -> str:
    from huggingface_hub import HfApi

    token = hub_token()
    api = HfApi(token=token)
    with reaching(repo, token):
        api.create_repo(repo, repo_type="model", private=private, exist_ok=True)
        if private and not api.model_info(repo).private:
            raise MismatchError(
                f"{repo} is there already, and public", "make it private on the hub first, or push without --private"
            )
        commit = api.upload_folder(
            repo_id=repo,
            repo_type="model",
            folder_path=folder,
            allow_patterns=[glob.escape(name) for name in names],
            commit_message="Upload model",
        )
    return str(getattr(commit, "commit_url", commit))
