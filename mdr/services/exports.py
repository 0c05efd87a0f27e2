"""What leaves the project: evaluations as TREC runs and qrels, judgements as qrels and tables."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from mdr.core.answers import words_of
from mdr.core.permissions import require
from mdr.errors import InputError, MissingError
from mdr.formats.trec import read_run, write_qrels, write_run
from mdr.formats.writing import new_folder, text_file
from mdr.services.evaluation.tables import load
from mdr.services.judging.service import JudgingService
from mdr.stages.questions import questions
from mdr.storage.artefacts import Artefact
from mdr.storage.collection import Collection
from mdr.storage.files import whole_file
from mdr.storage.judgement_events import COLUMNS, JudgementEvent, table_of


def export_evaluation(made: Artefact, collection: Collection, folder: Path) -> list[Path]:
    """A run for each system and the qrels that they were measured with, as other tools read them."""
    new_folder(folder)
    evaluation, settings = load(made), made.manifest.settings
    files = []
    for system in evaluation.systems:
        files.append(folder / f"{system}.run")
        write_run(read_run(evaluation.run_file(system)), files[-1], system)
    answers = any(words_of(name) for name in evaluation.measures)
    asked = questions(
        collection, settings["split"], pool=settings["pool"], langs=settings["langs"], with_answers=answers
    )
    files.append(folder / "qrels.txt")
    write_qrels(asked.qrels, files[-1])
    return files


class Exported(NamedTuple):
    """Rows written, and queries and passages that the policy left open."""

    rows: int
    open: int = 0


def export_judgements(
    judging: JudgingService, collection: str, file: Path, *, policy: str = "majority", every: bool = False
) -> Exported:
    """What people judged, in the form that the file's name ends with.

    Qrels hold one grade for all judges, by the policy's name. Tables hold every judge's grade that counts now, or, with
    `every`, all that ever happened.
    """
    require(judging.person, "export")
    if file.suffix not in (QRELS, *TABLES):
        raise InputError(f"{file.name} does not say its form", f"names end with {', '.join((QRELS, *TABLES))}")
    if file.exists():
        raise InputError(f"{file} is there already", "name a new file, or remove that one")
    events = judging.store.history(collection) if every else judging.store.judgements(collection)
    decided = judging.decided(collection, policy)
    if not events and not decided.qrels:
        raise MissingError(f"nobody has judged anything in {collection!r}", "grades are given in the app: `mdr demo`")
    if file.suffix == QRELS:
        write_qrels(decided.qrels, file)
        return Exported(sum(map(len, decided.qrels.values())), len(decided.open))
    TABLES[file.suffix](events, file)
    return Exported(len(events))


def _csv(events: Sequence[JudgementEvent], file: Path) -> None:
    with text_file(file) as out:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")  # with it, both characters get quotes
        writer.writeheader()
        writer.writerows({name: inert(value) for name, value in row.items()} for row in _rows(events))


def inert(value: object) -> object:
    """A text that no spreadsheet takes for a formula, whoever wrote it: such a text gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.lstrip(_BLANK).startswith(_FORMULA) else value


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # the last: wide forms
_BLANK = " \u00a0\u3000\ufeff\x00"


def _jsonl(events: Sequence[JudgementEvent], file: Path) -> None:
    with text_file(file) as out:
        out.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in _rows(events))


def _parquet(events: Sequence[JudgementEvent], file: Path) -> None:
    from pyarrow import parquet

    with whole_file(file) as temporary:
        parquet.write_table(table_of(events), temporary, compression="zstd")


def _rows(events: Sequence[JudgementEvent]) -> Iterator[dict[str, object]]:
    return ({**asdict(event), "happened": event.happened.isoformat()} for event in events)


QRELS = ".qrels"
TABLES: Mapping[str, Callable[[Sequence[JudgementEvent], Path], None]] = {
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
