"""Tiny generators in their folders, for tests that load them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import generator_models as tiny
import pytest

from mdr.engines.generator import TransformerGenerator, load_generator
from mdr.types import Query

QUERY = Query("q", "en", "Which river flows through Cairo?")
NILE = tiny.PASSAGES[0]
ASKED = "Passage: {}. Please write a question based on this passage in English."
"""What generators are asked where their folder says nothing."""


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.generator(tmp_path_factory.mktemp("t5"))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.generator(tmp_path_factory.mktemp("gpt2"), "gpt2", vocabulary="bytes")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.generator(tmp_path_factory.mktemp("llama"), "llama", chat_template=tiny.CHAT)


@pytest.fixture
def copy(tmp_path: Path, t5: Path) -> Path:
    return Path(shutil.copytree(t5, tmp_path / "copy"))


def load(folder: Path, **overrides: Any) -> TransformerGenerator:
    """On the CPU, in full precision."""
    found = load_generator(str(folder), device="cpu", precision="float32", overrides=overrides)
    assert isinstance(found, TransformerGenerator)
    return found


def change(path: Path, **values: Any) -> None:
    """Other values in a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
