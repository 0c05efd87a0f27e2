"""Vectors in a folder: built, killed, continued, opened, damaged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mdr.engines import vector_file, vectors
from mdr.engines.encoder import load_encoder
from mdr.errors import ArtefactError, InputError, MismatchError, ModelError, StorageError
from mdr.ports import Encoder, Matrix
from mdr.storage.files import sha256_file
from mdr.types import Passage, Role


class CountingEncoder:
    """Vectors from the text's length; counts what it is given."""

    fingerprint, dimension = "counting", 3

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, texts: list[str], role: Role) -> Matrix:
        self.encoded += len(texts)
        return np.array([[len(text), text.count("a"), len(texts)] for text in texts], dtype=np.float32).reshape(-1, 3)


def passages(count: int) -> Iterator[Passage]:
    return (Passage(str(number), "en", "A title", "a" * (number % 17)) for number in range(count))


def build(folder: Path, encoder: Encoder, count: int, **options: str) -> list[int]:
    return list(vectors.build(encoder, passages(count), count, folder, **options))


def contents(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in folder.iterdir()}


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_file, "_CHUNK", 10)


def test_built_and_opened(tmp_path: Path, toy_encoder: Path) -> None:
    encoder = load_encoder(str(toy_encoder))
    texts = ["Niili virtaa Kairon läpi.", "Coffee is brewed.", "กาแฟ"]
    found = list(vectors.build(encoder, (Passage(text, "", "", text) for text in texts), 3, tmp_path, dtype="float32"))
    index = vectors.open_index(tmp_path)
    assert found[-1] == len(index) == 3
    assert index.made_by == encoder.fingerprint
    assert index.search(encoder.encode(texts, "query"), 1).positions[:, 0].tolist() == [0, 1, 2]
    assert sorted(contents(tmp_path)) == ["vectors.json", "vectors.npy"]


@pytest.mark.parametrize("factory", ["Flat", "HNSW8"])
def test_faiss_structures_are_saved(tmp_path: Path, factory: str) -> None:
    build(tmp_path, CountingEncoder(), 50, factory=factory)
    index = vectors.open_index(tmp_path)
    assert len(index) == 50 and index.made_by == "counting"
    assert index.search(np.array([[1, 0, 0]], np.float32), 1).positions[0, 0] in (16, 33)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_are_what_the_encoder_says(tmp_path: Path, dtype: str, small_chunks: None) -> None:
    assert build(tmp_path, CountingEncoder(), 33, dtype=dtype) == [10, 20, 30, 33, 33]
    rows = np.load(tmp_path / "vectors.npy")
    assert rows.dtype == dtype and rows.shape == (33, 3)
    assert rows[:, 1].tolist() == [number % 17 for number in range(33)]


def test_no_passages(tmp_path: Path) -> None:
    assert build(tmp_path, CountingEncoder(), 0) == [0]
    assert vectors.open_index(tmp_path).search(np.zeros((1, 3), np.float32), 5).positions.shape == (1, 0)


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_a_closed_build_continues_with_the_same_bytes(tmp_path: Path, chunks: int, small_chunks: None) -> None:
    straight, folder = tmp_path / "straight", tmp_path / "interrupted"
    straight.mkdir()
    folder.mkdir()
    build(straight, CountingEncoder(), 33)
    first = CountingEncoder()
    going = vectors.build(first, passages(33), 33, folder)
    for _ in range(chunks):
        next(going)
    going.close()  # type: ignore[attr-defined]
    second = CountingEncoder()
    build(folder, second, 33)
    assert first.encoded + second.encoded == 33
    assert contents(folder) == contents(straight)


