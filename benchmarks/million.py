"""A million passages of 384 dimensions, encoded and searched within 6 GB of memory, streaming.

Passages are made up as they are read and encoded by a static encoder made on the spot, so that the time is that of
tokenizing, writing and searching. Peak memory is the operating system's figure for this process, file pages included.

    python -m benchmarks.million [--passages 1000000] [--dtype float32] [--limit-gb 6]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from mdr.engines import vectors
from mdr.engines.encoder import load_encoder
from mdr.types import Passage

WORDS = 30_000
DIMENSION = 384


def make_encoder(folder: Path) -> Path:
    """A static encoder over made-up words."""
    tokenizer = Tokenizer(models.WordLevel({f"w{number}": number for number in range(WORDS)}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    rows = np.random.default_rng(0).standard_normal((WORDS, DIMENSION)).astype(np.float16)
    save_file({"embedding.weight": rows}, folder / "model.safetensors")
    (folder / "modules.json").write_text(json.dumps([{"type": "StaticEmbedding", "path": ""}]))
    return folder


def passages(count: int) -> Iterator[Passage]:
    """Passages of 5 to 40 words, one at a time."""
    rng = np.random.default_rng(1)
    for number in range(count):
        words = rng.integers(0, WORDS, rng.integers(5, 41))
        yield Passage(str(number), "en", "", " ".join(f"w{word}" for word in words))


def peak_gb() -> float:
    """The most memory this process had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--passages", type=int, default=1_000_000)
    options.add_argument("--dtype", choices=vectors.DTYPES, default="float32")
    options.add_argument("--limit-gb", type=float, default=6.0)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "index").mkdir()
        encoder = load_encoder(str(make_encoder(folder)))
        start = time.perf_counter()
        source = passages(asked.passages)
        for _ in vectors.build(encoder, source, asked.passages, folder / "index", dtype=asked.dtype):
            pass
        built, building = time.perf_counter() - start, peak_gb()
        start = time.perf_counter()
        index = vectors.open_index(folder / "index", device="cpu")
        opened = time.perf_counter() - start
        texts = [passage.text for passage in passages(1000)]
        queries = encoder.encode(texts, "query")
        assert index.search(queries[:20], 1).positions[:, 0].tolist() == list(range(20)), (
            "a passage is not found by its own text"
        )
        single = []
        for query in queries[:30]:
            start = time.perf_counter()
            index.search(query[None], 100)
            single.append(time.perf_counter() - start)
        import torch  # batches of queries are worth it

        start = time.perf_counter()
        index.search(queries, 100)
        batch = time.perf_counter() - start
        size = sum(path.stat().st_size for path in (folder / "index").iterdir()) / 1e9
    print(
        f"{asked.passages:,} passages, {DIMENSION} dimensions, {asked.dtype}: {size:.2f} GB;"
        f" {torch.get_num_threads()} threads"
    )
    print(
        f"encoded and written in {built:.0f} s ({asked.passages / built:,.0f} passages/s),"
        f" opened in {opened * 1e3:.0f} ms"
    )
    print(f"one query p50 {median(single) * 1e3:.0f} ms, 1,000 queries {batch:.1f} s")
    print(f"peak memory {building:.2f} GB while building, {peak_gb():.2f} GB in all (limit {asked.limit_gb:g} GB)")
    if peak_gb() > asked.limit_gb:
        sys.exit("over the limit")


if __name__ == "__main__":
    main()
