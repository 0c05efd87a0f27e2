"""Recipes of toy stages carried out, for tests of the pipeline."""

from __future__ import annotations

from typing import Any

import pytest
from streams import ended
from toy_stages import PARTS, TOYS, ToyEngines

from mdr import pipeline
from mdr.pipeline import Recipe
from mdr.stages import STAGES
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.types import Event

TOTAL = 50 * sum(range(PARTS))
"""Of what the toy recipe counts."""


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are stages like all others."""
    for name, stage in TOYS.items():
        monkeypatch.setitem(STAGES, name, stage)
        monkeypatch.setattr(stage, "built", 0)


def carry_out(
    store: ArtefactStore, what: Recipe, engines: Any = None, name: str | None = None, **given: Artefact
) -> tuple[dict[str, Artefact], list[Event]]:
    """What a recipe makes, and what it says."""
    return ended(pipeline.run(what, store, engines or ToyEngines(), name, given))


def kinds(events: list[Event], step: str) -> list[str]:
    """What a step says, in order, each kind once."""
    return list(dict.fromkeys(event.kind for event in events if event.stage == step))
