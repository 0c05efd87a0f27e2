"""Small judgement stores for tests: one of six events, more events for it, and the files that lie beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mdr.storage.judgement_events import JudgementEvent
from mdr.storage.judgements import JudgementStore
from mdr.types import Passage, Query

PASSAGE, QUERY = Passage("p1", "fi", "Niili", "Niili virtaa."), Query("q1", "th", "แม่น้ำไนล์")


def event(name: str, grade: int | None = 2, **changes: Any) -> JudgementEvent:
    """A grade; None takes it back."""
    values: dict[str, Any] = {
        "happened": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "action": "withdraw" if grade is None else "grade",
        "annotator": "ann",
        "collection": "c",
        "query": "q1",
        "query_lang": "th",
        "query_text": "แม่น้ำไนล์",
        "passage": f"p-{name}",
        "passage_lang": "fi",
    }
    return JudgementEvent(event=name, grade=grade, **values | changes)


def filled(path: Path, names: str) -> JudgementStore:
    store = JudgementStore(path)
    for number, name in enumerate(names):
        store.append(event(name, number % 4))
    return store


def names(store: JudgementStore) -> str:
    return "".join(each.event for each in store.history("c"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "judgements.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[JudgementStore]:
    store = filled(path, "abcdef")
    yield store
    store.close()


def wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.mark")
