"""The file of likelihoods: nothing is computed twice, nothing of other weights is ever used, nothing kept is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mdr.engines import cached_scores
from mdr.engines.cached_generator import CachedGenerator
from mdr.errors import InputError, StorageError
from mdr.ports import Scores
from mdr.settings import ROOT
from mdr.storage.likelihoods import LikelihoodFile, likelihood_key
from mdr.types import Passage, Query

QUERIES = [Query(str(number), "fi", f"Mikä joki {number}?") for number in range(6)]
PASSAGES = [Passage(str(number), "en", "Nile", "The Nile " * number) for number in range(6)]


class Counting:
    """Likelihoods made of lengths, and a count of those that it had to make; stops at `most`."""

    def __init__(self, fingerprint: str = "one", most: int = 10**9) -> None:
        self.fingerprint, self.scored, self.most = fingerprint, 0, most

    def write(self, passages: Sequence[Passage], langs: Sequence[str], *, n: int, seed: int) -> list[list[str]]:
        return [[f"{lang} {seed}"] * n for lang in langs]

    def log_likelihood(self, queries: Sequence[Query], passages: Sequence[Passage]) -> Scores:
        if self.scored + len(queries) > self.most:
            raise KeyboardInterrupt
        self.scored += len(queries)
        pairs = zip(queries, passages, strict=True)
        return np.array([-len(query.text) - len(passage.full_text) / 7 for query, passage in pairs])


def scored(queries: Sequence[Query], passages: Sequence[Passage]) -> Scores:
    return Counting().log_likelihood(queries, passages)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "likelihoods.sqlite"


@pytest.fixture
def file(path: Path) -> Iterator[LikelihoodFile]:
    file = LikelihoodFile(path)
    yield file
    file.close()


def test_what_went_in_comes_out(file: LikelihoodFile) -> None:
    values = {bytes([number % 256, number // 256]): -number / 3 for number in range(1_300)}
    file.put(values)
    assert file.get([*values, b"other"]) == values and len(file) == 1_300
    file.put({b"\x00\x00": -9.0})
    assert file.get([b"\x00\x00"]) == {b"\x00\x00": -9.0} and len(file) == 1_300
    assert file.get([]) == {}


def test_keys_are_of_content_alone() -> None:
    key = likelihood_key("one", QUERIES[0], PASSAGES[1])
    assert key == likelihood_key("one", QUERIES[0]._replace(id="x"), PASSAGES[1]._replace(id="y", lang="th", twin="z"))
    others = [
        likelihood_key("two", QUERIES[0], PASSAGES[1]),
        likelihood_key("one", QUERIES[0]._replace(lang="en"), PASSAGES[1]),
        likelihood_key("one", QUERIES[0]._replace(text="Mikä"), PASSAGES[1]),
        likelihood_key("one", QUERIES[0], PASSAGES[1]._replace(title="")),
        likelihood_key("one", QUERIES[0], PASSAGES[1]._replace(text="\ud800")),
        likelihood_key("one", QUERIES[0]._replace(text="\udfff"), PASSAGES[1]),
    ]
    assert len({key, *others}) == 7


def test_only_what_is_missing_is_computed(path: Path) -> None:
    first = Counting()
    np.testing.assert_array_equal(
        CachedGenerator(first, path).log_likelihood(QUERIES[:3] * 2, PASSAGES[:3] * 2),
        scored(QUERIES[:3] * 2, PASSAGES[:3] * 2),
    )
    assert first.scored == 3  # equal pairs are one
    again = Counting()
    cached = CachedGenerator(again, path)
    np.testing.assert_array_equal(cached.log_likelihood(QUERIES, PASSAGES), scored(QUERIES, PASSAGES))
    assert again.scored == 3
    np.testing.assert_array_equal(
        cached.log_likelihood(QUERIES[::-1], PASSAGES[::-1]), scored(QUERIES[::-1], PASSAGES[::-1])
    )
    assert again.scored == 3


def test_other_weights_never_share(path: Path) -> None:
    for number, fingerprint in enumerate(("one", "two", "one")):
        counting = Counting(fingerprint)
        CachedGenerator(counting, path).log_likelihood(QUERIES, PASSAGES)
        assert counting.scored == (0 if number == 2 else 6)


def test_it_writes_as_the_generator_does(path: Path) -> None:
    cached = CachedGenerator(Counting(), path)
    assert cached.write(PASSAGES[:1], ["fi"], n=2, seed=4) == [["fi 4", "fi 4"]]
    assert cached.fingerprint == "one"
    with pytest.raises(InputError):
        cached.log_likelihood(QUERIES, PASSAGES[:2])


def test_a_run_that_stops_goes_on_where_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached_scores, "_KEPT_AT_ONCE", 2)
    with pytest.raises(KeyboardInterrupt):
        CachedGenerator(Counting(most=5), path).log_likelihood(QUERIES, PASSAGES)
    rest = Counting()
    np.testing.assert_array_equal(
        CachedGenerator(rest, path).log_likelihood(QUERIES, PASSAGES), scored(QUERIES, PASSAGES)
    )
    assert rest.scored == 2


WRITING = """
import sys
from pathlib import Path
from mdr.storage.likelihoods import LikelihoodFile
file = LikelihoodFile(Path(sys.argv[1]))
first, count = int(sys.argv[2]), int(sys.argv[3])
for start in range(first, first + count, 10):
    file.put({number.to_bytes(4): float(number) for number in range(start, start + 10)})
    print(start + 10, flush=True)
