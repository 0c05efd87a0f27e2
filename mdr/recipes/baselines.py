"""The systems every new model stands beside: BM25, dense as it comes, and both together.

import → index words ┐
       → index meaning ┴→ evaluate
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdr.pipeline import Recipe, Step

COLLECTION, LEXICAL, DENSE, EVALUATION = "collection", "lexical", "dense", "evaluation"


def prepare(format: str, path: str, **options: Any) -> Step:
    """Read published files into a collection."""
    return Step(COLLECTION, "prepare", {"format": format, "path": path, **options})


def indexes(encoder: str = "", **options: Any) -> tuple[Step, ...]:
    """Both indexes over a collection made by an earlier step."""
    collection = {"collection": COLLECTION}
    return (
        Step(LEXICAL, "index-lexical", {}, collection),
        Step(DENSE, "index-dense", {"encoder": encoder, **options}, collection),
    )


def evaluation(settings: Mapping[str, Any]) -> Step:
    """All three systems over both indexes."""
    return Step(EVALUATION, "evaluate", settings, {"collection": COLLECTION, "lexical": LEXICAL, "dense": DENSE})


def baselines(name: str, encoder: str = "", **settings: Any) -> Recipe:
    """Index a given collection and evaluate the three systems on it."""
    return Recipe(name, (*indexes(encoder), evaluation(settings)))
