"""Data sets of the Hugging Face hub, `NAME[:CONFIG][@REVISION]`, or a folder like one; read as tables.

Where a data set has configurations `corpus` and `queries`, as retrieval sets there do, all are read, in that order.
Rows are streamed: nothing is downloaded but what is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mdr.errors import InputError, MissingError, UnavailableError
from mdr.formats.records import Cursor, Format, Options, Record
from mdr.formats.tabular import rank, records
from mdr.storage.files import sha256_file

_NAME = re.compile(r"(?P<name>[^:@]+)(?::(?P<config>[^:@]+))?(?:@(?P<revision>[^:@]+))?")
_UNSPLIT = ("corpus", "queries")
"""Configurations and splits whose name says what they hold, not what they are for."""


def _parsed(path: Path) -> tuple[str, str | None, str | None]:
    if path.is_dir():
        return str(path), None, None
    match = _NAME.fullmatch(path.as_posix())
    if not match:
        raise InputError(f"{path.as_posix()!r} does not name a data set", "write NAME, NAME:CONFIG or NAME@REVISION")
    return match["name"], match["config"], match["revision"]


def files(path: Path, options: Options) -> list[Path]:
    """The files of a local folder; none for a data set on the hub."""
    name, _, _ = _parsed(path)
    folder = Path(name)
    return sorted(file for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else []


def fingerprints(path: Path, options: Options) -> dict[str, str]:
    """The commit that is read, or the hashes of a local folder's files."""
    name, config, revision = _parsed(path)
    if path.is_dir():
        return {file.relative_to(path).as_posix(): sha256_file(file) for file in files(path, options)}
    if not revision or not re.fullmatch(r"[0-9a-f]{40}", revision):
        from huggingface_hub import HfApi

        with _reaching(name):
            revision = HfApi().dataset_info(name, revision=revision).sha
    return {f"{name}:{config or ''}": str(revision)}


def read(path: Path, options: Options, at: Cursor) -> Iterator[Record]:
    """The records of every configuration and split that was asked for."""
    import datasets

    name, config, revision = _parsed(path)
    with _reaching(name):
        configs = [config] if config else datasets.get_dataset_config_names(name, revision=revision)
    if len(configs) > 1 and "corpus" not in configs:
        raise MissingError(f"{name} has configurations {', '.join(configs)}", f"name one: {name}:{configs[0]}")
    for each in sorted(configs, key=rank):
        with _reaching(name):
            splits = datasets.load_dataset(name, each, revision=revision, streaming=True)
        for split in sorted(splits, key=rank):
            at.path, at.line = f"{name}:{each}/{split}", None
            kind = each if rank(each) < rank(split) else split
            its = "" if each in _UNSPLIT or split in _UNSPLIT else split
            yield from records(_numbered(splits[split], name, at), kind, options, at, its)


def _numbered(rows: Iterable[dict[str, Any]], name: str, at: Cursor) -> Iterator[dict[str, Any]]:
    with _reaching(name):
        for at.line, row in enumerate(rows, 1):
            yield row


@contextmanager
def _reaching(name: str) -> Iterator[None]:
    """What the hub and its libraries raise, in plain words."""
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except (DatasetNotFoundError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise MissingError(
            f"the data set {name!r} is not found: {_first(error)}", "check the name; private ones need HF_TOKEN"
        ) from error
    except Exception as error:  # whichever HTTP client the hub's library brings along has errors of its own
        client = type(error).__module__.partition(".")[0]
        if isinstance(error, HfHubHTTPError | ConnectionError | TimeoutError) or client.startswith(
            ("http", "requests")
        ):
            raise UnavailableError(
                f"the hub cannot be reached for {name!r}: {_first(error)}",
                "go online, or download the data set and name its folder",
            ) from error
        raise InputError(
            f"the data set {name!r} cannot be read: {_first(error)}",
            "fetch its files, and import them in their format",
        ) from error


def _first(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


HUB = Format(
    "hub", "a data set of the hub by NAME, NAME:CONFIG or NAME@REVISION", files, read, fingerprints=fingerprints
)
