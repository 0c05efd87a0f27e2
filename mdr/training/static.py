"""Trains the small static encoders: a vector per subword, added up; contrastive, on a CPU.

    python -m mdr.training.static base --data DIR --out DIR                  # parallel texts and passages, no labels
    python -m mdr.training.static final --data DIR --start BASE --out DIR    # question–passage pairs besides

Equal texts, settings and seeds give equal weights on one kind of machine; a killed run goes on where it stopped. The
result is a sentence-transformers folder.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from mdr.engines.model_folder import read_model_folder
from mdr.engines.static_encoder import read_rows
from mdr.storage.files import digest, disk_errors, write_json
from mdr.training.batches import Source
from mdr.training.dual import DualEncoder, DualLearner
from mdr.training.labelled import labelled_source
from mdr.training.plan import Plan
from mdr.training.program import chosen, tell
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

LABELLED = "labelled"
SETTINGS = "training.json"
"""Beside the weights: what `--settings` takes to make them again."""
_RARE = 1e-3
"""Share of all tokens at which a token counts half."""


class Phase(BaseModel):
    """What is drawn how often, and how the table moves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tasks: Mapping[str, float]
    training: TrainerSettings
    batch: int = 1_024


def _training(steps: int, rate: float) -> TrainerSettings:
    return TrainerSettings(steps=steps, rate=rate, warmup=0.05, decay=0.0, clip=0.0, checkpoint=500)


class StaticSettings(BaseModel):
    """Everything that decides the weights, beside the texts.

    `learn` starts from random vectors and is for meaning alone; then each token gets a signature, and `refine` moves
    both, a little. `label` does the same with questions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pieces: int = 32_000
    characters: int = 800_000
    dimension: int = 512
    signature: int = 384
    damped: bool = True
    temperature: float = 0.05
    dropout: float = 0.1
    seed: int = 0
    learn: Phase = Field(
        Phase(tasks={"translation": 0.35, "window": 0.15, "title": 0.1, "crop": 0.4}, training=_training(10_000, 0.05))
    )
    refine: Phase = Field(
        Phase(tasks={"translation": 0.2, "window": 0.15, "title": 0.1, "crop": 0.55}, training=_training(1_000, 7e-4))
    )
    label: Phase = Field(
        Phase(
            tasks={LABELLED: 0.45, "translation": 0.14, "window": 0.08, "title": 0.06, "crop": 0.27},
            training=_training(1_200, 5e-4),
            batch=512,
        )
    )


def train_base(data: Path, settings: StaticSettings, out: Path) -> Iterator[Event]:
    """Learn a vocabulary, then vectors; write the folder; say how it goes."""
    texts = read_texts(data, LANGS)
    yield Event("train", "started", f"{len(texts.meanings):,} parallel texts, {len(texts.passages):,} passages")
    tokenizer = learn_vocabulary(texts, settings.pieces, settings.characters, settings.seed)
    pieces = tokenizer.get_vocab_size()
    yield Event("train", "note", f"a vocabulary of {pieces:,} pieces")
    vectors = yield from learn_vectors(texts, token_ids(tokenizer, texts.texts), pieces, settings, out)
    _save(vectors, tokenizer, out, settings)
    yield Event("train", "finished", f"wrote {out}")


def train_final(data: Path, start: Path, settings: StaticSettings, out: Path) -> Iterator[Event]:
    """Go on from a base folder, with question–passage pairs among what is drawn."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(start / "tokenizer.json"))
    texts = read_texts(data, LANGS)
    labelled = labelled_source(
        data, lambda them: token_ids(tokenizer, them), seed=settings.seed, dropout=settings.dropout
    )
    yield Event("train", "started", f"{len(texts.passages):,} passages, {len(labelled):,} labelled pairs")
    sources = self_supervised(texts, token_ids(tokenizer, texts.texts), settings) | {LABELLED: labelled}
    vectors = yield from _run(read_rows(read_model_folder(start)), sources, settings, settings.label, out / ".label")
    _save(vectors, tokenizer, out, settings)
    yield Event("train", "finished", f"wrote {out}")


def _save(vectors: Vectors, tokenizer: Tokenizer, out: Path, settings: StaticSettings) -> None:
    save_static(vectors, tokenizer, out, damped=settings.damped)
    write_json(out / SETTINGS, settings.model_dump(mode="json"))


