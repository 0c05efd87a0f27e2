"""Encoding 2,000 texts of mixed length: mdr beside sentence-transformers' `encode` with its defaults, same folder.

Two models, made on the spot: a transformer of MiniLM-L12's shape with random weights (speed does not depend on the
values) and a static one of 50,000 rows. Parity comes first: each of our vectors has a cosine of at least 0.99 to
theirs, and single queries, which stay in fp32, of at least 0.9999. Then the two take turns; medians are compared.

    python -m benchmarks.encode [--texts 2000] [--repeats 3] [--threads 2]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, StaticEmbedding, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from mdr.engines.encoder import load_encoder

VOCABULARY = 20_000


def make_texts(count: int, seed: int) -> list[str]:
    """Texts of made-up words whose lengths are spread as passages' are: median 60 words, some of 3, some of 400."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("aeioubcdfghklmnprstv"))
    words = np.array(["".join(rng.choice(letters, size)) for size in rng.integers(2, 10, 5000)])
    lengths = np.clip(rng.lognormal(np.log(60), 0.8, count).astype(int), 3, 400)
    return [" ".join(words[rng.zipf(1.3, length) % len(words)]) for length in lengths]


def make_tokenizer(texts: list[str]) -> Tokenizer:
    """WordPiece, trained on the texts."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def make_transformer(folder: Path, tokenizer: Tokenizer) -> Path:
    """12 layers, 384 wide, mean pooling, normalised, 256 tokens."""
    torch.manual_seed(0)
    shape = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 1536}
    network = BertModel(BertConfig(vocab_size=VOCABULARY, **shape))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    network.save_pretrained(folder / "plain")
    fast.save_pretrained(folder / "plain")
    body = Transformer(str(folder / "plain"), max_seq_length=256)
    SentenceTransformer(modules=[body, Pooling(384, "mean"), Normalize()]).save(str(folder / "transformer"))
    return folder / "transformer"


def make_static(folder: Path, tokenizer: Tokenizer) -> Path:
    """256 wide, normalised."""
    torch.manual_seed(0)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=256), Normalize()])
    model.save(str(folder / "static"))
    return folder / "static"


def compare(name: str, folder: Path, texts: list[str], queries: list[str], repeats: int, threads: int) -> None:
    """Parity, then turns."""
    ours = load_encoder(str(folder), device="cpu", threads=threads)
    theirs = SentenceTransformer(str(folder), device="cpu")
    check(ours.encode(texts, "passage"), theirs.encode(texts), 0.99)
    for query in queries[:20]:
        check(ours.encode([query], "query"), theirs.encode([query]), 0.9999)
    jobs = {
        f"{len(texts):,} texts": (lambda: ours.encode(texts, "passage"), lambda: theirs.encode(texts), repeats),
        "one query": (lambda: ours.encode(queries[:1], "query"), lambda: theirs.encode(queries[:1]), 20),
        f"{len(queries):,} queries": (lambda: ours.encode(queries, "query"), lambda: theirs.encode(queries), repeats),
    }
    for job, (our_job, their_job, times) in jobs.items():
        mine, peer = turns(our_job, their_job, times)
        print(f"{name:12} {job:14} {mine * 1e3:10.1f} ms {peer * 1e3:10.1f} ms {peer / mine:6.2f}x")


def check(ours: np.ndarray, theirs: np.ndarray, least: float) -> None:
    """Fails where a text's two vectors differ."""
    cosines = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosines.min() >= least, f"cosine {cosines.min():.5f}, expected {least}"


def turns(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median seconds of each, taken in turns."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for job, seconds in zip((ours, theirs), spent, strict=True):
            start = time.perf_counter()
            job()
            seconds.append(time.perf_counter() - start)
    return median(spent[0]), median(spent[1])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--texts", type=int, default=2000)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    texts = make_texts(asked.texts, 0)
    queries = [" ".join(text.split()[:8]) for text in make_texts(1000, 1)]
    tokenizer = make_tokenizer(texts)
    print(f"{asked.threads} threads, load {os.getloadavg()[0]:.1f}")
    print(f"{'model':12} {'job':14} {'mdr':>13} {'peer':>13} {'faster':>7}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        compare("transformer", make_transformer(folder, tokenizer), texts, queries, asked.repeats, asked.threads)
        compare("static", make_static(folder, tokenizer), texts, queries, asked.repeats, asked.threads)


if __name__ == "__main__":
    main()