"""


def writing(path: Path, first: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITING, str(path), str(first), str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_what_was_put_survives_a_kill(path: Path) -> None:
    process = writing(path, 0, 10_000_000)
    assert process.stdout
    said = 0
    while said < 200:
        said = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    file = LikelihoodFile(path)
    found = file.get([number.to_bytes(4) for number in range(said)])
    assert found == {number.to_bytes(4): float(number) for number in range(said)}
    assert len(file) % 10 == 0  # each put is whole
    file.put({b"more": 1.0})


def test_two_processes_share_a_file(path: Path) -> None:
    processes = [writing(path, first, 500) for first in (0, 250)]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(LikelihoodFile(path)) == 750


def test_threads_share_a_file(file: LikelihoodFile) -> None:
    def work(number: int) -> dict[bytes, float]:
        file.put({bytes([number]): number / 2})
        return file.get([bytes([number])])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(64))) == [{bytes([number]): number / 2} for number in range(64)]


@pytest.mark.parametrize("content", [b"no database " * 400, b"SQLite format 3\x00" + b"\xff" * 5_000])
def test_a_file_of_something_else_is_said(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(StorageError) as caught:
        LikelihoodFile(path)
    assert str(path) in caught.value.problem and caught.value.remedy
    assert path.read_bytes() == content


def test_a_damaged_file_is_said(path: Path) -> None:
    file = LikelihoodFile(path)
    file.put({number.to_bytes(16): float(number) for number in range(5_000)})
    file.close()
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xab" * (len(raw) - 4096)
    path.write_bytes(raw)
    with pytest.raises(StorageError) as caught:
        LikelihoodFile(path).get([number.to_bytes(16) for number in range(5_000)])
    assert caught.value.remedy


def test_a_folder_in_the_files_place_is_said(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StorageError):
        LikelihoodFile(path)


def test_a_full_disk_is_said_and_nothing_half_is_kept(file: LikelihoodFile) -> None:
    file.put({b"first": 1.0})
    pages = file._connection.execute("PRAGMA page_count").fetchone()[0]
    file._connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(StorageError, match="full") as caught:
        file.put({number.to_bytes(16): float(number) for number in range(50_000)})
    assert caught.value.remedy
    assert len(file) == 1
    file._connection.execute("PRAGMA max_page_count = 1000000")
    file.put({b"second": 2.0})
    assert len(file) == 2


def test_a_locked_file_is_waited_for_then_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mdr.storage.likelihoods._PATIENCE", 0.05)
    file = LikelihoodFile(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match="locked"):
        file.put({b"key": 1.0})
    assert file.get([b"key"]) == {}  # reading goes on
    other.execute("ROLLBACK")
    file.put({b"key": 1.0})
    assert len(file) == 1