def token_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Ids]:
    """Each text's tokens, as small as they can be kept."""
    return [np.array(each.ids, np.int32) for each in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def self_supervised(texts: Texts, ids: Sequence[Ids], settings: StaticSettings) -> dict[str, Source]:
    """Every task that there are texts for."""
    tokens = TokenTexts(texts, ids)
    return {task: SelfSupervised(tokens, task, settings.dropout) for task in tokens.tasks}


def learn_vectors(
    texts: Texts, ids: Sequence[Ids], pieces: int, settings: StaticSettings, folder: Path
) -> Generator[Event, None, Vectors]:
    """From random vectors to those of the base encoder."""
    weights = token_weights(ids, pieces)
    sources = self_supervised(texts, ids, settings)
    begin = initial_vectors(weights, settings.dimension, settings.seed)
    vectors = yield from _run(begin, sources, settings, settings.learn, folder / ".learn")
    if not settings.signature:
        return vectors
    signed = with_signatures(vectors, weights, settings.signature, settings.seed)
    return (yield from _run(signed, sources, settings, settings.refine, folder / ".refine"))


def _run(
    vectors: Vectors, sources: Mapping[str, Source], settings: StaticSettings, phase: Phase, scratch: Path
) -> Generator[Event, None, Vectors]:
    """Contrast within each task's batches, both ways. One thread, so that sums keep their order."""
    torch.set_num_threads(1)
    objectives = [
        Objective(sources={task: 1.0}, weight=odds, batch=phase.batch, temperature=settings.temperature, symmetric=True)
        for task, odds in phase.tasks.items()
    ]
    table = torch.from_numpy(vectors)
    model = DualEncoder(StaticTower(table, damped=settings.damped))
    plan = Plan(objectives, sources, steps=phase.training.steps, seed=settings.seed, mix="draw")
    learner = DualLearner(model, plan)
    with disk_errors(scratch):
        scratch.mkdir(parents=True, exist_ok=True)
    identity = digest([settings.model_dump(mode="json"), phase.model_dump(mode="json")])
    yield from Trainer(learner, phase.training, scratch, identity=identity).run()
    shutil.rmtree(scratch)
    return table.numpy()


def token_weights(ids: Sequence[Ids], pieces: int) -> Vectors:
    """How much a token counts before anything is learned: the rarer, the more (Arora et al., 2017)."""
    counts = np.bincount(np.concatenate(ids), minlength=pieces)
    found: Vectors = (_RARE / (_RARE + counts / counts.sum())).astype(np.float32)
    return found


def initial_vectors(weights: Vectors, dimension: int, seed: int) -> Vectors:
    """Random directions, longer for rarer tokens: before any training this is a fair lexical matcher."""
    vectors = np.random.default_rng(seed).standard_normal((len(weights), dimension), dtype=np.float32)
    return vectors * weights[:, None]


def with_signatures(vectors: Vectors, weights: Vectors, dimension: int, seed: int) -> Vectors:
    """Beside what was learned, a random signature for each token, as long as its weight says; both of length 1 for the
    token in the middle.

    Training moves tokens towards meaning, and forgets which words are telling apart passages on one subject;
    signatures keep equal words together, rare names above all.
    """
    signs = np.random.default_rng([seed, 1]).choice((-1.0, 1.0), (len(vectors), dimension))
    learned = vectors / np.median(np.linalg.norm(vectors, axis=1))
    lengths = weights[:, None] / np.median(weights) / dimension**0.5
    return np.concatenate([learned, signs * lengths], axis=1).astype(np.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="mdr.training.static", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", choices=("base", "final"))
    parser.add_argument("--data", type=Path, required=True, help="folder with parallel/, passages/ and labelled pairs")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--start", type=Path, help="the base model that the final one goes on from")
    parser.add_argument("--settings", type=Path, help="a JSON file of settings that differ from the defaults")
    options = parser.parse_args(arguments)
    if options.model == "final" and not options.start:
        parser.error("final needs --start")
    settings = chosen(options.settings, StaticSettings)
    if options.model == "base":
        events = train_base(options.data, settings, options.out)
    else:
        events = train_final(options.data, options.start, settings, options.out)
    tell(events, every=100)


if __name__ == "__main__":
    main()