@pytest.mark.slow
def test_a_killed_build_continues_with_the_same_bytes(tmp_path: Path, toy_encoder: Path) -> None:
    """kill -9 at three moments, in a process of its own; then it runs to its end."""
    program = """
import sys
from pathlib import Path
from mdr.engines import vector_file, vectors
from mdr.engines.encoder import load_encoder
from mdr.types import Passage
vector_file._CHUNK = 50
passages = (Passage(str(n), "en", "", f"passage {n} {'coffee ' * (n % 9)}") for n in range(2000))
for done in vectors.build(load_encoder(sys.argv[1]), passages, 2000, Path(sys.argv[2])):
    print(done, flush=True)
"""
    command = [sys.executable, "-c", program, str(toy_encoder)]
    root = Path(__file__).parents[1]
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    straight.mkdir()
    killed.mkdir()
    subprocess.run([*command, str(straight)], check=True, cwd=root, stdout=subprocess.DEVNULL)
    last = 0
    for until in (1, 7, 20):
        process = subprocess.Popen([*command, str(killed)], cwd=root, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        for _ in range(until):
            done = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert done > last, "what was done before was done again"
        last = done
        assert not (killed / "vectors.npy").exists()
    subprocess.run([*command, str(killed)], check=True, cwd=root, stdout=subprocess.DEVNULL)
    assert contents(killed) == contents(straight)


def test_another_plan_starts_anew(tmp_path: Path, small_chunks: None) -> None:
    going = vectors.build(CountingEncoder(), passages(33), 33, tmp_path)
    next(going)
    going.close()  # type: ignore[attr-defined]
    other = CountingEncoder()
    other.fingerprint = "other weights"
    build(tmp_path, other, 33)
    assert other.encoded == 33
    assert vectors.open_index(tmp_path).made_by == "other weights"


@pytest.mark.parametrize("announced", [20, 40])
def test_a_wrong_count_is_said(tmp_path: Path, announced: int, small_chunks: None) -> None:
    with pytest.raises(MismatchError, match=f"{announced} passages were announced"):
        list(vectors.build(CountingEncoder(), passages(33), announced, tmp_path))
    assert not (tmp_path / "vectors.npy").exists()


def test_undefined_vectors_are_refused(tmp_path: Path, small_chunks: None) -> None:
    class Broken(CountingEncoder):
        def encode(self, texts: list[str], role: Role) -> Matrix:
            rows = super().encode(texts, role)
            rows[rows[:, 1] == 13] = np.nan
            return rows

    with pytest.raises(ModelError, match="passage 13 "):
        build(tmp_path, Broken(), 33)


def test_values_too_large_for_fp16_are_refused(tmp_path: Path) -> None:
    class Large(CountingEncoder):
        def encode(self, texts: list[str], role: Role) -> Matrix:
            return super().encode(texts, role) * 1e5

    with pytest.raises(ModelError, match="float16"):
        build(tmp_path, Large(), 33, dtype="float16")


@pytest.mark.parametrize("options", [{"dtype": "int4"}, {"factory": "Nonsense12"}, {"factory": "IVF4096,Flat"}])
def test_bad_options_are_said(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        build(tmp_path, CountingEncoder(), 33, **options)
    assert caught.value.remedy


def test_a_full_disk_is_said_and_then_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_chunks: None
) -> None:
    flushed = []

    def full(stream: object) -> None:
        flushed.append(stream)
        if len(flushed) == 3:
            raise OSError(28, os.strerror(28))

    monkeypatch.setattr(vector_file, "_flush", full)
    encoder = CountingEncoder()
    with pytest.raises(StorageError, match="No space left"):
        build(tmp_path, encoder, 33)
    assert not (tmp_path / "vectors.npy").exists()
    encoder.encoded = 0
    build(tmp_path, encoder, 33)
    assert encoder.encoded == 13


def cut(folder: Path) -> None:
    with (folder / "vectors.npy").open("r+b") as stream:
        stream.truncate(200)


def other_rows(folder: Path) -> None:
    np.save(folder / "vectors.npy", np.zeros((7, 3), np.float32))


def no_facts(folder: Path) -> None:
    (folder / "vectors.json").unlink()


def half_facts(folder: Path) -> None:
    facts = json.loads((folder / "vectors.json").read_text())
    del facts["longest"]
    (folder / "vectors.json").write_text(json.dumps(facts))


@pytest.mark.parametrize("damage", [cut, other_rows, no_facts, half_facts])
def test_a_damaged_folder_is_said(tmp_path: Path, damage: object) -> None:
    build(tmp_path, CountingEncoder(), 33)
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises((ArtefactError, StorageError)) as caught:
        vectors.open_index(tmp_path)
    assert caught.value.remedy


def test_the_fingerprint_follows_the_content(tmp_path: Path) -> None:
    prints = set()
    for number, (count, options) in enumerate(
        [(33, {}), (34, {}), (33, {"dtype": "float16"}), (33, {"factory": "Flat"})]
    ):
        for again in "ab":
            folder = tmp_path / f"{number}{again}"
            folder.mkdir()
            build(folder, CountingEncoder(), count, **options)
            prints.add(vectors.open_index(folder).fingerprint)
    assert len(prints) == 4
