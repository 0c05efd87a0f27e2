"""Writing that survives: temporary name, flush to disk, rename. And hashes of what was written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mdr.errors import MdrError, StorageError

_CHUNK = 1 << 20


def sha256_file(path: Path) -> str:
    """The sha256 of a file's bytes, as `sha256sum` prints it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def canonical(value: Any) -> str:
    """One text for equal plain values: keys sorted, no spaces."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """A short name for a plain value: 20 hex digits of the sha256 of its canonical text."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:20]


def fsync_folder(folder: Path) -> None:
    """Make renames inside a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("w", encoding="utf-8") as stream:
                json.dump(value, stream, ensure_ascii=False, indent=1, sort_keys=True)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
            fsync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to; what is there at the end takes the name, and nothing does after a failure."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            fsync_file(temporary)
            os.replace(temporary, path)
            fsync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Mapping[str, Any]:
    """A JSON object written by `write_json`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} cannot be read: {error}", "delete it, or restore it from a backup") from error
    if not isinstance(value, dict):
        raise StorageError(f"{path} should hold a JSON object", "delete it, or restore it from a backup")
    return value


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a refusing disk into an error that says what to do."""
    try:
        yield
    except MdrError:
        raise
    except Exception as error:
        number = _error_number(error)
        if number not in _REMEDIES:
            raise
        where = getattr(error, "filename", None) or path  # a stage may have met it elsewhere, at a file that it reads
        raise StorageError(f"cannot write or open {where}: {os.strerror(number)}", _REMEDIES[number]) from error


def _error_number(error: Exception) -> int:
    """The system's number for an error, 0 for none; safetensors and tokenizers have it in their message only."""
    if isinstance(error, OSError):
        return error.errno or 0
    told = re.search(r"\(os error (\d+)\)", str(error))
    return int(told[1]) if told else 0


_RIGHTS = "check who may read and write there, or set MDR_HOME to a folder that can be written"
_REMEDIES = {
    errno.ENOSPC: "free some space (`mdr gc` removes artefacts that no run names), then run again: it continues",
    errno.EDQUOT: "your disk quota is used up; free some space, then run again: it continues",
    errno.EROFS: "the disk is read-only; set MDR_HOME to a folder that can be written",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
}
