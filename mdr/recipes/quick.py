"""QuiCK: a query generator as teacher, and queries aligned across languages (Ren et al., EMNLP 2022).

    teach the teacher   train a generator to write the pairs' queries, then to prefer their passages among others
    round by round      retrieve and score candidates anew; let the teacher ask about the answers in other languages;
                        train on the pairs, on the teacher's scores, and on both questions ranking alike

Published: the generator as teacher, its contrastive fine-tuning, and alignment without parallel sentences. Our reading:
where pairs are not labelled they are mined; how counterparts are admitted; weights and temperatures.
"""

from __future__ import annotations

from typing import Any

from mdr.pipeline import Recipe
from mdr.recipes.page import JUDGED, LABELLED, POSED, TEXTS, WILD, Page, Scale, Values, contrast

TEACHER = 10.0
"""1 / τ of the teacher's scores."""
LATER = 0.1
"""Share of the steps before alignment joins."""


def quick(
    scale: Scale,
    *,
    rounds: int = 1,
    distilling: bool = True,
    aligning: bool = True,
    scheduled: bool = True,
    parallel: str = "",
    whole_batch: bool = False,
    teacher: str = "generator",
    trust: float = TEACHER,
    seed: int = 0,
) -> Recipe:
    """The whole loop, over pairs that BM25 and the first encoder agree on. `scheduled`: good counterparts first;
    `parallel`: they are questions that people told in several languages, not what the generator asks, and rank passages
    in a question's "own" language or in "all"; `whole_batch`: they rank all passages of a step; `teacher`: "generator",
    or "reranker" for the comparison that the paper rests on; `trust`: what its scores are multiplied with before they
    become odds."""
    page = Page("quick", scale, seed)
    page.measure("before", None)
    dense = page.vectors("vectors-0", WILD, None)
    pairs = page.mined("mined", dense, 0)
    slot, judge = _teacher(page, scale, pairs, dense, teacher, seed)
    given = {**page.known(LABELLED, JUDGED), "mined": pairs}
    model = None
    for round in range(1, rounds + 1):
        if model:
            dense = page.vectors(f"vectors-{round}", WILD, model)
        scored = page.add(
            f"scored-{round}", "score", _listed(scale, seed, round), **_places(dense, pairs, **{slot: judge})
        )
        objectives: list[Values] = [contrast(source, scale) for source in given]
        inputs = given | {"scored": scored}
        if distilling:
            objectives.append(_over_lists("listwise", "scored", scale) | {"teacher_scale": trust})
        if aligning:
            asker = judge if slot == "generator" else None
            if parallel:
                inputs |= _told(page, scale, dense, asker, {**_listed(scale, seed, round), "pool": parallel})
            else:
                inputs["counterparts"] = _written(page, scored, asker, {"seed": seed, "round": round})
            objectives.append(_over_lists("alignment", "aligned", scale) | {"start": LATER, "whole_batch": whole_batch})
        sources = {"candidates": scale.candidates, "first": True, "admit": (80, 20) if scheduled else (0, 0)}
        model = page.learn(f"model-{round}", tuple(objectives), sources, model, inputs)
        page.measure(f"round-{round}", model)
    return page.recipe()


def _teacher(page: Page, scale: Scale, pairs: str, dense: str, kind: str, seed: int) -> tuple[str, str]:
    """The slot that a teacher fills, and the step that makes it."""
    lists = page.add(
        "lists", "score", {**_listed(scale, seed, 0), "generator": scale.generator}, **_places(dense, pairs)
    )
    if kind == "reranker":
        objective = {"loss": "ranking", "sources": {"scored": 1.0}, "batch": 8}
        settings = {
            "start": scale.reranker,
            "objectives": (objective,),
            "sources": {"seed": seed, "candidates": scale.candidates},
            "training": {"seed": seed, **scale.writing},
        }
        return "reranker", page.add("reranker", "train-reranker", settings, scored=lists)
    writer = page.writer("writer", "likelihood", None, page.known(LABELLED) | {"mined": pairs})
    return "generator", page.writer("teacher", "ranking", writer, {"scored": lists}, candidates=scale.candidates)


def _written(page: Page, scored: str, asker: str | None, settings: Values) -> str:
    """What the generator asks about the answers of lists, each in another language."""
    other = {"target": "other", "selection": "named", "n": 1, "round_trip": "none"}
    asked = page.add(
        f"asked-{settings['round']}", "generate", {**other, **settings}, collection=WILD, pairs=scored, generator=asker
    )
    return page.add(
        f"counterparts-{settings['round']}", "counterparts", {}, scored=scored, generated=asked, generator=asker
    )


def _told(page: Page, scale: Scale, dense: str, asker: str | None, listed: Values) -> dict[str, str]:
    """Lists of questions that are told in several languages, and the same questions in these."""
    round, places = listed["round"], {**page.needed(POSED), **page.needed(TEXTS)}
    settings = {**listed, "candidates": scale.candidates, "generator": scale.generator}
    lists = page.add(
        f"posed-{round}", "score", settings, collection=WILD, dense=dense, queries=places[POSED], generator=asker
    )
    close = {"quality": "cosine", "encoder": scale.encoder}
    others = page.add(f"counterparts-{round}", "counterparts", close, scored=lists, texts=places[TEXTS])
    return {"posed": lists, "counterparts": others}


def _listed(scale: Scale, seed: int, round: int) -> Values:
    return {
        "depth": scale.depth,
        "samples": scale.judged,
        "candidates": 2 * scale.candidates,
        "at_least": scale.candidates,
        "seed": seed,
        "round": round,
    }


def _places(dense: str, pairs: str, **more: str) -> dict[str, str]:
    """Pairs bring their own questions."""
    return {"collection": WILD, "dense": dense, "pairs": pairs, **more}


def _over_lists(loss: str, source: str, scale: Scale) -> dict[str, Any]:
    return {"loss": loss, "sources": {source: 1.0}, "batch": max(2, scale.batch // scale.candidates)}
