"""Language-agnostic retrieval with contrastive learning (Hu et al., Findings of ACL 2023).

    train on labelled English pairs, and at once
        semantic    texts and their translations find each other among all
        language    a text without translation is as near to a sentence as to that sentence's translation

Published: both losses, and that few parallel texts are enough for languages without any. Our reading: temperature,
weights and batch sizes. It is an add-on: `agnostic` gives its objectives to any other recipe.
"""

from __future__ import annotations

from collections.abc import Sequence

from mdr.pipeline import Recipe
from mdr.recipes.page import LABELLED, TEXTS, Page, Scale, Values, contrast


def language_agnostic(
    scale: Scale,
    *,
    semantic: float = 1.0,
    language: float = 0.1,
    parallel: int = 0,
    parallel_langs: Sequence[str] = (),
    seed: int = 0,
) -> Recipe:
    """Labelled pairs with the weights of both losses; 0 leaves a loss out. `parallel`: how many texts with their
    translations; `parallel_langs`: only of these languages; all by default."""
    texts = {"parallel": parallel, "parallel_langs": parallel_langs, "seed": seed}
    page = Page("language-agnostic", scale, seed, texts=texts if parallel or parallel_langs else {})
    page.measure("before", None)
    given = page.known(LABELLED)
    retrieval = tuple(contrast(source, scale) for source in given)
    if retrieval:
        page.measure("retrieval-only", page.learn("retrieval", retrieval, {}, None, given))
    given |= page.needed(TEXTS)
    objectives = (*retrieval, *agnostic(scale, semantic, language))
    page.measure("agnostic", page.learn("model", objectives, {}, None, given))
    return page.recipe()


def agnostic(scale: Scale, semantic: float = 1.0, language: float = 0.1) -> tuple[Values, ...]:
    """The objectives that strip languages from what an encoder learns."""
    rows = (("semantic", "translation", semantic), ("language", "language", language))
    return tuple(
        {"loss": loss, "sources": {source: 1.0}, "weight": weight, "batch": scale.batch}
        for loss, source, weight in rows
        if weight
    )
