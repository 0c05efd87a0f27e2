"""Artefacts of a few letters, for tests of the store."""

from __future__ import annotations

from typing import Any

from mdr.storage.artefacts import Artefact, ArtefactStore, Draft


def make(store: ArtefactStore, recipe: str = "r1", inputs: dict[str, Any] | None = None, **contents: str) -> Artefact:
    """Files of text by name."""
    with store.draft("kind", recipe) as draft:
        for name, text in (contents or {"a": "alpha", "deep/b": "beta"}).items():
            path = draft.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return publish(store, draft, inputs)


def publish(store: ArtefactStore, draft: Draft, inputs: dict[str, Any] | None = None) -> Artefact:
    """What lies in a draft."""
    return store.publish(draft, stage="stage", version=1, settings={"x": (1, 2)}, inputs=inputs or {}, fingerprints={})
