"""What two kinds of teachers make of few labels: a query generator, and a cross-encoder of the same network.

Both begin from one generator and see the same labelled questions, each with its answer among other passages that the
encoder found. The generator first learns to write the questions, then to find them likelier given their answer than
given the others; the cross-encoder, in as many steps as both take, to score the answer above the others. Then they rank
the passages of test questions, and of train questions without their labels; the latter teach an encoder.

    python -m benchmarks.teachers FOLDER --generator DIR [--samples 20 200] [--seeds 3] [--students] [--home DIR]

FOLDER has a folder for each language, with train and test questions (`mdr import`); samples are of each language. Name
a generator that saw no label (`mdr.training.generator` with `ask` 0): the shipped one did.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from tempfile import mkdtemp
from typing import Any

import numpy as np

from mdr.core.mining import DENSE
from mdr.core.summary import MACRO, Asked, averages, comparison
from mdr.pipeline import Recipe, Step
from mdr.settings import Settings
from mdr.storage.artefacts import Artefact
from mdr.storage.evaluation import Evaluation
from mdr.storage.pairs import Pairs
from mdr.workbench import Workbench

KINDS = ("generator", "reranker")
UNTAUGHT = "ranked by what both begin from"
CANDIDATES = 16
"""Of a list, in training."""
LENGTH = 112
"""Tokens that a cross-encoder reads: what the shipped generator reads of a passage, and a question."""
RANKED = 32
"""Passages that teachers rank."""


def recipe(options: argparse.Namespace, samples: int, seed: int) -> Recipe:
    """One number of samples and one seed: both teachers, what they say of test questions and, if wanted, students."""
    folder, start = str(options.folder), {"start": str(options.generator)}
    base, draw = {"encoder": options.encoder}, {"candidates": CANDIDATES, "seed": seed}
    steps = {"steps": options.steps, "rate": options.rate, "seed": seed}
    listed = {"depth": 100, "candidates": CANDIDATES, "at_least": CANDIDATES, "seed": seed}
    trained = {"collection": "train", "dense": "train-vectors"}
    test = {"collection": "test", "dense": "test-vectors"}
    made = [
        Step("train", "prepare", {"format": "folder", "path": folder, "splits": ("train",)}),
        Step("train-vectors", "index-dense", base, {"collection": "train"}),
        Step("test", "prepare", {"format": "folder", "path": folder, "splits": (options.split,)}),
        Step("test-vectors", "index-dense", base, {"collection": "test"}),
        Step(
            "test-pairs",
            "labelled-pairs",
            {"split": options.split, "samples": options.questions},
            {"collection": "test"},
        ),
        Step("labels", "labelled-pairs", {"samples": samples, "seed": seed}, {"collection": "train"}),
        Step("lists", "score", {**listed, "generator": str(options.generator)}, {**trained, "pairs": "labels"}),
        Step(
            "writer",
            "train-generator",
            _learned("likelihood", "labelled", 32, steps) | start,
            {"labelled": "labels"},
        ),
        Step(
            "generator",
            "train-generator",
            _learned("ranking", "scored", 8, steps) | {"sources": draw},
            {"start": "writer", "scored": "lists"},
        ),
        Step(
            "reranker",
            "train-reranker",
            _learned("ranking", "scored", 8, steps | {"steps": 2 * options.steps, "rate": options.reranker_rate})
            | {"sources": draw, "length": LENGTH}
            | start,
            {"scored": "lists"},
        ),
    ]
    first = {"depth": RANKED, "generator": str(options.generator)}
    made.append(Step(UNTAUGHT, "score", first, {**test, "pairs": "test-pairs"}))
    for kind in KINDS:
        made.append(Step(f"ranked by {kind}", "score", {"depth": RANKED}, {**test, "pairs": "test-pairs", kind: kind}))
        if options.students:
            asked = {"split": "train", "samples": options.lists, "depth": 100, "candidates": RANKED, "seed": seed}
            made += [
                Step(f"lists of {kind}", "score", {**asked, "at_least": CANDIDATES}, {**trained, kind: kind}),
                Step(
                    f"student of {kind}",
                    "train",
                    {
                        "objectives": (
                            {"loss": "contrast", "sources": {"labelled": 1.0}, "batch": 256},
                            {"loss": "listwise", "sources": {"scored": 1.0}, "batch": 16, "teacher_scale": 10.0},
                        ),
                        "sources": {**draw, "negatives": 0},
                        "training": {"steps": 300, "rate": 5e-4, "decay": 0.0, "clip": 0.0, "seed": seed},
                    },
                    {"labelled": "labels", "scored": f"lists of {kind}"},
                ),
                Step(f"{kind}'s vectors", "index-dense", {}, {"collection": "test", "model": f"student of {kind}"}),
                Step(
                    f"taught by {kind}",
                    "evaluate",
                    {"split": options.split},
                    {"collection": "test", "dense": f"{kind}'s vectors"},
                ),
            ]
    return Recipe("teachers", tuple(made))


def _learned(loss: str, source: str, batch: int, steps: Mapping[str, Any]) -> dict[str, Any]:
    return {"objectives": ({"loss": loss, "sources": {source: 1.0}, "batch": batch},), "training": dict(steps)}


def reciprocal_ranks(made: Artefact, of: str) -> tuple[dict[str, float], dict[str, Asked]]:
    """1 / rank of each question's answer among its candidates, by the teacher's scores or by the encoder (`dense`)."""
    found, asked = {}, {}
    for each in Pairs(made.folder).lists():
        scores = np.array(each.scores)
        rank = each.evidence[of]["ranks"][0] if of == DENSE else 1 + int((scores > scores[0]).sum())
        found[each.query.id] = 1 / rank if rank and rank <= RANKED else 0.0
        asked[each.query.id] = Asked(each.query.lang, each.query.id)
    return found, asked


def rows(found: Mapping[tuple[int, int], Mapping[str, Artefact]], samples: Sequence[int]) -> Iterator[str]:
    """The table: the encoder's own order, then teachers by number of samples, seeds averaged."""
    first = next(iter(found.values()))[UNTAUGHT]
    values, asked = reciprocal_ranks(first, DENSE)
    yield f"| encoder | | {_macro(values, asked):.3f} | | | |"
    yield f"| generator | 0 | {_macro(reciprocal_ranks(first, 'teacher')[0], asked):.3f} | | | |"
    for count in samples:
        runs = [its for (its_count, _), its in found.items() if its_count == count]
        of = {kind: [reciprocal_ranks(its[f"ranked by {kind}"], "teacher")[0] for its in runs] for kind in KINDS}
        means = {kind: {name: mean(its[name] for its in each) for name in each[0]} for kind, each in of.items()}
        p = comparison(means["generator"], means["reranker"], asked)[MACRO]["p"]
        for kind in KINDS:
            seeds = ", ".join(f"{_macro(each, asked):.3f}" for each in of[kind])
            taught = [Evaluation(its[step].folder) for its in runs if (step := f"taught by {kind}") in its]
            student = ", ".join(f"{its.summary['averages'][DENSE]['MRR@100'][MACRO]['mean']:.3f}" for its in taught)
            yield f"| {kind} | {count} | {_macro(means[kind], asked):.3f} | {seeds} | {p:.4f} | {student} |"


