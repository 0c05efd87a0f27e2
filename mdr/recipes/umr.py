"""UMR: an unsupervised retriever by generative pseudo labels (Huang et al., Findings of EACL 2024).

    questions and passages, no pair of them; round by round:
        retrieve    each question's nearest passages
        score       all of them by a frozen language model: how likely is the question, given the passage?
        distil      these likelihoods into the encoder: 16 passages a question, all of the batch below the line

Published: the two stages, the prompt, the mean log-likelihood, ten times of which is the teacher. Our reading: weights
are chosen by held-out questions whose teacher is the label; a round goes on from the last one's encoder.
"""

from __future__ import annotations

from mdr.pipeline import Recipe
from mdr.recipes.language_agnostic import agnostic
from mdr.recipes.page import TEXTS, WILD, Page, Scale

TEACHER = 10.0
"""What mean log-likelihoods are multiplied with before they become odds."""


def umr(
    scale: Scale,
    *,
    rounds: int = 2,
    teacher: float = TEACHER,
    whole_batch: bool = True,
    restart: bool = False,
    language_contrast: bool = False,
    seed: int = 0,
) -> Recipe:
    """The whole loop. `restart`: every round begins from the first encoder; `language_contrast`: one that has unlearned
    languages first."""
    page = Page("umr", scale, seed)
    page.measure("before", None)
    first = None
    if language_contrast:
        first = page.learn("warm-up", agnostic(scale), {}, None, page.needed(TEXTS))
    model = first
    objective = {
        "loss": "listwise",
        "sources": {"scored": 1.0},
        "batch": max(2, scale.batch // scale.candidates),
        "teacher_scale": teacher,
        "whole_batch": whole_batch,
    }
    for round in range(1, rounds + 1):
        dense = page.vectors(f"vectors-{round}", WILD, model)
        settings = {
            "depth": scale.depth,
            "samples": scale.judged,
            "candidates": scale.scored,
            "at_least": scale.candidates,
            "round": round,
            "seed": seed,
            "generator": scale.generator,
        }
        scored = page.add(f"scored-{round}", "score", settings, collection=WILD, dense=dense, **page.known_questions())
        sources = {"candidates": scale.candidates, "holdout": 0.05}
        start = first if restart else model
        model = page.learn(f"model-{round}", (objective,), sources, start, {"scored": scored})
        page.measure(f"round-{round}", model)
    return page.recipe()
