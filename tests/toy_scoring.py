"""The score stage over toy engines, for tests of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import toy_indexes
from toy_generator import ToyWriters
from toy_indexes import carry_out, passages, text_of

from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES
from mdr.storage.pairs import Pair, PairWriter
from mdr.types import Event, Passage, Query

TEXTS = {row[0]: Passage(*row) for row in passages()}


def queries() -> list[tuple[str, ...]]:
    return toy_indexes.queries(every=4)


def qrels() -> list[tuple[str, str, int, str]]:
    return toy_indexes.qrels(every=8)


def given_in(store: ArtefactStore, **files: Any) -> dict[str, Artefact]:
    return toy_indexes.given_in(store, {PASSAGES: passages(), QUERIES: queries(), QRELS: qrels()} | files)


@pytest.fixture
def given(store: ArtefactStore) -> dict[str, Artefact]:
    return given_in(store)


SMALL = {"depth": 12}


def judge(
    store: ArtefactStore, given: Mapping[str, Artefact], engines: Any = None, **settings: Any
) -> tuple[Artefact, list[Event]]:
    """What is scored of what is given."""
    return carry_out("score", store, given, engines or ToyWriters(), SMALL | settings)


def paired(store: ArtefactStore, pairs: list[Pair], texts: Mapping[str, Passage] = TEXTS) -> Artefact:
    """Pairs, and the passages that they name."""
    with store.draft("pairs", "paired") as draft:
        with PairWriter(draft.folder) as writer:
            for pair in pairs:
                writer.add(pair)
            writer.passages(texts[id] for pair in pairs for id in (*pair.positives, *pair.negatives))
        return store.publish(draft, stage="toy", version=1, settings={}, inputs={}, fingerprints={}, content="paired")


def hits(engines: ToyWriters, side: str, query: Query, depth: int = 12) -> list[str]:
    """A list as it stands, each text once."""
    texts: dict[str, str] = {}
    for hit in engines.opened[side].search([query], depth, langs=[query.lang])[0]:
        texts.setdefault(TEXTS[hit.id].text, hit.id)
    return list(texts.values())


def pair(number: int, lang: str, positives: tuple[str, ...], negatives: tuple[str, ...] = ()) -> Pair:
    query = Query(f"x{number}.{lang}", lang, " ".join(text_of(number, lang).split()[:3]))
    return Pair(query, positives, negatives, "mined", 0.5, 2, "intersection")
