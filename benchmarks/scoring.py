"""How many questions with passages a generator scores in a second, beside a plain loop over transformers' own call.

Both get the same token ids of the sample's questions, each with some of its language's passages, and answer with the
mean log-likelihood per token; parity first. The loop takes batches as they come and pads them; ours sorts by length and
reads a passage once for all questions about it, and in bf16 where that is faster. For a model of mT5-base's shape the
same is computed from its size and what devices multiply, as `reproduce --plan` does.

    python -m benchmarks.scoring [--queries 64] [--passages 32] [--repeats 3] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from mdr.engines.generator import load_generator
from mdr.engines.generator_folder import read_generator_folder
from mdr.engines.generator_network import load_generator_network
from mdr.engines.language_models import padded
from mdr.ports import Generator, Scores
from mdr.services.runs.estimates import DEVICES, SHAPES, judging
from mdr.settings import ROOT
from mdr.types import Passage, Query

GENERATOR = ROOT / "assets" / "models" / "generator"
BATCH = 32


def pairs(queries: int, passages: int) -> tuple[list[Query], list[Passage]]:
    """Questions of the sample, each with passages in its language; passages come again with other questions."""
    files = {name: ROOT / "data" / "sample" / f"{name}.jsonl" for name in ("queries", "corpus")}
    rows = {name: [json.loads(line) for line in file.read_text("utf-8").splitlines()] for name, file in files.items()}
    random = np.random.default_rng(0)
    asked: list[Query] = []
    told: list[Passage] = []
    for row in [rows["queries"][at] for at in random.permutation(len(rows["queries"]))[:queries]]:
        own = [each for each in rows["corpus"] if each["lang"] == row["lang"]][: 2 * passages]
        for at in random.permutation(len(own))[:passages]:
            asked.append(Query(row["id"], row["lang"], row["text"]))
            told.append(Passage(own[at]["id"], row["lang"], own[at].get("title", ""), own[at]["text"]))
    return asked, told


def peer() -> Callable[[list[Query], list[Passage]], Scores]:
    """transformers' call with labels, batch by batch."""
    loaded = load_generator_network(read_generator_folder(GENERATOR), dtype=torch.float32)
    network = loaded.network.eval()

    def score(asked: list[Query], told: list[Passage]) -> Scores:
        inputs = loaded.prompts.inputs(told, [query.lang for query in asked])
        answers = loaded.prompts.targets([query.text for query in asked])
        found: list[float] = []
        with torch.inference_mode():
            for start in range(0, len(asked), BATCH):
                ids, mask = padded(inputs[start : start + BATCH], "cpu")
                labels, given = padded(answers[start : start + BATCH], "cpu")
                logits = network(input_ids=ids, attention_mask=mask, labels=labels.masked_fill(given == 0, -100)).logits
                each = torch.log_softmax(logits.float(), -1).gather(2, labels[..., None])[..., 0] * given
                found += (each.sum(1) / given.sum(1)).tolist()
        return np.array(found)

    return score


def main() -> None:
    """Check, then compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--queries", type=int, default=64)
    parser.add_argument("--passages", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    asked, told = pairs(options.queries, options.passages)
    exact: Generator = load_generator(str(GENERATOR), device="cpu", threads=options.threads, precision="float32")
    usual: Generator = load_generator(str(GENERATOR), device="cpu", threads=options.threads)
    plain = peer()
    few = slice(0, 4 * options.passages)
    worst = float(np.abs(exact.log_likelihood(asked[few], told[few]) - plain(asked[few], told[few])).max())
    assert worst < 1e-4, worst
    print(f"parity in fp32, {len(asked[few])} pairs: {worst:.1e} apart at most")
    jobs = {
        "mdr": usual.log_likelihood,
        "mdr, fp32": exact.log_likelihood,
        "transformers in a loop, fp32": plain,
    }
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(options.repeats):
        for name, job in jobs.items():
            start = time.perf_counter()
            job(asked, told)
            seconds[name].append(time.perf_counter() - start)
    print(f"{len(asked):,} pairs, {options.threads} threads, median of {options.repeats}")
    for name, its in seconds.items():
        print(f"  {name:<32}{len(asked) / median(its):>10,.0f} pairs/s")
    print("computed for google/mt5-base")
    for device in DEVICES.values():
        print(f"  {device.name:<32}{device.operations / judging(SHAPES['google/mt5-base']):>10,.0f} pairs/s")


if __name__ == "__main__":
    main()
