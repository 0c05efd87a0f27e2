"""Training an encoder by contrast: mdr beside sentence-transformers' trainer with its cached loss.

Equal weights to begin with (a transformer of MiniLM-L6's shape), equal pairs in equal order, equal batches, schedule
and clipping; both read texts, encode every text twice and keep the activations of few at once. `keeping` is mdr with
room for a whole batch, as its settings have it by default: then nothing is encoded twice.

    curves   parity, before anything is timed: over the first steps, in fp32, losses differ by at most 1e-4
    speed    pairs a second in fp32 and in bf16, the three in turns, medians; the target is 1.0 times in fp32 and, on
             CPUs that can, 1.5 times in bf16 over the peer in fp32
    memory   peak of a process that takes one step, by batch size; short texts, since only the batch is asked about

    python -m benchmarks.train_step [--steps 20] [--batch 256] [--repeats 3] [--threads 2] [--memory 64,1024,4096]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from transformers.utils import logging

from benchmarks.encode import VOCABULARY, make_tokenizer
from mdr.training.batches import Batch, Random, bags
from mdr.training.dual import DualLearner
from mdr.training.loading import Trainable, load_trainable
from mdr.training.plan import Plan
from mdr.training.settings import Objective, TrainerSettings
from mdr.training.trainer import Trainer

MINI = 32
LENGTHS = {"query": (6, 16), "passage": (20, 80)}
SHORT = {"query": (2, 6), "passage": (4, 10)}
RATE, CLIP, TEMPERATURE = 5e-5, 1.0, 0.05
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}

Pairs = list[tuple[str, str]]


def make_pairs(count: int, lengths: dict[str, tuple[int, int]]) -> Pairs:
    """Passages of made-up words, and queries of some of their words."""
    random = np.random.default_rng(0)
    letters = np.array(list("aeioubcdfghklmnprstv"))
    words = np.array(["".join(random.choice(letters, size)) for size in random.integers(2, 10, 5000)])
    pairs = []
    for _ in range(count):
        passage = words[random.zipf(1.2, random.integers(*lengths["passage"])) % len(words)]
        pairs.append((" ".join(random.choice(passage, random.integers(*lengths["query"]))), " ".join(passage)))
    return pairs


def make_model(folder: Path, tokenizer: Tokenizer) -> Path:
    """6 layers, 384 wide, mean pooling, normalised; without dropout, which no two programs draw alike."""
    torch.manual_seed(0)
    shape = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    BertModel(BertConfig(vocab_size=VOCABULARY, **shape, **still)).save_pretrained(folder / "plain")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder / "plain")
    body = Transformer(str(folder / "plain"), max_seq_length=128)
    SentenceTransformer(modules=[body, Pooling(384, "mean"), Normalize()]).save(str(folder / "model"))
    return folder / "model"


class InOrder:
    """Pairs as a source: the next ones in every step."""

    def __init__(self, pairs: Pairs, model: Trainable) -> None:
        self._queries = model.tokens([query for query, _ in pairs], "query")
        self._passages = model.tokens([passage for _, passage in pairs], "passage")
        self.longest = max(len(text) for text in (*self._queries, *self._passages))

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        rows = slice(turn * size, (turn + 1) * size)
        return Batch(bags(self._queries[rows]), bags(self._passages[rows]))


def train_ours(model: Path, pairs: Pairs, batch: int, precision: torch.dtype | None, memory: int = 0) -> list[float]:
    """Losses by step."""
    trainable = load_trainable(model, lengths={"query": 128, "passage": 128})
    steps = len(pairs) // batch
    objective = Objective(sources={"pairs": 1.0}, batch=batch, temperature=TEMPERATURE)
    source = InOrder(pairs, trainable)
    plan = Plan([objective], {"pairs": source}, steps=steps, seed=0)
    learner = DualLearner(trainable.model, plan, piece=MINI * source.longest, memory=memory, precision=precision)
    settings = TrainerSettings(steps=steps, rate=RATE, warmup=0, decay=0, clip=CLIP, checkpoint=steps)
    with tempfile.TemporaryDirectory() as folder:
        events = list(Trainer(learner, settings, Path(folder), identity="benchmark").run())
    return [event.data["losses"]["loss"] for event in events if event.kind == "progress"]


def train_theirs(model: Path, pairs: Pairs, batch: int, precision: torch.dtype | None) -> list[float]:
    """Losses by step."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
    from torch.utils.data import BatchSampler, SequentialSampler
    from transformers import PrinterCallback

    seen: list[float] = []

    class Told(CachedMultipleNegativesRankingLoss):
        def forward(self, *values: object, **named: object) -> torch.Tensor:
            loss = super().forward(*values, **named)
            seen.append(float(loss.detach()))
            return loss

    class Ordered(SentenceTransformerTrainer):
        def get_batch_sampler(self, dataset: Dataset, batch_size: int, *_: object, **__: object) -> BatchSampler:
            return BatchSampler(SequentialSampler(dataset), batch_size, drop_last=True)

    encoder = SentenceTransformer(str(model), device="cpu")
    data = Dataset.from_dict({name: [pair[at] for pair in pairs] for at, name in enumerate(("anchor", "positive"))})
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = SentenceTransformerTrainingArguments(
            folder, per_device_train_batch_size=batch, num_train_epochs=1, learning_rate=RATE, weight_decay=0.0,
            max_grad_norm=CLIP, lr_scheduler_type="linear", bf16=precision is not None, use_cpu=True, report_to="none",
            save_strategy="no", logging_strategy="no", disable_tqdm=True, dataloader_pin_memory=False,
        )  # fmt: skip
        loss = Told(encoder, scale=1 / TEMPERATURE, mini_batch_size=MINI)
        trainer = Ordered(model=encoder, args=arguments, train_dataset=data, loss=loss)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return seen


