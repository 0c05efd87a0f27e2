"""What many tests need: a home of their own, a small collection, and a toy encoder made in a moment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mdr.settings import Settings
from mdr.storage.artefacts import ArtefactStore

PASSAGES = [
    ("nile.en", "en", "Nile", "The Nile flows through Cairo to the sea.", "nile"),
    ("nile.fi", "fi", "Niili", "Niili virtaa Kairon läpi mereen.", "nile"),
    ("nile.th", "th", "แม่น้ำไนล์", "แม่น้ำไนล์ไหลผ่านไคโรลงสู่ทะเล", "nile"),
    ("coffee.en", "en", "Coffee", "Coffee is brewed from roasted beans.", "coffee"),
    ("coffee.fi", "fi", "Kahvi", "Kahvi keitetään paahdetuista pavuista.", "coffee"),
    ("coffee.th", "th", "กาแฟ", "กาแฟชงจากเมล็ดคั่ว", "coffee"),
]
QUERIES = [
    ("nile-q.en", "en", "Which river flows through Cairo?"),
    ("nile-q.fi", "fi", "Mikä joki virtaa Kairon läpi?"),
    ("coffee-q.en", "en", "What is coffee made of?"),
    ("coffee-q.th", "th", "กาแฟทำจากอะไร"),
]


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them, and no model hub is asked."""
    for name in [name for name in os.environ if name.startswith("MDR_") and name != "MDR_SHARED_DATA"]:
        monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two topics in three languages, in the project's own format; split `dev`."""
    folder = tmp_path_factory.mktemp("tiny")
    keys = ("id", "lang", "title", "text", "twin")
    _lines(folder / "corpus.jsonl", [json.dumps(dict(zip(keys, row, strict=True))) for row in PASSAGES])
    queries = [json.dumps({"id": id, "lang": lang, "text": text}) for id, lang, text in QUERIES]
    _lines(folder / "queries.dev.jsonl", queries)
    grades = [
        f"{query} 0 {passage} {2 if twin == query.split('-')[0] else 0}"
        for query, *_ in QUERIES
        for passage, *_, twin in PASSAGES
    ]
    _lines(folder / "qrels.dev.tsv", grades)
    return folder


@pytest.fixture(scope="session")
def toy_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static encoder over characters: similar spelling, similar vector."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("toy-encoder")
    characters = sorted({char for row in [*PASSAGES, *QUERIES] for char in row[-2] + row[-1]})
    vocabulary = {char: number for number, char in enumerate(["[UNK]", *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.save(str(folder / "tokenizer.json"))
    rows = np.random.default_rng(7).standard_normal((len(vocabulary), 16)).astype(np.float32)
    save_file({"embedding.weight": rows}, folder / "model.safetensors")
    parts = [("", "StaticEmbedding"), ("1_Normalize", "Normalize")]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for number, (path, kind) in enumerate(parts)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Normalize").mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, tiny: Path, toy_encoder: Path) -> Settings:
    """A home that is new, with the tiny collection as the sample and the toy encoder as the default."""
    return Settings(home=tmp_path / "home", sample=tiny, encoder=str(toy_encoder))


@pytest.fixture
def store(tmp_path: Path) -> ArtefactStore:
    """One that is new; modules about another kind of store have a `store` of their own."""
    return ArtefactStore(tmp_path / "store")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Training on one thread, so that sums come in one order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
