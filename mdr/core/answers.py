"""Answer recall as XOR-Retrieve counts it: does the text of the first hits, cut to so many words, hold an answer?

No grades are needed, only short answers. Questions answered by yes or no are left out: any text would hold those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

import numpy as np

from mdr.core.measures import Scores
from mdr.core.text import UNSPACED
from mdr.types import Ranking, Run

_NAME = re.compile(r"R@([1-9]\d{0,3})kt", re.IGNORECASE | re.ASCII)
_UNANSWERED = {"yes", "no"}

_MARKS = re.escape("""!"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~""")
_WORD = re.compile(rf"[{UNSPACED}]|[{_MARKS}]|[^\s{UNSPACED}{_MARKS}]+")


def words_of(name: str) -> int:
    """How many words `R@2kt` reads; 0 for names of other measures.

    >>> words_of("R@2kt"), words_of("Recall@100")
    (2000, 0)
    """
    match = _NAME.fullmatch(name)
    return int(match[1]) * 1000 if match else 0


def answer_scores(
    answers: Mapping[str, Sequence[str]], run: Run, text_of: Callable[[str], str], names: Iterable[str]
) -> Scores:
    """1 for each question whose first words hold an answer, else 0; also 0 where the run has no hits."""
    usable = {query: tuple(filter(None, map(_folded, its))) for query, its in answers.items()}
    skipped = {query for query, its in usable.items() if {answer.lower() for answer in its} <= _UNANSWERED}
    queries = tuple(sorted(set(usable) - skipped))
    return Scores(
        queries,
        {
            name: np.array(
                [_holds(run.get(query, ()), usable[query], text_of, words_of(name)) for query in queries], float
            )
            for name in names
        },
        missing=tuple(query for query in queries if not run.get(query)),
        unanswerable=tuple(sorted(skipped)),
        unjudged=tuple(sorted(set(run) - set(answers))),
    )


def _holds(ranking: Ranking, answers: Sequence[str], text_of: Callable[[str], str], words: int) -> bool:
    texts: list[str] = []
    for hit in ranking:
        text = _folded(text_of(hit.id))
        ends = [match.end() for match in islice(_WORD.finditer(text), words)]
        texts.append(text[: ends[-1]] if ends else "")
        words -= len(ends)
        if not words:
            break
    read = " ".join(texts)
    return any(answer in read for answer in answers)


def _folded(text: str) -> str:
    return " ".join(text.split())
