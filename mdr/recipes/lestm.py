"""LeSTM: lexicon-enhanced self-supervised training (Ren et al., Findings of EMNLP 2022).

    warm up an encoder on labelled pairs, then, round by round:
        mine        what BM25 and the encoder agree on, with near misses as negatives
        write       train a generator on these pairs, and let it ask about passages; keep what leads back to them
        train       from the warm-up again, on labelled, mined and written pairs

Published: the loop of mining by a sparse and a dense model together, and of generating. Our reading: ranks, margins,
filters and weights, all of which are settings here.
"""

from __future__ import annotations

from types import MappingProxyType

from mdr.pipeline import Recipe
from mdr.recipes.language_agnostic import agnostic
from mdr.recipes.page import JUDGED, LABELLED, TEXTS, WILD, Page, Scale, Values, contrast

POSITIVE = 3
"""The lowest rank, in both lists, of a passage that is taken for an answer."""


def lestm(
    scale: Scale,
    *,
    rounds: int = 2,
    rule: str = "intersection",
    generating: bool = True,
    kept: Values = MappingProxyType({}),
    language_contrast: bool = False,
    seed: int = 0,
) -> Recipe:
    """The whole loop. `rule`: which lists must agree; `kept`: what questions must be like (stage `generate`);
    `language_contrast`: a warm-up that unlearns languages, too."""
    page = Page("lestm", scale, seed)
    page.measure("before", None)
    warm = _warm_up(page, scale, language_contrast=language_contrast)
    if warm:
        page.measure("warmed-up", warm)
    model = warm
    for round in range(1, rounds + 1):
        dense = page.vectors(f"vectors-{round}", WILD, model)
        given = page.known(LABELLED, JUDGED)
        given["mined"] = page.mined(f"mined-{round}", dense, round, rule=rule, k_positive=POSITIVE)
        if generating:
            writer = page.writer(f"writer-{round}", "likelihood", None, dict(given))
            settings = {"n": scale.questions, "budget": scale.budget, "k": POSITIVE, "round": round, "seed": seed}
            given["generated"] = page.add(
                f"generated-{round}",
                "generate",
                {**settings, **kept},
                collection=WILD,
                lexical=page.words(WILD),
                dense=dense,
                generator=writer,
            )
        objectives = tuple(contrast(source, scale) for source in given)
        model = page.learn(f"model-{round}", objectives, {"negatives": 1}, warm, given)
        page.measure(f"round-{round}", model)
    return page.recipe()


def _warm_up(page: Page, scale: Scale, *, language_contrast: bool) -> str | None:
    """The encoder that every round begins from; None: the scale's, as it is."""
    given = page.known(LABELLED)
    objectives = tuple(contrast(source, scale) for source in given)
    if language_contrast:
        given |= page.needed(TEXTS)
        objectives += agnostic(scale)
    return page.learn("warm-up", objectives, {"negatives": 1}, None, given) if objectives else None
