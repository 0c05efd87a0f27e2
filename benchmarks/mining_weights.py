"""Two checkpoints saved under one name, one after the other: how many queries get other negatives from the second.

In self-training each round's model may lie where the last one's did; whoever keeps vectors by the model's name mines
every round with the first. Beside us: sentence-transformers' `mine_hard_negatives` with and without its `cache_folder`.

    python -m benchmarks.mining_weights
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.mining import NAME, NEGATIVES, Negatives, Task, peer_negatives
from mdr.core.mining import DENSE
from mdr.pipeline import Recipe, Step
from mdr.recipes.baselines import indexes
from mdr.settings import Settings
from mdr.storage.artefacts import Artefact
from mdr.storage.pairs import Pairs
from mdr.workbench import Workbench


def checkpoint(folder: Path, seed: int) -> None:
    """A static model with random weights over words, saved where the one before was."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {"[UNK]": 0} | {f"w{number}": number + 1 for number in range(200)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = np.random.default_rng(seed).standard_normal((len(words), 32)).astype(np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, weights), Normalize()]).save(str(folder))


def main(folder: Path) -> None:
    """How many queries get other negatives when the weights change and the name does not."""
    from sentence_transformers import SentenceTransformer

    random = np.random.default_rng(5)
    texts = [" ".join(f"w{word}" for word in random.integers(0, 200, 8)) for _ in range(600)]
    queries, passages = texts[:100], texts[100:]
    task = Task(folder / "store", queries, passages, np.zeros((len(texts), 1), dtype=np.float32))
    told = {query: (passages[at],) for at, query in enumerate(queries)}
    modes: dict[str, list[Negatives]] = {"mdr": [], "peer": [], "peer with cache_folder": []}
    for seed in (0, 1):
        checkpoint(folder / NAME, seed)
        model = SentenceTransformer(str(folder / NAME), device="cpu")
        for mode, options in (("peer", {}), ("peer with cache_folder", {"cache_folder": str(folder / "cache")})):
            modes[mode].append(peer_negatives(model, passages, told, **options))
        modes["mdr"].append(_by_recipe(folder, task))
    for mode, (first, second) in modes.items():
        both = first.keys() & second.keys()
        print(f"  {mode:<24}{sum(first[query] != second[query] for query in both):>5} of {len(both)} queries differ")
    assert any(modes["mdr"][0][query] != its for query, its in modes["mdr"][1].items())


def _by_recipe(folder: Path, task: Task) -> Negatives:
    """Index and mine with the encoder of the name, in the same store both times."""
    workbench = Workbench(Settings(home=folder))
    settings = {"rule": "dense", "sampling": "hardest", "negatives": NEGATIVES, "relative_margin": None}
    mining = Step("pairs", "mine", settings, {"collection": "collection", DENSE: DENSE})
    run = workbench.run(Recipe("two", (indexes(str(folder / NAME))[1], mining)), None, {"collection": task.given})
    while True:
        try:
            next(run)
        except StopIteration as stop:
            made: dict[str, Artefact] = stop.value
            return {pair.query.text: pair.negatives for pair in Pairs(made["pairs"].folder)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
