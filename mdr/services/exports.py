"""What leaves the project: evaluations as TREC runs and qrels, judgements as qrels, CSV or JSON Lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path

from mdr.core.answers import words_of
from mdr.errors import InputError, MissingError
from mdr.formats.trec import read_run, write_qrels, write_run
from mdr.formats.writing import new_folder, text_file
from mdr.services.evaluation import load
from mdr.services.judging import JudgingService
from mdr.stages.questions import questions
from mdr.storage.artefacts import Artefact
from mdr.storage.collection import Collection
from mdr.storage.judgements import JudgementEvent


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


def export_judgements(judging: JudgingService, collection: str, file: Path) -> int:
    """The grades that count now, in the form that the file's name ends with; gives how many."""
    if file.suffix not in JUDGEMENT_FORMS:
        raise InputError(f"{file.name} does not say its form", f"names end with {', '.join(JUDGEMENT_FORMS)}")
    if file.exists():
        raise InputError(f"{file} is there already", "name a new file, or remove that one")
    if not judging.store.judgements(collection):
        raise MissingError(f"nobody has judged anything in {collection!r}", "grades are given in the app: `mdr demo`")
    return JUDGEMENT_FORMS[file.suffix](judging, collection, file)


def _qrels(judging: JudgingService, collection: str, file: Path) -> int:
    qrels = judging.qrels(collection)
    write_qrels(qrels, file)
    return sum(map(len, qrels.values()))


def _csv(judging: JudgingService, collection: str, file: Path) -> int:
    rows = _rows(judging, collection)
    with text_file(file) as out:
        writer = csv.DictWriter(out, [field.name for field in fields(JudgementEvent)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def _jsonl(judging: JudgingService, collection: str, file: Path) -> int:
    rows = _rows(judging, collection)
    with text_file(file) as out:
        out.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    return len(rows)


def _rows(judging: JudgingService, collection: str) -> list[dict[str, object]]:
    events = judging.store.judgements(collection)
    return [{**asdict(event), "happened": event.happened.isoformat()} for event in events]


JUDGEMENT_FORMS: Mapping[str, Callable[[JudgingService, str, Path], int]] = {
    ".qrels": _qrels,
    ".csv": _csv,
    ".jsonl": _jsonl,
}
