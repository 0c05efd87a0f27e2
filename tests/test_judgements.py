"""Judgements: nothing that was acknowledged is ever lost, a retry counts once, and the current state is right."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import judgement_stores
import pytest

from mdr.errors import InputError, StorageError
from mdr.services.judging.service import JudgingService
from mdr.settings import ROOT
from mdr.storage.judgement_merge import add
from mdr.storage.judgements import JudgementEvent, JudgementStore
from mdr.types import Passage, Query

PASSAGE = Passage("p1", "fi", "Niili", "Niili virtaa.", "nile")
QUERY = Query("q1", "th", "แม่น้ำไนล์")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JudgementStore]:
    store = JudgementStore(tmp_path / "home" / "judgements.duckdb")
    yield store
    store.close()


@pytest.fixture
def judging(store: JudgementStore) -> JudgingService:
    return JudgingService(store)


def event(name: str, grade: int | None = 2, **changes: Any) -> JudgementEvent:
    return judgement_stores.event(name, grade, **{"passage": "p1", "rank": 1, "engine": "hybrid"} | changes)


def test_an_event_comes_back_as_it_went_in(store: JudgementStore) -> None:
    assert store.append(event("e1"))
    assert store.judgements("c") == store.history("c") == [event("e1")]


def test_the_latest_event_of_a_person_counts(store: JudgementStore) -> None:
    for name, grade in (("e1", 3), ("e2", 1), ("e3", None), ("e4", 0)):
        store.append(event(name, grade))
        current = [each.grade for each in store.judgements("c")]
        assert current == ([] if grade is None else [grade])
    assert [each.event for each in store.history("c")] == ["e1", "e2", "e3", "e4"]


def test_people_collections_queries_and_passages_are_apart(store: JudgementStore) -> None:
    changes = ({}, {"annotator": "ben"}, {"collection": "d"}, {"query": "q2"}, {"passage": "p2"})
    for number, change in enumerate(changes):
        store.append(event(f"e{number}", number % 4, **change))
    assert [each.event for each in store.judgements("c")] == ["e0", "e1", "e3", "e4"]
    assert [each.event for each in store.judgements("c", "ben")] == ["e1"]
    assert [each.event for each in store.history("d")] == ["e2"]


def test_a_retry_is_the_same_event(store: JudgementStore) -> None:
    assert store.append(event("e1", 3))
    store.append(event("e2", 1))
    assert not store.append(event("e1", 3))
    assert [each.grade for each in store.judgements("c")] == [1]
    assert store.count() == 2


def test_what_is_committed_together_counts_once_each(store: JudgementStore) -> None:
    store.append(event("e0", 0))
    many = [event(f"e{number}", number % 4, query=f"q{number}") for number in range(1, 21)]
    together = [event("e0", 0), event("e0", 1), many[0], many[0], event("e1", 1, query="q1"), event("e1", 2), *many]
    outcomes = store._transaction(lambda cursor, last: add(cursor, together, last))
    refused = [type(outcome) is InputError for outcome in outcomes]
    assert [outcome for outcome in outcomes[:6] if outcome in (True, False)] == [False, True, False, False]
    assert refused == [False, True, False, False, False, True, *[False] * 20]
    assert outcomes[6:] == [False, *[True] * 19]
    assert [each.event for each in store.history("c")] == [f"e{number}" for number in range(21)]
    assert store.append(event("last")) and store.table()["sequence"].to_pylist() == list(range(1, 23))


@pytest.mark.parametrize(
    "bad", [event("e", 4), event("e", -1), event("e", None, action="grade"), event("e", 1, action="erase")]
)
def test_the_file_itself_refuses_what_is_no_judgement(store: JudgementStore, bad: JudgementEvent) -> None:
    with pytest.raises(StorageError, match="refused"):
        store.append(bad)
    assert store.count() == 0
    assert store.append(event("e"))


@pytest.mark.parametrize("text", ["", "a\x00b", "x" * 100_000, "'; DROP TABLE events; --", "\U0001f600 \u202e ไทย"])
def test_hostile_texts_are_kept_as_they_are(store: JudgementStore, text: str) -> None:
    given = event(f"e{text}", query_text=text, query=text, annotator=text, passage=text)
    store.append(given)
    assert store.judgements("c", text) == [given]


def test_half_a_character_is_refused(store: JudgementStore) -> None:
    with pytest.raises(StorageError, match="surrogate"):
        store.append(event("e", query_text="\ud800"))
    assert store.count() == 0


@pytest.mark.slow
def test_many_threads_lose_nothing(store: JudgementStore) -> None:
    def grade(worker: int) -> int:
        return sum(
            store.append(event(f"{worker}-{number}", number % 4, annotator=f"a{worker}", passage=f"p{number % 20}"))
            and (number % 50 > 0 or len(store.judgements("c", f"a{worker}")) <= 20)
            for number in range(200)
        )

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(grade, range(8))) == [200] * 8
    assert store.count() == 1600
    assert len(store.judgements("c")) == 8 * 20
    history = store.history("c")
    assert len({each.event for each in history}) == 1600
    for worker in range(8):  # in the order they were given
        mine = [each.event for each in history if each.annotator == f"a{worker}"]
        assert mine == [f"{worker}-{number}" for number in range(200)]


def test_the_same_event_from_many_threads_counts_once(store: JudgementStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: store.append(event("e1")), range(64))) == 1
    assert store.count() == 1


# -- processes ----------------------------------------------------------------------------------------------

_WRITER = """
import sys, pathlib
from datetime import UTC, datetime
from mdr.storage.judgements import JudgementEvent, JudgementStore
store = JudgementStore(pathlib.Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 10**6):
    store.append(JudgementEvent(
        event=f"e{number}", happened=datetime.now(UTC), action="grade", annotator="ann", collection="c", query="q",
        query_lang="en", query_text="t", passage=f"p{number}", passage_lang="en", grade=number % 4))
    print(number, flush=True)
