"""Artefacts: what stages make. A folder `<root>/<kind>/<recipe hash>/`, whose manifest is written last.

The recipe hash names how an artefact is made (stage, settings, what goes in) and decides whether it must be made.
The content hash names what came out, and is what later stages take in. A folder under construction carries a
leading dot; publishing is one rename, so a folder without a dot is always whole. This module knows no stage.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

import mdr
from mdr.errors import ArtefactError, MdrError, MissingError
from mdr.storage.files import digest, disk_errors, fsync_file, fsync_folder
from mdr.storage.manifest import MANIFEST, Manifest, describe, read_manifest, recipe_hash
from mdr.storage.names import NAMES, RunNames

__all__ = ["Artefact", "ArtefactStore", "Draft", "Manifest", "recipe_hash"]


@dataclass(frozen=True)
class Artefact:
    """A published folder and its manifest."""

    folder: Path
    manifest: Manifest

    @property
    def key(self) -> str:
        """`kind/recipe`: where it is below the root."""
        return f"{self.manifest.kind}/{self.manifest.recipe}"

    def input_folder(self, slot: str) -> Path:
        """The folder of what it was made from."""
        reference = self.manifest.inputs[slot]
        return self.folder.parent.parent / reference["kind"] / reference["recipe"]

    def reference(self) -> dict[str, str]:
        """What a later manifest says of this one as its input."""
        return {"kind": self.manifest.kind, "recipe": self.manifest.recipe, "content": self.manifest.content}


@dataclass
class Draft:
    """A folder under construction. Stages may leave finished parts there and find them again after a kill."""

    folder: Path
    kind: str
    recipe: str
    started: float = field(default_factory=time.monotonic)
    counts: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"


class ArtefactStore(RunNames):
    """All artefacts below one root, and the names people gave to runs."""

    # -- finding ------------------------------------------------------------------------------------------

    def find(self, kind: str, recipe: str) -> Artefact | None:
        """The published artefact, or None."""
        folder = self.root / kind / recipe
        return Artefact(folder, read_manifest(folder)) if (folder / MANIFEST).is_file() else None

    def get(self, key: str) -> Artefact:
        """The artefact `kind/recipe`; the recipe may be shortened while it stays unique."""
        kind, _, start = key.partition("/")
        keys = [f"{folder.parent.name}/{folder.name}" for folder in self.folders()]
        found = [key] if key in keys else [each for each in keys if each.startswith(f"{kind}/{start}")]
        artefact = self.find(*found[0].split("/")) if len(found) == 1 else None
        if artefact is None:
            have = ", ".join(keys) or "none"
            raise MissingError(f"{len(found)} artefacts match {key!r}; there are: {have}", "`mdr status` lists them")
        return artefact

    def folders(self) -> list[Path]:
        """The folder of every published artefact, whole or damaged, by kind and recipe."""
        return sorted(
            folder
            for folder in self.root.glob("*/*")
            if folder.is_dir() and not folder.name.startswith(".") and folder.parent.name != NAMES
        )

    def all(self) -> Iterator[Artefact]:
        """Every published artefact."""
        for folder in self.folders():
            if artefact := self.find(folder.parent.name, folder.name):
                yield artefact

    # -- making -------------------------------------------------------------------------------------------

    @contextmanager
    def draft(self, kind: str, recipe: str) -> Iterator[Draft]:
        """A locked folder to build in; it stays for a later try when the build does not finish."""
        folder = self.root / kind / f".{recipe}.building"
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with _held(folder) as held:
                if not held:
                    raise ArtefactError(
                        f"another process is making {kind}/{recipe}", "wait for it to end, or stop it, then run again"
                    )
                # A kill between writing the manifest and the rename leaves it here: it must not count as content.
                (folder / MANIFEST).unlink(missing_ok=True)
                yield Draft(folder, kind, recipe)

    def joined(self, kind: str, recipe: str) -> Draft:
        """The folder that another process of the same run builds in: to read there, not to publish it."""
        return Draft(self.root / kind / f".{recipe}.building", kind, recipe)

    def publish(
        self,
        draft: Draft,
        *,
        stage: str,
        version: int,
        settings: Mapping[str, Any],
        inputs: Mapping[str, Mapping[str, str]],
        fingerprints: Mapping[str, str],
        content: str | None = None,
    ) -> Artefact:
        """Sweep, hash, flush, write the manifest, rename. `content` replaces the hash of the files where their bytes
        differ between equal builds (Lucene puts random ids into its segments)."""
        with disk_errors(draft.folder):
            _sweep(draft.folder)
            files = {name: describe(draft.folder / name) for name in _files(draft.folder)}
            for name in files:
                fsync_file(draft.folder / name)
            for folder in {(draft.folder / name).parent for name in files}:
                fsync_folder(folder)
            manifest = Manifest(
                kind=draft.kind,
                stage=stage,
                version=version,
                recipe=draft.recipe,
                content=content or digest({name: entry["sha256"] for name, entry in files.items()}),
                settings=dict(settings),
                inputs={slot: dict(reference) for slot, reference in inputs.items()},
                fingerprints=dict(fingerprints),
                files=files,
                counts=dict(draft.counts),
                seconds=round(time.monotonic() - draft.started, 3),
                device=draft.device,
                made=datetime.now(UTC).isoformat(timespec="seconds"),
                mdr=mdr.__version__,
            ).write(draft.folder)
            target = self.root / draft.kind / draft.recipe
            if target.exists():  # damaged: without a manifest it could not be found
                shutil.rmtree(target)
            os.rename(draft.folder, target)
            fsync_folder(target.parent)
        return Artefact(target, manifest)

    # -- checking and cleaning ----------------------------------------------------------------------------

    def verify(self, folder: Path) -> list[str]:
        """Hash every file of an artefact again; each problem in one line, none when all is as it was published."""
        key = f"{folder.parent.name}/{folder.name}"
        try:
            artefact = self.find(folder.parent.name, folder.name)
        except MdrError as error:
            return [f"{key}: {error.problem}"]
        if artefact is None:
            return [f"{key}: {MANIFEST} is missing"]
        listed, present = artefact.manifest.files, set(_files(folder)) - {MANIFEST}
        problems = [f"{key}: {name} is missing" for name in sorted(set(listed) - present)]
        problems += [f"{key}: {name} was added later" for name in sorted(present - set(listed))]
        for name in sorted(present & set(listed)):
            problems += _changes(f"{key}: {name}", listed[name], folder / name)
        for slot, reference in artefact.manifest.inputs.items():
            if not (self.root / reference["kind"] / reference["recipe"] / MANIFEST).is_file():
                problems.append(f"{key}: input {slot} ({reference['kind']}/{reference['recipe']}) is gone")
        return problems

    def lost(self) -> list[str]:
        """Steps of named runs whose artefact is gone; each in one line."""
        return [
            f"{name}: {step} ({key}) is gone"
            for name in self.names()
            for step, key in self.run(name).items()
            if not (self.root / key / MANIFEST).is_file()
        ]

    def garbage(self) -> list[Path]:
        """Folders that no named run reaches, and builds left unfinished that no process holds."""
        reached: set[str] = set()
        todo = [key for name in self.names() for key in self.keys(name)]
        while todo:
            key = todo.pop()
            artefact = self.find(*key.split("/", 1))
            if key in reached or artefact is None:
                continue
            reached.add(key)
            todo += [f"{reference['kind']}/{reference['recipe']}" for reference in artefact.manifest.inputs.values()]
        idle = [folder for folder in self.folders() if f"{folder.parent.name}/{folder.name}" not in reached]
        return idle + [folder for folder in sorted(self.root.glob("*/.*.building")) if not _in_use(folder)]

    def remove(self, folders: Iterable[Path]) -> list[Path]:
        """Delete artefacts and unfinished builds, but none that a process has begun to work in; gives the deleted.

        The manifest goes first, so that a half-deleted artefact is never found."""
        deleted = []
        for folder in folders:
            with disk_errors(folder), _held(folder) as held:
                if held:
                    (folder / MANIFEST).unlink(missing_ok=True)
                    shutil.rmtree(folder)
                    deleted.append(folder)
        return deleted


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _sweep(folder: Path) -> None:
    """Names with a leading dot are scratch: progress notes, and what a kill left of a file being written."""
    for path in sorted(folder.rglob(".*")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _changes(what: str, listed: Mapping[str, Any], path: Path) -> list[str]:
    try:
        found = describe(path)
    except OSError as error:
        return [f"{what} cannot be read: {error.strerror}"]
    return [] if found == dict(listed) else [f"{what} changed ({listed['bytes']:,} to {found['bytes']:,} bytes)"]


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold the lock of a recipe, by its draft or its artefact folder; False when another has it."""
    recipe = folder.name.removeprefix(".").removesuffix(".building")
    lock = FileLock(folder.with_name(f".{recipe}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _in_use(folder: Path) -> bool:
    with _held(folder) as held:
        return not held
