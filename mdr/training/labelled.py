"""Question–passage pairs from the folders that the shipped models are trained on.

    queries.train.jsonl.gz     {"id", "lang", "text"}
    passages.train.jsonl.gz    {"id", "lang", "title", "text"}
    qrels.train.tsv            query 0 passage grade
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mdr.storage.pairs import Pair
from mdr.training.pair_source import PairSource, TokenPairs
from mdr.training.texts import rows_of_file
from mdr.types import Passage, Query

FOLDERS = ("tydi11/en", "tydi11/ja", "tydi11/ko", "tydi11/sw", "tydi11/th", "english/medquad")
"""Those whose licences let trained weights be passed on."""
_LONGEST = 256
"""Tokens of a passage that are read."""


Tokens: TypeAlias = Callable[[Sequence[str]], Sequence[NDArray[np.int32]]]


def labelled_source(data: Path, tokens: Tokens, *, seed: int, dropout: float) -> PairSource:
    """All of them as one source: batches of one language, the small ones rather often."""
    found = [each for name in FOLDERS for each in read_labelled(data / name)]
    passages = {passage.id: passage for _, answers in found for passage in answers}
    places = {id: place for place, id in enumerate(passages)}
    pairs = [pair for pair, _ in found]
    queries = tokens([pair.query.text for pair in pairs])
    read = tokens([passage.full_text for passage in passages.values()])
    return PairSource(
        TokenPairs(
            queries=[each.astype(np.int64) for each in queries],
            langs=[pair.query.lang for pair in pairs],
            positives=[[places[id] for id in pair.positives] for pair in pairs],
            negatives=[() for _ in pairs],
            weights=[1.0] * len(pairs),
            passages=[each[:_LONGEST].astype(np.int64) for each in read],
        ),
        seed=seed,
        temperature=0.5,
        dropout=dropout,
    )


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
