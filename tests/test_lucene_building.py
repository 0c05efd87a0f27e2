"""Building word indexes: continued after a stop, in the order of the passages, refused where something is not whole."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from lucene_indexes import in_another_process, indexed

from mdr.engines import lucene_index
from mdr.engines.analysis import Analyzer
from mdr.engines.lucene import LuceneRetriever, build
from mdr.errors import ArtefactError, MismatchError
from mdr.types import Passage, Query

# -- building -------------------------------------------------------------------------------------------------


@pytest.fixture
def many() -> list[Passage]:
    return [Passage(f"{number:03}", ("en", "th")[number % 2], "", f"river {number}") for number in range(50)]


def test_a_build_that_stopped_continues(
    many: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lucene_index, "_COMMIT_EVERY", 10)
    given: list[str] = []
    indexed_text = Analyzer.indexed
    monkeypatch.setattr(Analyzer, "indexed", lambda self, text: given.append(text) or indexed_text(self, text))

    def failing() -> Iterator[Passage]:
        yield from many[:35]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(build(failing(), tmp_path / "stopped", k1=0.9, b=0.4))
    given.clear()
    resumed = indexed(many, tmp_path / "stopped")
    assert len(given) == 30, "ten passages of each language were committed and must not be analyzed again"

    straight = indexed(many, tmp_path / "straight")
    queries = [Query("", "en", "river 17 18"), Query("", "en", "river")]
    assert resumed.search(queries, 100) == straight.search(queries, 100)
    assert resumed.fingerprint == straight.fingerprint


def test_rows_stay_in_order_over_many_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Lucene finds is looked up by its place: merging must never shuffle."""
    monkeypatch.setattr(lucene_index, "_COMMIT_EVERY", 7)  # each commit ends a segment
    passages = [Passage(f"p{number}", "sw", "", f"neno{number} moja") for number in range(500)]
    retriever = indexed(passages, tmp_path)
    for passage in passages:
        [ranking] = retriever.search([Query("", "sw", passage.text.split()[0])], 5)
        assert [hit.id for hit in ranking] == [passage.id]


def test_a_finished_folder_is_kept_as_it_is(many: list[Passage], tmp_path: Path) -> None:
    first = indexed(many, tmp_path).search([Query("", "en", "river")], 100)
    assert indexed(many, tmp_path).search([Query("", "en", "river")], 100) == first


def test_part_of_another_collection_is_refused(
    many: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lucene_index, "_COMMIT_EVERY", 10)
    indexed(many, tmp_path)
    changed = [passage._replace(text=passage.text + "!") for passage in many]
    with pytest.raises(ArtefactError, match="other passages"):
        list(build(changed, tmp_path, k1=0.9, b=0.4))
    with pytest.raises(ArtefactError, match="other passages"):
        list(build(many[:4], tmp_path, k1=0.9, b=0.4))


def test_an_index_by_another_analyzer_is_made_anew_and_not_read(
    many: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed(many, tmp_path)
    monkeypatch.setattr("mdr.engines.analysis._VERSION", 0)
    with pytest.raises(MismatchError, match="other analyzers"):
        LuceneRetriever(tmp_path).search([Query("", "en", "river")], 1)
    assert len(indexed(many, tmp_path).search([Query("", "en", "river")], 100)[0]) == 50


def test_a_passage_that_lucene_loses_is_noticed(
    many: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = lucene_index._Writer._index
    monkeypatch.setattr(
        lucene_index._Writer, "_index", lambda self, passage, row: row == 3 or index(self, passage, row)
    )
    with pytest.raises(ArtefactError, match="holds 24 of the 25 passages"):
        list(build(many, tmp_path, k1=0.9, b=0.4))


def test_a_folder_being_written_is_not_written_by_another(many: list[Passage], tmp_path: Path) -> None:
    first = build(iter(many * 100), tmp_path, k1=0.9, b=0.4)
    next(first)
    with pytest.raises(ArtefactError, match="being written"):
        list(build(many, tmp_path, k1=0.9, b=0.4))
    first.close()
    indexed(many, tmp_path)


def test_damage_is_said_plainly(many: list[Passage], tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no finished word index"):
        LuceneRetriever(tmp_path)
    indexed(many, tmp_path)
    for file in (tmp_path / "en").glob("_*"):
        file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(ArtefactError, match="cannot be used"):
        LuceneRetriever(tmp_path).search([Query("", "en", "river")], 1)
    (tmp_path / "th" / "ids.json").write_text('{"ids": ["one"]}')
    with pytest.raises(ArtefactError, match="holds 25 passages and lists 1"):
        LuceneRetriever(tmp_path).search([Query("", "en", "river")], 1, langs=["th"])


# -- the JVM --------------------------------------------------------------------------------------------------


def test_a_killed_build_continues(tmp_path: Path) -> None:
    process = in_another_process(
        """
        import sys, time
        from pathlib import Path
        from mdr.engines import lucene_index
        from mdr.types import Passage
        lucene_index._COMMIT_EVERY = 10
        def passages():
            for number in range(25):
                yield Passage(f"{number:03}", "en", "", f"river {number}")
            print("waiting", flush=True)
            time.sleep(60)
        list(lucene_index.build(passages(), Path(sys.argv[1]), k1=0.9, b=0.4))
        """,
        tmp_path,
    )
    assert process.stdout is not None and process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with pytest.raises(ArtefactError):
        LuceneRetriever(tmp_path)
    retriever = indexed([Passage(f"{number:03}", "en", "", f"river {number}") for number in range(30)], tmp_path)
    assert len(retriever.search([Query("", "en", "river")], 100)[0]) == 30
