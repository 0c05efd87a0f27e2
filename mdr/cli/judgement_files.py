"""Commands about where judgements are kept and come from: snapshot, snapshots, backup, restore, merge, import, push."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mdr.cli.data import Name
from mdr.cli.desk import Desk
from mdr.cli.output import Report, counted, size, table
from mdr.errors import InUseError, MissingError

if TYPE_CHECKING:
    from mdr.services.hub.copies import Copied
    from mdr.storage.judgement_merge import Merged

_SOURCE = "A snapshot (.parquet), a judgement file (.duckdb), or a folder of snapshots, for its newest whole one."


def snapshot(desk: Desk) -> Report:
    """Write a snapshot of all judgements; the app may be running."""
    path = _snapshot(desk)
    return Report({"snapshot": path}, [f"{path} ({size(path.stat().st_size)})"])


def snapshots(desk: Desk) -> Report:
    """List the snapshots there are, see that each is as it was written, and say how copies on the hub stand."""
    from mdr.storage.judgement_files import look_over

    found, copies = look_over(desk.settings.snapshots), desk.bench.snapshots.copies
    rows = [
        (
            each.path.name,
            f"{each.taken:%Y-%m-%d %H:%M:%S}",
            each.events,
            size(each.bytes),
            "not as it was written" if each.events is None else "",
        )
        for each in found
    ]
    shown = [table(rows, "snapshot", "taken (UTC)", "events", "size", ""), *(_said(copies.last) if copies else ())]
    damaged = any(each.events is None for each in found)
    return Report({"snapshots": found, "copied": copies.last if copies else None}, shown, code=int(damaged))


def backup(
    desk: Desk, file: Annotated[Path, typer.Argument(metavar="FILE", help="A new judgement file (.duckdb).")]
) -> Report:
    """Copy all judgements into one file that mdr can open; the app may be running."""
    from mdr.storage import judgement_files

    events = judgement_files.backup(judgement_files.read_snapshot(_snapshot(desk)), file)
    return Report({"file": file, "events": events}, [f"{counted(events, 'event')} in {file}"])


def restore(
    desk: Desk,
    source: Annotated[Path | None, typer.Argument(metavar="FILE", help=f"{_SOURCE} Without: this home's own.")] = None,
) -> Report:
    """Make the judgement file from a snapshot or backup, where there is none; nothing is ever written over."""
    from mdr.storage import judgement_files

    source = _chosen(source) if source else judgement_files.newest_whole(desk.settings.snapshots)
    file = desk.settings.judgements
    events = judgement_files.backup(judgement_files.read_events(source), file)
    shown = [f"{counted(events, 'event')} from {source} in {file}"]
    return Report({"source": source, "file": file, "events": events}, shown)


def merge(
    desk: Desk, sources: Annotated[list[Path], typer.Argument(metavar="FILE…", help=f"{_SOURCE} May be several.")]
) -> Report:
    """Add the judgements of other apps to those here, each event once; the others stay as they are."""
    from mdr.storage.judgement_files import read_events

    chosen = [_chosen(source) for source in sources]
    events = [read_events(source) for source in chosen]  # all of them, before anything is merged
    with _store_closed(desk):
        merged = [desk.bench.judging.store.merge(each) for each in events]
    rows = [
        (str(source), its.added, its.known, len(its.changed), len(its.clashes))
        for source, its in zip(chosen, merged, strict=True)
    ]
    shown = [table(rows, "from", "added", "known", "grades changed", "clashes"), *_clashes(merged)]
    return Report([{"source": source, **its._asdict()} for source, its in zip(chosen, merged, strict=True)], shown)


def qrels(
    desk: Desk,
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TREC qrels: query 0 passage grade.")],
    judge: Annotated[str, typer.Option(help="Who graded, or where the grades come from; kept under this name.")],
    campaign: Annotated[str, typer.Option(help="The campaign's id; without: outside of any.")] = "",
) -> Report:
    """Add grades that others gave, from TREC qrels, to the judgements here; each once, all of them or none."""
    from mdr.formats.trec import read_qrels
    from mdr.recipes.baselines import COLLECTION
    from mdr.storage.collection import Collection

    grades, collection = read_qrels(file), Collection(desk.bench.artefact(name, COLLECTION).folder)
    with _store_closed(desk):
        done = desk.bench.judging.import_qrels(judge, name, collection, grades, campaign=campaign)
    shown = [f"{counted(done.added, 'judgement')} by {judge} added; here already: {done.known:,}"]
    if done.unknown:
        shown.append(f"not of this collection, left out: {done.unknown:,}")
    return Report(done._asdict(), shown)


def push(desk: Desk) -> Report:
    """Copy the newest judgements to the hub, into the data set that MDR_SNAPSHOT_REPO names; HF_TOKEN says who asks."""
    with _store_closed(desk):
        copied = desk.bench.snapshots.copy()
    return Report(copied, _said(copied))


WORKS: Mapping[str, Callable[..., Report]] = {
    **{work.__name__: work for work in (snapshot, snapshots, backup, restore, merge, push)},
    "import": qrels,
}
"""The commands by name."""


def _snapshot(desk: Desk) -> Path:
    """One that holds all there is now; taken by whichever process has the judgement file open."""
    from mdr.services.judging.snapshots import ask_for_snapshot

    path = None
    if desk.settings.judgements.exists():
        try:
            with _store_closed(desk):
                path = desk.bench.snapshots.take()
        except InUseError:
            path = ask_for_snapshot(desk.settings.snapshots)
    if path is None:
        raise MissingError("nobody has judged anything yet", "grades are given in the app: `mdr demo`")
    return path


def _chosen(source: Path) -> Path:
    from mdr.storage.judgement_files import newest_whole

    return newest_whole(source) if source.is_dir() else source


@contextmanager
def _store_closed(desk: Desk) -> Iterator[None]:
    """The judgement file is closed in the end: another process may want it."""
    try:
        yield
    finally:
        if "judging" in vars(desk.bench):
            desk.bench.judging.store.close()


def _clashes(merged: list[Merged]) -> list[str]:
    clashes = [id for its in merged for id in its.clashes]
    return [f"ids that say something else here, which stays: {', '.join(clashes[:10])}"] if clashes else []


def _said(copied: Copied) -> list[str]:
    had = f"{copied.repo} has what there was at {copied.at}" if copied.at else f"{copied.repo} has no copy yet"
    return [had, *([f"the last try failed: {copied.problem}; {copied.remedy}"] if copied.problem else [])]
