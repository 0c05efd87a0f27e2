"""The generate stage over toy engines, for tests of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import toy_indexes
from toy_generator import ToyGenerator, ToyWriters
from toy_indexes import carry_out, passages

from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES
from mdr.types import Event


def given_in(store: ArtefactStore) -> dict[str, Artefact]:
    """Passages that nobody asks for, and both indexes of them."""
    return toy_indexes.given_in(store, {PASSAGES: passages(), QUERIES: [], QRELS: []})


@pytest.fixture
def given(store: ArtefactStore) -> dict[str, Artefact]:
    return given_in(store)


def make(
    store: ArtefactStore, given: Mapping[str, Artefact], engines: Any = None, **settings: Any
) -> tuple[Artefact, list[Event]]:
    """What is written of what is given."""
    return carry_out("generate", store, given, engines or ToyWriters(), settings)


def written(writes: Any) -> ToyWriters:
    """Engines whose generator writes so."""
    return ToyWriters(ToyGenerator(writes=writes))
