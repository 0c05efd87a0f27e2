"""A static model as a sentence-transformers folder: a row per token as int8, with a weight each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mdr.ports import Matrix
from mdr.storage.files import disk_errors, write_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

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


def save_static(vectors: Matrix, tokenizer: Tokenizer, folder: Path, *, damped: bool = False) -> None:
    """The layout that sentence-transformers shares with model2vec. `damped` repeats are this project's alone: read by
    others, a token that comes twice counts twice."""
    from safetensors.numpy import save_file

    scale = np.maximum(np.abs(vectors).max(1), 1e-12) / 127
    rows = np.rint(vectors / scale[:, None]).astype(np.int8)
    with disk_errors(folder):
        (folder / "1_Normalize").mkdir(parents=True, exist_ok=True)
        save_file({"embeddings": rows, "weights": scale.astype(np.float32)}, folder / "model.safetensors")
        (folder / "model.safetensors").chmod(0o644)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    write_json(folder / "modules.json", _MODULES)
    write_json(folder / "1_Normalize" / "config.json", {})
    write_json(folder / "config_sentence_transformers.json", _CONFIG)
    if damped:
        write_json(folder / "mdr.json", {"damped": True})
