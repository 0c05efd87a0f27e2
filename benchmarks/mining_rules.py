"""How often what mining takes for an answer is one: by words, by meaning, by either, and where both agree.

Questions with grades are mined as if they had none; their grades then say how often that was right. Precision is over
the pairs that a rule admits, with a 95 % interval over questions; beside it how many of all questions got a pair, and
how many of the hard negatives are answers after all.

    python -m benchmarks.mining_rules FOLDER [--split train] [--encoder base] [--samples 500] [--k 1 3]

FOLDER is a collection, or a folder of one per language, as `mdr import` takes it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mdr.pipeline import Recipe, Step
from mdr.settings import Settings
from mdr.stages.tally import ALL, REPORT
from mdr.workbench import Workbench

RULES = ("lexical", "dense", "union", "intersection")


def page(folder: Path, split: str, encoder: str, samples: int, ks: Sequence[int]) -> Recipe:
    """Both indexes once, and a mining by each rule."""
    indexes = {"collection": "collection", "lexical": "words", "dense": "vectors"}
    return Recipe(
        "mining-rules",
        (
            Step("collection", "prepare", {"format": "folder", "path": str(folder), "splits": (split,)}),
            Step("words", "index-lexical", {}, {"collection": "collection"}),
            Step("vectors", "index-dense", {"encoder": encoder}, {"collection": "collection"}),
            *(
                Step(f"{rule} {k}", "mine", {"rule": rule, "k_positive": k, "samples": samples}, indexes)
                for k in ks
                for rule in RULES
            ),
        ),
    )


def row(report: Mapping[str, Any]) -> Iterator[str]:
    """Of one mining: queries with a pair, precision, and negatives that are none; then precision in each language."""
    found = report[ALL]
    yield f"{found['pairs'] / found['queries']:.2f}"
    for name in ("precision", "false_negatives"):
        its = found[name]
        yield f"{its['mean']:.3f} ({its['low']:.3f}–{its['high']:.3f})" if its else "–"
    for its in report["languages"].values():
        yield f"{its['precision']['mean']:.3f}" if its["precision"] else "–"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--encoder", default="base")
    parser.add_argument("--samples", type=int, default=500, help="questions of each language")
    parser.add_argument("--k", type=int, nargs="+", default=[1, 3], help="lowest ranks that are taken for an answer")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        bench = Workbench(Settings(home=Path(home)))
        recipe = page(options.folder, options.split, options.encoder, options.samples, options.k)
        for event in bench.run(recipe, "rules"):
            if event.kind in ("started", "warning"):
                print(f"  {event.stage}: {event.message}", flush=True)
        made = {name: bench.store.get(key) for name, key in bench.store.run("rules").items()}
        reports = {
            name: json.loads((its.folder / REPORT).read_text(encoding="utf-8"))
            for name, its in made.items()
            if its.manifest.stage == "mine"
        }
    langs = list(next(iter(reports.values()))["languages"])
    print("| rule | rank | with a pair | precision | wrong negatives |", " | ".join(langs), "|")
    print("|---|---:|---:|---|---|" + "---:|" * len(langs))
    for name, report in reports.items():
        print("|", " | ".join([*name.split(), *row(report)]), "|")


if __name__ == "__main__":
    main()
