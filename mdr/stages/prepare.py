"""Published files into a collection: every record checked, counted, and kept as it is.

Texts are not normalised: spans and hashes refer to them. What cannot be used (empty passages, repeated records) is left
out and counted; what is wrong stops the import with its file and line. `report.json` names examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mdr.errors import FormatError
from mdr.formats import format_of
from mdr.formats.intake import Intake
from mdr.formats.records import Cursor, Options
from mdr.ports import Engines
from mdr.stages.stage import Stage, StageSettings, Work
from mdr.storage.artefacts import Artefact
from mdr.storage.files import sha256_file, write_json
from mdr.types import Event

_EVERY = 5_000


class PrepareSettings(StageSettings):
    """Which files, and what they do not say themselves (see `formats.records.Options`)."""

    format: str
    path: str
    lang: str = ""
    splits: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    columns: Mapping[str, str] = {}

    @property
    def root(self) -> Path:
        """Where to read."""
        return Path(self.path).expanduser()

    @property
    def options(self) -> Options:
        """What readers are told."""
        return Options(self.lang, self.splits, self.parts, self.columns)


class Prepare(Stage):
    """Read files of a format into passages, queries and qrels."""

    name, makes, version = "prepare", "collection", 1
    settings_type = PrepareSettings

    def hashed_settings(self) -> dict[str, Any]:
        values: dict[str, Any] = self.settings.model_dump(mode="json")
        del values["path"]  # the fingerprints say what is in the files, wherever they lie
        return values

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        format, root, options = format_of(self.settings.format), self.settings.root, self.settings.options
        if format.fingerprints:
            return format.fingerprints(root, options)
        try:
            return {_relative(file, root): _sha256_of(file) for file in format.files(root, options)}
        except OSError as error:
            raise FormatError(
                error.filename or root, None, f"cannot be read: {error.strerror}", "check the path"
            ) from None

    def build(self, work: Work) -> Iterator[Event]:
        before = self.fingerprints(work.inputs, work.engines)
        format, root, options = format_of(self.settings.format), self.settings.root, self.settings.options
        at = Cursor(root)
        with Intake(work.draft.folder, at) as intake:
            for number, record in enumerate(format.read(root, options, at), 1):
                intake.add(record)
                if number % _EVERY == 0:
                    yield self.event("progress", f"reading {Path(at.path).name}", done=number, unit="records")
        if self.fingerprints(work.inputs, work.engines) != before:
            raise FormatError(root, None, "changed while it was read", "wait until it is complete, then run again")
        counts, unread = intake.counts(), _unread(root, format.files(root, options))
        work.draft.counts |= counts
        write_json(work.draft.folder / "report.json", {**counts, **intake.examples(), "unread files": unread})
        yield from (self.event("warning", message) for message in [*intake.warnings(), *_missing(counts, options)])
        if unread:
            yield self.event("note", f"{len(unread)} other files are not part of this: {', '.join(unread[:5])}")


def _missing(counts: Mapping[str, Any], options: Options) -> Iterator[str]:
    if not counts["passages"]:
        yield "there are no passages: queries and grades alone cannot be searched"
    for split in options.splits:
        if split not in counts["queries_by_split"] and split not in counts["qrels_by_split"]:
            yield f"there are no queries or grades of split {split!r}"


def _unread(root: Path, files: list[Path]) -> list[str]:
    if not root.is_dir():
        return []
    return sorted(_relative(file, root) for file in set(root.rglob("*")) - set(files) if file.is_file())


def _relative(file: Path, root: Path) -> str:
    """With the folder's own name, which may say the language of what is in it."""
    return file.absolute().relative_to(root.absolute().parent).as_posix()


def _sha256_of(file: Path) -> str:
    stat = file.stat()
    return _remembered(file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _remembered(file: Path, size: int, mtime: int) -> str:
    """Planning asks for the same hashes that running asks for; size and time say when to look again."""
    return sha256_file(file)
