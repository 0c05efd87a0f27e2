"""Training pairs as they are written and read again."""

from __future__ import annotations

from pathlib import Path

from mdr.storage.pairs import Pair, Pairs, PairWriter, Scored
from mdr.types import Passage, Query

HOSTILE = "<script>\u202e\x00 ‘“ 漢字"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    kept = Pair(
        Query("q1", "th", HOSTILE), ("a", "b"), ("c",), "mined", 0.5, 2, "intersection", {"dense": {"rank": 1}}
    )
    dropped = Pair(Query("q2", "ar", "?"), (), rule="no agreement")
    listed = Scored(Query("q3", "en", "x"), ("a", "c"), (-0.1, -2.0), {"teacher": "t"})
    passages = [Passage("a", "th", "", HOSTILE), Passage("b", "th", "t", "x"), Passage("c", "en", "", "y", "twin")]
    with PairWriter(tmp_path) as writer:
        writer.add(kept)
        writer.drop(dropped)
        writer.score(listed)
        writer.passages([*passages, passages[0]])
        assert writer.counts == {"pairs": 1, "dropped": 1, "lists": 1, "passages": 3}
    found = Pairs(tmp_path)
    assert (list(found), list(found.dropped()), list(found.lists())) == ([kept], [dropped], [listed])
    assert len(found) == 1
    assert list(found.passages.values()) == passages


def test_empty_tables_are_read_as_empty(tmp_path: Path) -> None:
    with PairWriter(tmp_path):
        pass
    found = Pairs(tmp_path)
    assert not len(found) and not list(found) and not list(found.dropped()) and not list(found.lists())
    assert found.passages == {}
