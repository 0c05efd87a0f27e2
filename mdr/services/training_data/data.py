"""Pairs and their threads as plain values: what `--json` prints and the API answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mdr.services.training_data.rows import Row
from mdr.services.training_data.threads import Learned, Named, Thread


def row_data(row: Row) -> dict[str, Any]:
    """A pair or list as it was written, with its score."""
    return {"pair": str(row.ref), "score": row.score, **_plain(row)}


def _plain(row: Row) -> dict[str, Any]:
    values = {name: getattr(row.found, name) for name in row.found.__slots__}
    values["query"] = row.query._asdict()
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def thread_data(thread: Thread) -> dict[str, Any]:
    """A thread."""
    return {
        **row_data(thread.row),
        "source": thread.source.key,
        "made_by": [called._asdict() for called in thread.source.called],
        "collection": thread.collection,
        "kept": thread.kept,
        "passages": [_named(named) for named in thread.named],
        "made_from": {came.slot: came.key for came in thread.came},
        "made_with_it": [_learned(learned) for learned in thread.learned],
    }


def _named(named: Named) -> dict[str, Any]:
    passage = named.passage._asdict() if named.passage else {"id": named.id}
    then = {side: asdict(place) for side, place in named.then.items()}
    return {**passage, "role": named.role, "then": then, "reciprocal": named.reciprocal, "teacher": named.teacher}


def _learned(learned: Learned) -> dict[str, Any]:
    return {
        "artefact": learned.artefact.key,
        "stage": learned.artefact.manifest.stage,
        "slot": learned.slot,
        "made_by": [called._asdict() for called in learned.called],
        "held_out": learned.held_out,
        "then": [_learned(each) for each in learned.then],
    }
