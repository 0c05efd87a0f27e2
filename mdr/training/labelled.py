"""Question–passage pairs from the folders that the shipped models are trained on.

    queries.train.jsonl.gz     {"id", "lang", "text"}
    passages.train.jsonl.gz    {"id", "lang", "title", "text"}
    qrels.train.tsv            query 0 passage grade
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mdr.storage.pairs import Pair
from mdr.training.texts import rows_of_file
from mdr.types import Passage, Query


def read_labelled(folder: Path) -> Iterator[tuple[Pair, Sequence[Passage]]]:
    """Every query of a folder's training part that has a passage, with its passages."""
    passages = {
        row["id"]: Passage(row["id"], row["lang"], row.get("title") or "", row["text"])
        for row in rows_of_file(folder / "passages.train.jsonl.gz", ("id", "lang", "text"))
    }
    answers: dict[str, list[str]] = {}
    for line in (folder / "qrels.train.tsv").read_text(encoding="utf-8").splitlines():
        query, _, passage, grade = line.split()
        if int(grade) > 0 and passage in passages:
            answers.setdefault(query, []).append(passage)
    for row in rows_of_file(folder / "queries.train.jsonl.gz", ("id", "lang", "text")):
        if found := answers.get(row["id"]):
            pair = Pair(Query(row["id"], row["lang"], row["text"]), tuple(found), origin="labelled", rule=folder.name)
            yield pair, [passages[id] for id in found]
