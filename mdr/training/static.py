"""Trains the small static encoder: a vector per subword, averaged; contrastive, on unlabelled texts, on a CPU.

    python -m mdr.training.static --data DIR --out DIR

Equal texts, settings and seeds give equal weights on one kind of machine. The result is a sentence-transformers folder.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from mdr.errors import MdrError
from mdr.storage.files import digest, disk_errors
from mdr.training.dual import DualEncoder, DualLearner
from mdr.training.plan import Plan
from mdr.training.self_supervised import SelfSupervised, TokenTexts
from mdr.training.settings import Objective, TrainerSettings
from mdr.training.static_folder import save_static
from mdr.training.texts import LANGS, Texts, read_texts
from mdr.training.towers import StaticTower
from mdr.training.trainer import Trainer
from mdr.training.vocabulary import learn_vocabulary
from mdr.types import Event

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ids = NDArray[np.int32]
Vectors = NDArray[np.float32]

_UNPADDED = 1 << 40
"""Bags have no padding and keep next to nothing: a batch always goes through at once."""


class StaticSettings(BaseModel):
    """Everything that decides the weights, beside the texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pieces: int = 32_000
    characters: int = 800_000
    dimension: int = 512
    signature: int = 256
    signature_share: float = 0.5
    damped: bool = True
    batch: int = 1_024
    temperature: float = 0.05
    dropout: float = 0.1
    tasks: Mapping[str, float] = Field({"translation": 0.35, "window": 0.15, "title": 0.1, "crop": 0.4})
    training: TrainerSettings = TrainerSettings(
        steps=6_000, rate=0.05, warmup=0.05, decay=0.0, clip=0.0, checkpoint=2_000
    )


def initial_vectors(ids: Sequence[Ids], pieces: int, dimension: int, seed: int) -> Vectors:
    """Random directions, longer for rarer pieces: before any training this is a fair lexical matcher."""
    counts = np.bincount(np.concatenate(ids), minlength=pieces)
    weight = 1e-3 / (1e-3 + counts / counts.sum())
    vectors = np.random.default_rng(seed).standard_normal((pieces, dimension), dtype=np.float32)
    vectors *= weight[:, None].astype(np.float32)
    return vectors


def train_static(texts: Texts, settings: StaticSettings, out: Path) -> Iterator[Event]:
    """Learn a vocabulary, then vectors; write a sentence-transformers folder; say how it goes."""
    yield Event("train", "started", f"{len(texts.meanings):,} parallel texts, {len(texts.passages):,} passages")
    tokenizer = learn_vocabulary(texts, settings.pieces, settings.characters, settings.training.seed)
    pieces = tokenizer.get_vocab_size()
    yield Event("train", "note", f"a vocabulary of {pieces:,} pieces")
    ids = token_ids(tokenizer, texts.texts)
    vectors = yield from learn_vectors(texts, ids, pieces, settings, out)
    save_static(signed(vectors, settings), tokenizer, out, damped=settings.damped)
    yield Event("train", "finished", f"wrote {out}")


def token_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Ids]:
    """Each text's tokens, as small as they can be kept."""
    return [np.array(each.ids, np.int32) for each in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def learn_vectors(
    texts: Texts, ids: Sequence[Ids], pieces: int, settings: StaticSettings, folder: Path
) -> Generator[Event, None, Vectors]:
    """Contrast within each task's batches. One thread, so that sums keep their order."""
    torch.set_num_threads(1)
    tokens = TokenTexts(texts, ids)
    found = {task: SelfSupervised(tokens, task, settings.dropout) for task in settings.tasks}
    objectives = [
        Objective(
            sources={task: 1.0}, weight=odds, batch=settings.batch, temperature=settings.temperature, symmetric=True
        )
        for task, odds in settings.tasks.items()
    ]
    training = settings.training
    table = torch.from_numpy(initial_vectors(ids, pieces, settings.dimension, training.seed))
    model = DualEncoder(StaticTower(table, damped=settings.damped))
    plan = Plan(objectives, found, steps=training.steps, seed=training.seed, mix="draw")
    learner = DualLearner(model, plan, piece=_UNPADDED, memory=_UNPADDED)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    yield from Trainer(learner, training, folder, identity=digest(settings.model_dump(mode="json"))).run()
    return table.numpy()


def signed(vectors: Vectors, settings: StaticSettings) -> Vectors:
    """Beside what was learned, a random signature for each piece, in proportion to the length it learned.

    Training moves pieces towards meaning; signatures keep equal words together, rare names above all.
    """
    signs = np.random.default_rng(settings.training.seed + 1).choice((-1.0, 1.0), (len(vectors), settings.signature))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) * settings.signature_share / settings.signature**0.5
    return np.concatenate([vectors, signs * lengths], axis=1).astype(np.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="mdr.training.static", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with parallel/ and passages/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--settings", type=Path, help="a JSON file of settings that differ from the defaults")
    options = vars(parser.parse_args(arguments))
    data, out = options.pop("data"), options.pop("out")
    started = time.monotonic()
    try:
        chosen = options["settings"]
        settings = StaticSettings.model_validate_json(chosen.read_text()) if chosen else StaticSettings()
        for event in train_static(read_texts(data, LANGS), settings, out):
            if event.kind == "progress" and event.done % 100 and event.done != event.total:
                continue
            place = f" {event.done:,}/{event.total:,}" if event.total else ""
            sys.stdout.write(f"{time.monotonic() - started:6.0f} s{place} {event.message}\n")
            sys.stdout.flush()
    except MdrError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