def check_curves(model: Path, pairs: Pairs, batch: int) -> None:
    """Fails where the losses of the two part."""
    ours, theirs = train_ours(model, pairs, batch, None), train_theirs(model, pairs, batch, None)
    assert len(ours) == len(theirs) == len(pairs) // batch
    apart = max(abs(one - other) for one, other in zip(ours, theirs, strict=True))
    print(f"{len(ours)} steps: from {ours[0]:.4f} to {ours[-1]:.4f}, at most {apart:.1e} apart")
    assert apart <= 1e-4, "losses part"


def compare_speed(model: Path, pairs: Pairs, batch: int, repeats: int) -> None:
    """Three programs in two precisions, in turns."""
    jobs: dict[str, Callable[[torch.dtype | None], object]] = {
        "mdr": lambda precision: train_ours(model, pairs, batch, precision),
        "mdr, keeping": lambda precision: train_ours(model, pairs, batch, precision, memory=1 << 30),
        "peer": lambda precision: train_theirs(model, pairs, batch, precision),
    }
    spent: dict[tuple[str, str], list[float]] = {(job, name): [] for job in jobs for name in PRECISIONS}
    for _ in range(repeats):
        for (job, name), seconds in spent.items():
            started = time.perf_counter()
            jobs[job](PRECISIONS[name])
            seconds.append(time.perf_counter() - started)
    base = median(spent["peer", "fp32"])
    print(f"{'':14} {'precision':10} {'pairs/s':>9} {'to peer in it':>14} {'to peer in fp32':>16}")
    for (job, name), seconds in spent.items():
        own = median(seconds)
        same = median(spent["peer", name]) / own
        print(f"{job:14} {name:10} {len(pairs) / own:9.1f} {same:13.2f}x {base / own:15.2f}x")


def compare_memory(model: Path, sizes: list[int], threads: int) -> None:
    """One step each in processes of their own."""
    print(f"{'batch':>6} {'mdr':>10} {'peer':>10}  peak resident")
    for size in sizes:
        peaks = []
        for job in ("mdr", "peer"):
            command = [sys.executable, "-m", "benchmarks.train_step", "--one", job, str(model), str(size)]
            told = subprocess.run([*command, "--threads", str(threads)], capture_output=True, text=True, check=True)
            peaks.append(int(told.stdout.split()[-1]))
        print(f"{size:6,} " + " ".join(f"{peak / 1024:7,.0f} MB" for peak in peaks))


def one_step(job: str, model: Path, size: int) -> None:
    """Train on one batch; the peak of this process in KiB. The system's count for a process would not do: a child's
    begins with what its parent had."""
    {"mdr": train_ours, "peer": train_theirs}[job](model, make_pairs(size, SHORT), size, None)
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--batch", type=int, default=256)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--timed", type=int, default=4, help="steps of a timed run")
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    options.add_argument("--memory", default="64,1024,4096", help="batch sizes, or nothing")
    options.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if asked.one:
        one_step(asked.one[0], Path(asked.one[1]), int(asked.one[2]))
        return
    pairs = make_pairs(max(asked.steps, asked.timed) * asked.batch, LENGTHS)
    print(f"{asked.threads} threads, load {os.getloadavg()[0]:.1f}, batch {asked.batch}")
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(Path(folder), make_tokenizer([passage for _, passage in pairs]))
        check_curves(model, pairs[: asked.steps * asked.batch], asked.batch)
        if asked.repeats:
            compare_speed(model, pairs[: asked.timed * asked.batch], asked.batch, asked.repeats)
        if asked.memory:
            compare_memory(model, [int(size) for size in asked.memory.split(",")], asked.threads)


if __name__ == "__main__":
    main()