def _macro(values: Mapping[str, float], asked: Mapping[str, Asked]) -> float:
    return float(averages(values, asked)[MACRO]["mean"])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--generator", type=Path, required=True, help="what both teachers begin from")
    parser.add_argument("--encoder", default="base")
    parser.add_argument("--samples", type=int, nargs="+", default=[20, 200], help="labels of each language; 0: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--reranker-rate", type=float, default=2e-4)
    parser.add_argument("--split", default="test", help="what is ranked; `dev` to choose rates by")
    parser.add_argument("--questions", type=int, default=50, help="of each language, to be ranked")
    parser.add_argument("--lists", type=int, default=200, help="of each language, to teach a student with")
    parser.add_argument("--students", action="store_true")
    parser.add_argument("--home", type=Path, help="where to keep what is made, so that a killed run goes on")
    options = parser.parse_args()
    bench = Workbench(Settings(home=options.home or Path(mkdtemp())))
    found = {}
    for seed in options.seeds:
        for samples in options.samples:
            name = f"teachers.{options.split}.{samples}.{seed}"
            for event in bench.run(recipe(options, samples, seed), name):
                if event.kind in ("started", "warning", "finished"):
                    print(f"  {samples}/{seed} {event.stage}: {event.message}", flush=True)
            found[samples, seed] = {step: bench.store.get(key) for step, key in bench.store.run(name).items()}
    print("| teacher | labels a language | MRR of the answer | by seed | of both, p | students, MRR@100 |")
    print("|---|---:|---:|---|---:|---|")
    for row in rows(found, options.samples):
        print(row)


if __name__ == "__main__":
    main()
