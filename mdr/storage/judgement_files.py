"""Judgements outside their file: snapshots (Parquet with a checksum beside it), backups, and ways back from both.

A snapshot is `judgements-000001.parquet` with `….parquet.sha256` as `sha256sum -c` reads it; the checksum is written
last, so a snapshot without one was never finished. Numbers count up in a folder: clocks may jump.
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from mdr.errors import InputError, MissingError, StorageError
from mdr.storage.files import disk_errors, sha256_file, whole_file
from mdr.storage.judgement_events import LATER, SCHEMA
from mdr.storage.judgements import JudgementStore

_NAME = re.compile(r"judgements-(\d{6,})\.parquet")


def snapshots(folder: Path) -> list[Path]:
    """The finished snapshots in a folder, oldest first."""
    return [path for _, path in _numbered(folder) if _sum_of(path).exists()]


def write_snapshot(store: JudgementStore, folder: Path, *, keep: int = 0) -> Path:
    """Every event as of now, in a new file; the newest there is, where nothing has happened since. Judges go on.

    `keep` removes all but so many of the newest; 0 keeps all.
    """
    with disk_errors(folder):
        numbered = _numbered(folder)
        path = folder / f"judgements-{numbered[-1][0] + 1 if numbered else 1:06}.parquet"
        with whole_file(path) as temporary:
            parquet.write_table(store.table(), temporary, compression="zstd")
            checksum = sha256_file(temporary)
        newest = next(reversed(snapshots(folder)), None)
        if newest and checksum == _sum_of(newest).read_text(encoding="utf-8").split()[0]:
            path.unlink()
            return newest
        with whole_file(_sum_of(path)) as temporary:
            temporary.write_text(f"{checksum}  {path.name}\n", encoding="utf-8")
        for old in snapshots(folder)[:-keep] if keep else ():
            _sum_of(old).unlink()
            old.unlink()
    return path


def read_snapshot(path: Path) -> pa.Table:
    """The events of a snapshot whose checksum is right, with the columns of today."""
    try:
        expected = _sum_of(path).read_text(encoding="utf-8").split()
        actual = sha256_file(path)
    except (OSError, ValueError) as error:
        raise MissingError(
            f"no finished snapshot at {path}: {error}", "a snapshot is a .parquet file with its .sha256 beside it"
        ) from error
    if expected[:1] != [actual]:
        raise StorageError(f"{path} is not as it was written: its checksum differs", "take the snapshot before it")
    return _as_today(parquet.read_table(path), path)


def read_export(path: Path) -> pa.Table:
    """The events of a table that was exported; where a checksum lies beside it, it must be right."""
    if _sum_of(path).exists():
        return read_snapshot(path)
    try:
        events = parquet.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path} cannot be read: {error}", "name a .parquet file of judgements") from error
    return _as_today(events, path)


def read_events(path: Path) -> pa.Table:
    """The events of a snapshot or of another judgement file."""
    if path.suffix == ".parquet":
        return read_snapshot(path)
    if not path.exists():
        raise MissingError(f"there is no file {path}", "name a snapshot (.parquet) or a judgement file (.duckdb)")
    store = JudgementStore(path)
    try:
        return store.table()
    finally:
        store.close()


def backup(store: JudgementStore, file: Path) -> int:
    """A judgement file of its own with every event as of now; judges go on. Gives how many events."""
    return _new_file(store.table(), file)


def restore(source: Path, file: Path) -> int:
    """A judgement file from a snapshot or backup, where none is. Gives how many events."""
    return _new_file(read_events(source), file)


def _new_file(events: pa.Table, file: Path) -> int:
    for path in (file, *_beside(file)):
        if path.exists():
            raise InputError(
                f"{path} is there already",
                f"stop mdr and move {file.name} away, with the .wal and .mark beside it, or name another file",
            )
    with whole_file(file) as temporary:
        try:
            store = JudgementStore(temporary)
            try:
                store.merge(events)
            finally:
                store.close()
        finally:
            for path in _beside(temporary):
                path.unlink(missing_ok=True)
    return int(events.num_rows)


def _beside(file: Path) -> list[Path]:
    return [file.with_name(f"{file.name}{end}") for end in (".wal", ".mark")]


def _as_today(events: pa.Table, path: Path) -> pa.Table:
    missing = [name for name in SCHEMA.names if name not in events.column_names]
    if unknown := [name for name in events.column_names if name not in SCHEMA.names]:
        raise StorageError(f"{path} was made by a newer mdr (it has {', '.join(unknown)})", "update mdr")
    if needed := [name for name in missing if name not in LATER]:
        raise InputError(f"{path} holds no judgements: it lacks {', '.join(needed)}", "name a snapshot")
    for name in missing:
        value = "" if name == "campaign" else None
        field = SCHEMA.field(name)
        events = events.append_column(field, pa.array([value] * events.num_rows, type=field.type))
    try:
        return events.select(SCHEMA.names).cast(SCHEMA)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{path} holds no judgements: {error}", "name a snapshot") from error


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted((int(match[1]), path) for path in found if (match := _NAME.fullmatch(path.name)))


def _sum_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
