"""The methods by name, each with the variants that say what its parts are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mdr.errors import InputError
from mdr.pipeline import Recipe
from mdr.recipes.language_agnostic import language_agnostic
from mdr.recipes.lestm import lestm
from mdr.recipes.page import POSED, Scale
from mdr.recipes.quick import quick
from mdr.recipes.umr import umr


@dataclass(frozen=True)
class Method:
    """A page and its ablations: what is changed, by the variant's name."""

    title: str
    page: Callable[..., Recipe]
    variants: Mapping[str, Mapping[str, Any]]

    def possible(self, scale: Scale) -> list[str]:
        """The variants that a scale has material for: not all have parallel questions."""
        return [name for name, its in self.variants.items() if not its.get("parallel") or scale.has(POSED)]


METHODS: Mapping[str, Method] = {
    "lestm": Method(
        "LeSTM: mine where words and meaning agree, write more, train again",
        lestm,
        {
            "sparse only": {"rule": "lexical", "generating": False, "rounds": 1},
            "dense only": {"rule": "dense", "generating": False, "rounds": 1},
            "intersection": {"generating": False, "rounds": 1},
            "union": {"rule": "union", "generating": False, "rounds": 1},
            "both lists lead back": {"kept": {"round_trip": "intersection"}, "rounds": 1},
            "likelier half of questions": {"kept": {"min_percentile": 50}, "rounds": 1},
            "language-contrastive warm-up": {"language_contrast": True, "rounds": 1},
        },
    ),
    "umr": Method(
        "UMR: a language model's likelihoods as labels, twice",
        umr,
        {
            "teacher × 1": {"teacher": 1.0, "rounds": 1},
            "teacher × 5": {"teacher": 5.0, "rounds": 1},
            "teacher × 20": {"teacher": 20.0, "rounds": 1},
            "own candidates only": {"whole_batch": False, "rounds": 1},
            "language-contrastive warm-up": {"language_contrast": True, "rounds": 1},
        },
    ),
    "quick": Method(
        "QuiCK: a query generator teaches, questions are aligned across languages",
        quick,
        {
            "no distillation": {"distilling": False},
            "no alignment": {"aligning": False},
            "no scheduler": {"scheduled": False},
            "parallel questions": {"parallel": "own"},
            "parallel questions over all languages": {"parallel": "all"},
            "parallel questions against the batch": {"parallel": "own", "whole_batch": True},
            "teacher × 1": {"trust": 1.0},
            "cross-encoder teacher": {"teacher": "reranker"},
        },
    ),
    "language-agnostic": Method(
        "Language-agnostic: parallel texts strip languages from vectors",
        language_agnostic,
        {
            "semantic only": {"language": 0.0},
            "language only": {"semantic": 0.0},
            "language × 10": {"language": 1.0},
            "language × 0.1": {"language": 0.01},
            "1,000 parallel texts": {"parallel": 1_000},
            "10,000 parallel texts": {"parallel": 10_000},
            "100,000 parallel texts": {"parallel": 100_000},
            "parallel texts of ar en es zh": {"parallel_langs": ("ar", "en", "es", "zh")},
        },
    ),
}


def recipe(method: str, scale: Scale, variant: str = "", seed: int = 0) -> Recipe:
    """A method's page at a scale, or a variant of it."""
    if method not in METHODS:
        raise InputError(f"there is no method {method!r}", f"there are {', '.join(METHODS)}")
    found = METHODS[method]
    if variant and variant not in found.variants:
        raise InputError(f"{method} has no variant {variant!r}", f"it has {', '.join(found.variants)}")
    return found.page(scale, seed=seed, **found.variants.get(variant, {}))