"""


def writer(path: Path, start: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), str(start)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "judgements.duckdb"
    acknowledged = -1
    for wanted in (3, 20, 60):
        process = writer(path, acknowledged + 1)
        assert process.stdout is not None
        for _ in range(wanted):
            process.stdout.readline()
        process.kill()
        said = process.communicate()[0].split()
        acknowledged = max([acknowledged + wanted, *map(int, said)])
        store = JudgementStore(path)
        there = {each.event for each in store.history("c")}
        assert {f"e{number}" for number in range(acknowledged + 1)} <= there
        assert len(there) <= acknowledged + 2  # the one that was being written may be there
        acknowledged = len(there) - 1
        store.close()


def test_another_process_gets_a_clear_message(tmp_path: Path) -> None:
    path = tmp_path / "locked" / "judgements.duckdb"  # the message must not be mistaken for the path
    with writer(path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        with pytest.raises(StorageError, match="another process has") as caught:
            JudgementStore(path)
        assert "MDR_HOME" in caught.value.remedy
        process.kill()
    JudgementStore(path).close()


def test_closing_lets_another_process_in_whatever_threads_did(tmp_path: Path) -> None:
    path = tmp_path / "judgements.duckdb"
    store = JudgementStore(path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: store.append(event(f"e{number}")), range(8)))
        store.close()
        with writer(path, 100) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "100\n"
            process.kill()


# -- files that are not ours --------------------------------------------------------------------------------


def test_a_newer_file_is_refused_and_let_go(tmp_path: Path) -> None:
    path = tmp_path / "judgements.duckdb"
    JudgementStore(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO migrations VALUES ('m999_later', now())")
    with pytest.raises(StorageError, match="made by a newer mdr \\(it has m999_later\\)"):
        JudgementStore(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("DELETE FROM migrations WHERE name = 'm999_later'")
    JudgementStore(path).close()


@pytest.mark.parametrize("content", [b"not a database", b"\x00" * 5000, b"x" * 20_000])
def test_a_file_that_is_no_judgement_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "locker" / "judgements.duckdb"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"is not a judgement file|cannot open") as caught:
        JudgementStore(path)
    assert "another process" not in caught.value.problem
    assert path.read_bytes() == content


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "judgements.duckdb").mkdir()
    with pytest.raises(StorageError):
        JudgementStore(tmp_path / "judgements.duckdb")


# -- the service --------------------------------------------------------------------------------------------


def test_grading_and_taking_back(judging: JudgingService) -> None:
    judging.grade("ann", "c", QUERY, PASSAGE, 3, rank=2, engine="bm25")
    assert judging.grades("ann", "c", QUERY) == {"p1": 3}
    assert judging.grades("ben", "c", QUERY) == {}
    judging.grade("ann", "c", QUERY, PASSAGE, None)
    assert judging.grades("ann", "c", QUERY) == {}
    first, second = judging.store.history("c")
    assert (first.rank, first.engine, first.passage_lang, first.query_text) == (2, "bm25", "fi", QUERY.text)
    assert (second.action, second.grade) == ("withdraw", None)


def test_a_retry_of_a_grade_changes_nothing(judging: JudgingService) -> None:
    for grade, name in ((1, "a"), (2, "b"), (1, "a")):
        judging.grade("ann", "c", QUERY, PASSAGE, grade, event=name)
    assert judging.grades("ann", "c", QUERY) == {"p1": 2}


def test_what_people_differ_on_becomes_the_higher_middle(judging: JudgingService) -> None:
    for annotator, grade in (("a", 0), ("b", 3)):
        judging.grade(annotator, "c", QUERY, PASSAGE, grade)
    assert judging.qrels("c") == {"q1": {"p1": 3}}
    judging.grade("d", "c", QUERY, PASSAGE, 1)
    assert judging.qrels("c") == {"q1": {"p1": 1}}
    assert judging.qrels("none") == {}


def test_typed_questions_have_an_id_of_their_own(judging: JudgingService) -> None:
    typed = Query("", "en", "where?")
    record = judging.grade("ann", "c", typed, PASSAGE, 1)
    assert record.query.startswith("typed-")
    assert judging.grades("ann", "c", Query("", "", "where?")) == {"p1": 1}
    assert judging.grades("ann", "c", Query("", "en", "who?")) == {}


@pytest.mark.parametrize("grade", [-1, 4, 1.5, "3", True, [1]])
def test_what_is_no_grade(judging: JudgingService, grade: object) -> None:
    with pytest.raises(InputError, match="is not a grade"):
        judging.grade("ann", "c", QUERY, PASSAGE, grade)  # type: ignore[arg-type]
    assert judging.store.count() == 0


def test_nobody_cannot_judge(judging: JudgingService) -> None:
    with pytest.raises(InputError, match="needs an annotator"):
        judging.grade("", "c", QUERY, PASSAGE, 1)
