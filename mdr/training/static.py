"""Trains the small static encoder: a vector per subword, averaged; contrastive, on unlabelled texts, on a CPU.

    python -m mdr.training.static --data DIR --out DIR

Equal texts, settings and seeds give equal weights on one kind of machine. The result is a sentence-transformers folder.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mdr.errors import MdrError
from mdr.storage.files import disk_errors, write_json
from mdr.training.batches import Batch, Sampler
from mdr.training.texts import Texts, read_texts
from mdr.training.vocabulary import learn_vocabulary
from mdr.types import Event

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

Ids = NDArray[np.int32]
Vectors = NDArray[np.float32]

LANGS = frozenset("ar bn de el en es fa fi fr hi id it ja ko pt ru sw te th tr vi zh".split())

_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"},
    {"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"},
]
_CONFIG = {
    "model_type": "SentenceTransformer",
    "prompts": {"query": "", "document": ""},
    "default_prompt_name": None,
    "similarity_fn_name": "cosine",
}


@dataclass(frozen=True, slots=True)
class StaticSettings:
    """Everything that decides the weights, beside the texts."""

    pieces: int = 32_000
    characters: int = 800_000
    dimension: int = 384
    signature: int = 128
    signature_share: float = 0.5
    steps: int = 6_000
    batch: int = 1_024
    learning_rate: float = 0.05
    temperature: float = 0.05
    dropout: float = 0.1
    tasks: tuple[tuple[str, float], ...] = (("translation", 0.35), ("window", 0.15), ("title", 0.1), ("crop", 0.4))
    seed: int = 0


def initial_vectors(ids: Sequence[Ids], pieces: int, dimension: int, seed: int) -> Vectors:
    """Random directions, longer for rarer pieces: before any training this is a fair lexical matcher."""
    counts = np.bincount(np.concatenate(ids), minlength=pieces)
    weight = 1e-3 / (1e-3 + counts / counts.sum())
    vectors = np.random.default_rng(seed).standard_normal((pieces, dimension), dtype=np.float32)
    vectors *= weight[:, None].astype(np.float32)
    return vectors


def contrast(queries: Tensor, passages: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """In-batch InfoNCE in both directions over unit vectors; pairs with one key are no negatives of each other."""
    from mdr.training.losses import info_nce

    same = keys[:, None] == keys[None, :]
    same.fill_diagonal_(False)
    return info_nce(queries, passages, temperature=temperature, symmetric=True, masked=same)


def _look_up(table: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Unit vectors of queries and of passages, looked up at once. The sum points where the mean does."""
    import torch
    from torch.nn.functional import embedding_bag, normalize

    tokens = np.concatenate([batch.queries.tokens, batch.passages.tokens])
    offsets = np.concatenate([batch.queries.offsets, batch.passages.offsets + len(batch.queries.tokens)])
    summed = embedding_bag(torch.from_numpy(tokens), table, torch.from_numpy(offsets), mode="sum")
    vectors = normalize(summed, dim=-1)
    return vectors[: len(batch.keys)], vectors[len(batch.keys) :]


def train_static(texts: Texts, settings: StaticSettings, out: Path) -> Iterator[Event]:
    """Learn a vocabulary, then vectors; write a sentence-transformers folder; say how it goes."""
    yield Event("train", "started", f"{len(texts.meanings):,} parallel texts, {len(texts.passages):,} passages")
    tokenizer = learn_vocabulary(texts, settings.pieces, settings.characters, settings.seed)
    pieces = tokenizer.get_vocab_size()
    yield Event("train", "note", f"a vocabulary of {pieces:,} pieces")
    encodings = tokenizer.encode_batch_fast(texts.texts, add_special_tokens=False)
    ids = [np.array(encoding.ids, np.int32) for encoding in encodings]
    del encodings
    vectors = yield from learn_vectors(texts, ids, pieces, settings)
    save(signed(vectors, settings), tokenizer, out)
    yield Event("train", "finished", f"wrote {out}")


def learn_vectors(
    texts: Texts, ids: Sequence[Ids], pieces: int, settings: StaticSettings
) -> Generator[Event, None, Vectors]:
    """The loop: draw a batch of one task, look up, contrast, step. One thread, so that sums keep their order."""
    import torch

    torch.set_num_threads(1)
    sampler = Sampler(texts, ids, settings.seed, dropout=settings.dropout)
    names, odds = zip(*settings.tasks, strict=True)
    plan = np.random.default_rng(settings.seed).choice(names, settings.steps, p=odds)
    table = torch.nn.Parameter(torch.from_numpy(initial_vectors(ids, pieces, settings.dimension, settings.seed)))
    optimizer = torch.optim.Adam([table], lr=settings.learning_rate, fused=True)
    losses: dict[str, float] = {}
    for step, name in enumerate(plan.tolist(), 1):
        done = step / settings.steps
        optimizer.param_groups[0]["lr"] = settings.learning_rate * min(1.0, 20 * done) * (1.0 - done)
        batch: Batch = sampler.tasks[name](settings.batch)
        if len(batch.keys) < 2:  # nothing to tell apart, as where a language has no titles
            continue
        queries, passages = _look_up(table, batch)
        loss = contrast(queries, passages, torch.from_numpy(batch.keys), settings.temperature)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses[name] = 0.95 * losses.get(name, loss.item()) + 0.05 * loss.item()
        if step % 100 == 0 or step == settings.steps:
            said = ", ".join(f"{task} {value:.3f}" for task, value in sorted(losses.items()))
            yield Event("train", "progress", said, step, settings.steps, "steps", {"losses": dict(losses)})
    return table.detach().numpy()


def signed(vectors: Vectors, settings: StaticSettings) -> Vectors:
    """Beside what was learned, a random signature for each piece, in proportion to the length it learned.

    Training moves pieces towards meaning; signatures keep equal words together, rare names above all.
    """
    signs = np.random.default_rng(settings.seed + 1).choice((-1.0, 1.0), (len(vectors), settings.signature))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) * settings.signature_share / settings.signature**0.5
    return np.concatenate([vectors, signs * lengths], axis=1).astype(np.float32)


def save(vectors: Vectors, tokenizer: Tokenizer, out: Path) -> None:
    """A sentence-transformers folder: rows as int8 with a weight each, the layout it shares with model2vec."""
    from safetensors.numpy import save_file

    scale = np.maximum(np.abs(vectors).max(1), 1e-12) / 127
    rows = np.rint(vectors / scale[:, None]).astype(np.int8)
    with disk_errors(out):
        (out / "1_Normalize").mkdir(parents=True, exist_ok=True)
        save_file({"embeddings": rows, "weights": scale.astype(np.float32)}, out / "model.safetensors")
        (out / "model.safetensors").chmod(0o644)
        tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    write_json(out / "modules.json", _MODULES)
    write_json(out / "1_Normalize" / "config.json", {})
    write_json(out / "config_sentence_transformers.json", _CONFIG)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    defaults = StaticSettings()
    parser = argparse.ArgumentParser(prog="mdr.training.static", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with parallel/ and passages/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    for name in ("pieces", "characters", "dimension", "steps", "batch", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name))
    options = vars(parser.parse_args(arguments))
    data, out = options.pop("data"), options.pop("out")
    started = time.monotonic()
    try:
        settings = StaticSettings(**options)
        for event in train_static(read_texts(data, LANGS), settings, out):
            place = f" {event.done:,}/{event.total:,}" if event.total else ""
            sys.stdout.write(f"{time.monotonic() - started:6.0f} s{place} {event.message}\n")
            sys.stdout.flush()
    except MdrError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
