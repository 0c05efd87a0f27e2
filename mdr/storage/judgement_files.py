"""Judgements outside their file: snapshots (Parquet with a checksum beside it), backups, and ways back from both.

A snapshot is `judgements-000001.parquet` with `….parquet.sha256` as `sha256sum -c` reads it; the checksum is written
last, so a snapshot without one was never finished. Numbers count up in a folder: clocks may jump.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from pyarrow import parquet

from mdr.errors import InputError, MissingError, StorageError
from mdr.storage.files import disk_errors, sha256_file, whole_file
from mdr.storage.judgement_events import LATER, SCHEMA
from mdr.storage.judgements import JudgementStore, read_file

NEWEST, DAYS = 12, 14
"""Snapshots that thinning leaves: so many of the newest, and the last of each of so many days; and of every month."""
_NAME = re.compile(r"judgements-(\d{6,})\.parquet")


class Snapshot(NamedTuple):
    """What can be said of a finished snapshot; `events` is None where it is not as it was written."""

    path: Path
    taken: datetime
    bytes: int
    events: int | None


# -- snapshots ----------------------------------------------------------------------------------------------------


def snapshots(folder: Path) -> list[Path]:
    """The finished snapshots in a folder, oldest first."""
    return [path for _, path in _numbered(folder) if sum_of(path).exists()]


def look_over(folder: Path) -> list[Snapshot]:
    """The finished snapshots in a folder, oldest first, each read to see that it is whole."""
    found = []
    for path in snapshots(folder):
        events = int(parquet.read_metadata(path).num_rows) if is_whole(path) else None
        found.append(Snapshot(path, _written(path), path.stat().st_size, events))
    return found


def write_snapshot(store: JudgementStore, folder: Path) -> Path:
    """Every event as of now, in a new file; the newest there is, where nothing has happened since. Judges go on."""
    with disk_errors(folder):
        numbered = _numbered(folder)
        path = folder / f"judgements-{numbered[-1][0] + 1 if numbered else 1:06}.parquet"
        with whole_file(path) as temporary:
            with store.batches() as events, parquet.ParquetWriter(temporary, events.schema, compression="zstd") as file:
                for batch in events:
                    file.write_batch(batch)
            pa.default_memory_pool().release_unused()  # it would keep a little more each time
            checksum = sha256_file(temporary)
        newest = next(reversed(snapshots(folder)), None)
        if newest and checksum == checksum_of(newest):
            path.unlink()
            return newest
        write_checksum(path, checksum)
    return path


def thin(folder: Path) -> list[Path]:
    """Remove snapshots that nobody will want, and what was never finished; gives those. For the owner of the judgement
    file only, when it is writing none."""
    with disk_errors(folder):
        finished = snapshots(folder)
        stay = staying([_written(path) for path in finished])
        gone = [path for place, path in enumerate(finished) if place not in stay]
        gone += [path for _, path in _numbered(folder) if not sum_of(path).exists()]
        for path in gone:
            sum_of(path).unlink(missing_ok=True)  # first: without it a snapshot counts as unfinished
            path.unlink()
        for path in folder.glob(".judgements-*.tmp"):
            path.unlink()
        return gone


def staying(times: Sequence[datetime]) -> set[int]:
    """Which of these snapshots, oldest first, thinning leaves. It asks no clock: a day counts when it has a snapshot.

    >>> days = [datetime(2026, 1, day, hour) for day in range(1, 31) for hour in (9, 17)]
    >>> [times.isoformat()[5:13] for place, times in enumerate(days) if place in staying(days)][:3]
    ['01-17T17', '01-18T17', '01-19T17']
    """
    last_of_day = {(time.year, time.month, time.day): place for place, time in enumerate(times)}
    last_of_month = {(time.year, time.month): place for place, time in enumerate(times)}
    newest = range(max(0, len(times) - NEWEST), len(times))
    return {*newest, *sorted(last_of_day.values())[-DAYS:], *last_of_month.values()}


def newest_whole(folder: Path) -> Path:
    """The newest snapshot in a folder that is as it was written."""
    found = snapshots(folder)
    for path in reversed(found):
        if is_whole(path):
            return path
    have = f"none of the {len(found)} snapshots in {folder} is whole" if found else f"there is no snapshot in {folder}"
    raise MissingError(have, "name a snapshot (.parquet) or a judgement file (.duckdb)")


def is_whole(snapshot: Path) -> bool:
    """Whether a finished snapshot is as it was written."""
    return checksum_of(snapshot) == sha256_file(snapshot)


def read_snapshot(path: Path) -> pa.Table:
    """The events of a snapshot whose checksum is right, with the columns of today."""
    try:
        expected, actual = checksum_of(path), sha256_file(path)
    except (OSError, ValueError) as error:
        raise MissingError(
            f"no finished snapshot at {path}: {error}", "a snapshot is a .parquet file with its .sha256 beside it"
        ) from error
    if expected != actual:
        raise StorageError(f"{path} is not as it was written: its checksum differs", "take the snapshot before it")
    return _as_today(_parquet(path), path)


def checksum_of(snapshot: Path) -> str:
    """What the file beside a snapshot says that its bytes hash to."""
    return (sum_of(snapshot).read_text(encoding="utf-8").split() or [""])[0]


def write_checksum(snapshot: Path, checksum: str) -> None:
    """Finish a snapshot: say what its bytes hash to."""
    with whole_file(sum_of(snapshot)) as temporary:
        temporary.write_text(f"{checksum}  {snapshot.name}\n", encoding="utf-8")


def sum_of(snapshot: Path) -> Path:
    """The file beside a snapshot that holds its checksum."""
    return snapshot.with_name(f"{snapshot.name}.sha256")


# -- other files --------------------------------------------------------------------------------------------------


def read_export(path: Path) -> pa.Table:
    """The events of a table that was exported; where a checksum lies beside it, it must be right."""
    return read_snapshot(path) if sum_of(path).exists() else _as_today(_parquet(path), path)


def read_events(path: Path) -> pa.Table:
    """The events of a snapshot or of another judgement file, which nobody may have open and which stays as it is."""
    if path.suffix == ".parquet":
        return read_snapshot(path)
    if not path.is_file():
        raise MissingError(f"there is no file {path}", "name a snapshot (.parquet) or a judgement file (.duckdb)")
    return _as_today(read_file(path), path)


def backup(events: pa.Table, file: Path) -> int:
    """A judgement file of its own from events, where none is. Gives how many events."""
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


def _parquet(path: Path) -> pa.Table:
    try:
        return parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        problem = str(error).partition("\n")[0]
        raise InputError(f"{path} cannot be read: {problem}", "name a .parquet file of judgements") from error


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


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted((int(match[1]), path) for path in found if (match := _NAME.fullmatch(path.name)))
