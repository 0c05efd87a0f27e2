"""A stand-in for the hub, and a small model to push there."""

from __future__ import annotations

import fnmatch
import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import huggingface_hub
import pytest

REPO = "someone/tiny"
TOKEN = "hf_not-a-real-one"
FILES = ["1_Normalize/config.json", "README.md", "model.safetensors", "modules.json", "tokenizer.json"]


class Hub:
    """Stands in for `HfApi`: the same calls with the same names; keeps what it was given."""

    made: ClassVar[list[tuple[str, bool]]] = []
    uploaded: ClassVar[dict[str, str]] = {}
    tokens: ClassVar[list[str]] = []
    refusal: ClassVar[Exception | None] = None
    public: ClassVar[bool] = False

    def __init__(self, *, token: str) -> None:
        self.tokens.append(token)

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> None:
        assert (repo_type, exist_ok) == ("model", True)
        if self.refusal:
            raise self.refusal
        self.made.append((repo_id, private))

    def model_info(self, repo_id: str) -> Any:
        return SimpleNamespace(id=repo_id, private=not self.public)

    def upload_folder(
        self, *, repo_id: str, repo_type: str, folder_path: Path, allow_patterns: list[str], commit_message: str
    ) -> Any:
        for path in sorted(path for path in folder_path.rglob("*") if path.is_file()):
            name = path.relative_to(folder_path).as_posix()
            if any(fnmatch.fnmatch(name, pattern) for pattern in allow_patterns):
                self.uploaded[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        assert commit_message
        return SimpleNamespace(commit_url=f"https://hub.example/{repo_id}/commit/1")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> type[Hub]:
    class Fresh(Hub):
        made: ClassVar[list[tuple[str, bool]]] = []
        uploaded: ClassVar[dict[str, str]] = {}
        tokens: ClassVar[list[str]] = []

    monkeypatch.setattr(huggingface_hub, "HfApi", Fresh)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return Fresh


@pytest.fixture
def model(toy_encoder: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(toy_encoder, tmp_path / "model"))
    (folder / "1_Normalize" / "config.json").write_text("{}")
    (folder / "README.md").write_text("# Tiny\n")
    return folder
