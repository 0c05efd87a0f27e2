"""The mine stage over toy engines, for tests of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import toy_indexes
from toy_indexes import ToyEngines, carry_out, passages, queries

from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES
from mdr.types import Event


def qrels() -> list[tuple[str, str, int, str]]:
    odd = [("q01.en", "p02.en", 0, "train"), ("q03.en", "p03.fi", 1, "train"), ("q05.en", "gone", 1, "train")]
    return [*toy_indexes.qrels(2), *odd]


def given_in(store: ArtefactStore, **files: Any) -> dict[str, Artefact]:
    return toy_indexes.given_in(store, {PASSAGES: passages(), QUERIES: queries(), QRELS: qrels()} | files)


@pytest.fixture
def given(store: ArtefactStore) -> dict[str, Artefact]:
    return given_in(store)


SMALL = {"split": "train", "depth": 20, "first": 4, "last": 20, "negatives": 4}


def mine(
    store: ArtefactStore, given: Mapping[str, Artefact], engines: Any = None, **settings: Any
) -> tuple[Artefact, list[Event]]:
    """What is mined of what is given."""
    return carry_out("mine", store, given, engines or ToyEngines(), SMALL | settings)
