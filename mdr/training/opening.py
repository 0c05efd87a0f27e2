"""Folders of pairs, lists and collections as training takes them: none without an answer, some held out.

What cannot be trained on is refused here, with the name of the source and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mdr.core.chance import chance
from mdr.errors import InputError
from mdr.storage.collection import Collection
from mdr.storage.pairs import PAIRS, Pair, Pairs, Scored
from mdr.training.settings import DrawSettings
from mdr.types import Passage


@dataclass(frozen=True)
class Opened:
    """Pairs to train on, pairs held out, the passages that both name, and what should be said of them."""

    pairs: list[Pair]
    held: list[Pair]
    passage: Callable[[str], Passage]
    notes: tuple[str, ...] = ()


def open_pairs(slot: str, folder: Path, settings: DrawSettings) -> Opened:
    """The pairs of a source that have an answer, a text and a weight."""
    pairs, passage = pairs_of(folder, settings.split)
    pairs = [pair for pair in pairs if pair.positives and pair.query.text.strip() and pair.weight > 0]
    pairs, held = split_off(pairs, settings.holdout)
    if not pairs:
        split = f" in split {settings.split!r}" if not (folder / PAIRS).is_file() else ""
        raise InputError(
            f"the source {slot!r} has no pairs to train on{split}",
            "check what the step before kept and why it dropped the rest, or leave this source out",
        )
    return Opened(pairs, held, passage)


def open_scored(slot: str, folder: Path, count: int) -> tuple[list[Scored], tuple[str, ...]]:
    """The scored lists with at least `count` candidates, and what should be said of the others."""
    every = [each for each in Pairs(folder).lists() if each.query.text.strip()]
    lists = [each for each in every if len(each.candidates) >= count]
    notes = _told(slot, [len(each.candidates) for each in every], count)
    if any(not np.isfinite(each.scores).all() for each in lists):
        raise InputError(
            f"the source {slot!r} has scores that are no numbers", "score again; the teacher may be broken"
        )
    return lists, notes


def open_answered(slot: str, folder: Path, settings: DrawSettings) -> Opened:
    """Lists that begin with the answer, as pairs with their negatives: scored lists of pairs, or pairs themselves."""
    pairs, passage = pairs_of(folder, settings.split)
    if not pairs and (folder / PAIRS).is_file():
        scored = list(Pairs(folder).lists())
        pairs = [_as_pair(each) for each in scored if each.answered]
        if scored and not pairs:
            raise InputError(
                f"no list of the source {slot!r} begins with a known answer",
                "give `score` the pairs whose candidates it should score, as its input `pairs`",
            )
    pairs = [pair for pair in pairs if pair.positives and pair.query.text.strip()]
    if not pairs:
        raise InputError(
            f"the source {slot!r} has neither pairs nor lists that begin with an answer",
            "check what the step before kept and why it dropped the rest, or leave this source out",
        )
    notes = _told(slot, [1 + len(pair.negatives) for pair in pairs], settings.candidates)
    kept, held = split_off([pair for pair in pairs if len(pair.negatives) + 1 >= settings.candidates], settings.holdout)
    if not kept:
        raise InputError(f"all lists of the source {slot!r} are held out", "lower sources.holdout, or give more lists")
    return Opened(kept, held, passage, notes)


def _as_pair(scored: Scored) -> Pair:
    return Pair(scored.query, scored.candidates[:1], scored.candidates[1:])


def _told(slot: str, lengths: Sequence[int], count: int) -> tuple[str, ...]:
    """A note where some lists are too short; an error where all are."""
    enough = sum(length >= count for length in lengths)
    if not enough:
        raise InputError(
            f"the source {slot!r} has no list of {count} candidates; the longest has {max(lengths, default=0)}",
            "set sources.candidates to less, or retrieve more candidates before scoring",
        )
    if enough == len(lengths):
        return ()
    short = len(lengths) - enough
    return (f"{slot}: {short:,} of {len(lengths):,} lists have fewer than {count} candidates and are left out",)


def pairs_of(folder: Path, split: str) -> tuple[list[Pair], Callable[[str], Passage]]:
    """The pairs of a folder, and its passages by id. Of a collection: a split's queries with what was graded above 0
    as answers, and what was graded 0 as negatives."""
    if (folder / PAIRS).is_file():
        pairs = Pairs(folder)
        return list(pairs), pairs.passages.__getitem__
    collection = Collection(folder)
    qrels = collection.qrels(split)
    found = []
    for query in collection.queries(split):
        grades = {id: grade for id, grade in qrels.get(query.id, {}).items() if id in collection.positions}
        right = sorted((id for id, grade in grades.items() if grade > 0), key=lambda id: (-grades[id], id))
        if right:
            found.append(Pair(query, tuple(right), tuple(sorted(id for id, grade in grades.items() if grade <= 0))))
    return found, collection.passage


def split_off(pairs: Sequence[Pair], share: float) -> tuple[list[Pair], list[Pair]]:
    """Pairs to train on and pairs held out: by the query's id, so that the same are out in every run and round."""
    out = [chance(0, pair.query.id) < share for pair in pairs]
    return (
        [pair for pair, held in zip(pairs, out, strict=True) if not held],
        [pair for pair, held in zip(pairs, out, strict=True) if held],
    )


def placed(
    passage: Callable[[str], Passage], named: Iterable[Iterable[str]]
) -> tuple[list[Passage], dict[str, int]]:
    """Every passage once, in the order it is first named, and where."""
    places: dict[str, int] = {}
    for ids in named:
        for id in ids:
            places.setdefault(id, len(places))
    return [passage(id) for id in places], places
