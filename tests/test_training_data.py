"""Browsing what steps wrote for training: filters, order, pages, and every use of a passage or question."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pair_data import Made

from mdr.errors import InputError, MissingError
from mdr.services.training_data.browsing import Taught, TrainingData
from mdr.services.training_data.rows import PairRef, score_of
from mdr.storage import tables
from mdr.storage.pair_browser import PAIR_TABLES, PairBrowser, PairFilter
from mdr.storage.pairs import Pair, Pairs, PairWriter, Scored
from mdr.types import Passage, Query


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("pairs"))


def brute(folder: Path, table: str) -> list[Pair | Scored]:
    pairs = Pairs(folder)
    return list({"kept": lambda: pairs, "dropped": pairs.dropped, "lists": pairs.lists}[table]())


# -- places -----------------------------------------------------------------------------------------------


def test_every_row_reads_as_it_was_written(made: Made) -> None:
    for artefact in (made.mined, made.written, made.scored):
        browser = PairBrowser(artefact.folder)
        for table in PAIR_TABLES:
            rows = [browser.at(table, row) for row in range(browser.count(table))]
            assert rows == brute(artefact.folder, table)
        assert browser.passages(["p00.en", "nowhere"]).keys() <= {"p00.en"}
        with pytest.raises(MissingError, match="no row 9,999"):
            browser.at("kept", 9_999)


@pytest.mark.parametrize("seed", range(4))
def test_filters_choose_what_reading_everything_would(made: Made, seed: int) -> None:
    random = np.random.default_rng(seed)
    for artefact in (made.mined, made.written, made.scored):
        browser = PairBrowser(artefact.folder)
        for table in PAIR_TABLES:
            rows = brute(artefact.folder, table)
            if not rows:
                continue
            one: Any = rows[int(random.integers(len(rows)))]
            for wanted in (
                PairFilter(lang=one.query.lang),
                PairFilter(query=one.query.id),
                PairFilter(query=one.query.text),
                PairFilter(text=one.query.text[2:5].upper()),
                PairFilter(passage=[*_named(one), "p00.en"][0], lang="fi"),
                PairFilter(rule=getattr(one, "rule", "x")),
                PairFilter(round=7),
            ):
                fitting = [at for at, its in enumerate(rows) if _fits(its, wanted)]
                assert browser.rows(table, wanted).tolist() == fitting


def _named(its: Any) -> list[str]:
    return list(its.candidates) if isinstance(its, Scored) else [*its.positives, *its.negatives]


def _fits(its: Any, wanted: PairFilter) -> bool:
    return (
        wanted.lang in ("", its.query.lang)
        and wanted.query in ("", its.query.id, its.query.text)
        and wanted.text.lower() in its.query.text.lower()
        and (not wanted.passage or wanted.passage in _named(its))
        and wanted.rule in ("", getattr(its, "rule", None))
        and wanted.round in (None, getattr(its, "round", None))
    )


def test_facets_count_what_is_there(made: Made) -> None:
    browser = PairBrowser(made.mined.folder)
    for table in ("kept", "dropped"):
        rows = brute(made.mined.folder, table)
        facets = browser.facets(table)  # type: ignore[arg-type]
        assert facets["lang"] == Counter(its.query.lang for its in rows)
        assert facets["rule"] == Counter(its.rule for its in rows if isinstance(its, Pair))
        assert facets["round"] == {1: len(rows)} and facets["origin"] == {"mined": len(rows)}


def test_places_hold_across_the_batches_of_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH", 3)
    with PairWriter(tmp_path) as writer:
        for number in range(10):
            writer.add(Pair(Query(f"q{number}", "en", "same"), (f"p{number}",), ("p0",) if number else ()))
        writer.passages(Passage(f"p{number}", "en", "", "text") for number in range(10))
    browser = PairBrowser(tmp_path)
    assert {role: rows.tolist() for role, rows in browser.naming("kept", "p0").items()} == {
        "positive": [0],
        "negative": list(range(1, 10)),
    }
    assert browser.rows("kept", PairFilter(passage="p7")).tolist() == [7]
    assert browser.at("kept", 7) == list(Pairs(tmp_path))[7]


# -- pages ------------------------------------------------------------------------------------------------


def test_pages_follow_each_other_and_orders_go_by_score(made: Made) -> None:
    source = made.data.source(made.mined.key)
    pages = [made.data.page(source, "kept", page=page, size=7) for page in range(1, 30)]
    seen = [str(row.ref) for page in pages[: pages[0].pages] for row in page.rows]
    assert len(seen) == len(set(seen)) == pages[0].total == made.data.counts(source)["kept"]
    assert pages[28].page == pages[28].pages
    for order, sign in (("lowest", 1), ("highest", -1)):
        page = made.data.page(source, "kept", order=order, size=100)  # type: ignore[arg-type]
        scores = [row.score for row in page.rows]
        assert None not in scores and scores == sorted(scores, key=lambda score: sign * score)
    middle = sorted(scores)[len(scores) // 2]
    above = made.data.page(source, "kept", low=middle, size=100)
    assert above.total == sum(score >= middle for score in scores)
    assert all(row.answers[0] in row.texts for row in above.rows)


def test_a_score_is_what_its_stage_makes_of_it(made: Made) -> None:
    written = made.data.page(made.data.source(made.written.key), "kept", size=100)
    assert all(row.score == row.found.evidence["percentile"] for row in written.rows)
    lists = made.data.page(made.data.source(made.scored.key), "lists", order="highest", size=5)
    assert [row.score for row in lists.rows] == sorted((max(row.found.scores) for row in lists.rows), reverse=True)  # type: ignore[union-attr]
    assert score_of({"positives": [{"lexical": {"score": 2.0}}]}) == 2.0 and score_of({}) is None
    dropped = made.data.page(made.data.source(made.written.key), "dropped", order="lowest", size=100)
    known = [row.score is not None for row in dropped.rows]
    assert known == sorted(known, reverse=True)  # what has no score comes last


@pytest.mark.parametrize("page", [-5, 0, 10**9])
def test_a_page_that_is_not_there_is_the_nearest(made: Made, page: int) -> None:
    found = made.data.page(made.data.source(made.mined.key), page=page, size=10)
    assert found.rows and found.page in (1, found.pages)


@pytest.mark.parametrize("asked", [{"table": "x"}, {"order": "x"}, {"size": 0}, {"size": 10**6}])
def test_what_cannot_be_asked_is_refused(made: Made, asked: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        made.data.page(made.data.source(made.mined.key), **asked)


def test_hostile_filters_find_nothing(made: Made) -> None:
    source = made.data.source(made.mined.key)
    for text in ("\x00", "%", ".*", "x" * 100_000, "' OR 1=1", "\u202e", "\ud800"):
        for wanted in (PairFilter(text=text), PairFilter(passage=text), PairFilter(query=text), PairFilter(lang=text)):
            assert made.data.page(source, "kept", wanted).total == 0


# -- sources ----------------------------------------------------------------------------------------------


def test_sources_say_who_made_them(made: Made) -> None:
    sources = {source.key: source for source in made.data.sources()}
    assert sources.keys() == {made.mined.key, made.written.key, made.scored.key}
    mined = sources[made.mined.key]
    assert [tuple(called) for called in mined.called] == [("round-1", "mined")]
    assert (mined.stage, mined.round) == ("mine", 1)
    report = made.data.report(mined)
    assert report and report["all"]["pairs"] == made.data.counts(mined)["kept"]
    assert made.data.source(made.mined.manifest.recipe[:8]).key == made.mined.key
    with pytest.raises(MissingError):
        made.data.source("pairs/0000")
    with pytest.raises(MissingError, match="holds no pairs"):
        made.data.source(made.model.key)


def test_a_damaged_artefact_hides_no_other(made: Made, tmp_path: Path) -> None:
    fresh = Made(tmp_path)
    (fresh.written.folder / "manifest.json").write_text("{")
    assert {source.key for source in TrainingData(fresh.store).sources()} == {fresh.mined.key, fresh.scored.key}
    assert fresh.data.lineage().damaged == [fresh.written.key]


def test_every_use_of_a_passage_is_found_with_the_models_that_learned(made: Made) -> None:
    pair = next(iter(Pairs(made.mined.folder)))
    [positive] = pair.positives
    mentions = {its.source.key: its for its in made.data.mentions(passage=positive)}
    roles = mentions[made.mined.key].roles
    rows = brute(made.mined.folder, "kept")
    assert roles["kept", "positive"] == sum(positive in its.positives for its in rows if isinstance(its, Pair))
    assert [model.key for model, _ in mentions[made.mined.key].models] == [made.model.key]
    assert [tuple(its) for its in mentions[made.mined.key].models[0][1]] == [("round-1", "model")]
    asked = made.data.mentions(query=pair.query.text)
    assert {its.source.key for its in asked} >= {made.mined.key, made.scored.key}
    assert made.data.mentions(passage="nowhere") == []
    with pytest.raises(InputError, match="nothing to look for"):
        made.data.mentions()


WRONG = ["", "x", "a/kept/-1", "a/kept/1.5", "a/kept/٣", "/kept/1", "a/b/1", f"a/kept/{'9' * 30}"]


@pytest.mark.parametrize("text", WRONG)
def test_what_names_no_pair_says_how_one_is_named(text: str) -> None:
    with pytest.raises(InputError, match="does not name a pair"):
        PairRef.parse(text)


def test_references_read_as_they_are_written() -> None:
    ref = PairRef("0249d08437cfea2325e0", "dropped", 12)
    assert PairRef.parse(str(ref)) == PairRef.parse(f" pairs/{ref} ") == ref


def test_passages_are_counted_with_what_taught_them(made: Made) -> None:
    rows: Counter[str] = Counter()
    learned: Counter[str] = Counter()
    for artefact in (made.mined, made.written, made.scored):
        for row in (*brute(artefact.folder, "kept"), *brute(artefact.folder, "lists")):
            ids = row.candidates if isinstance(row, Scored) else (*row.positives, *row.negatives)
            rows.update(set(ids))
            if artefact is not made.written:  # no model took it in
                learned.update(set(ids))
    asked = [*rows, "nowhere", "\ud800", ""]
    assert made.data.taught(asked) == {id: Taught(rows[id], learned[id]) for id in rows}
    assert min(learned[id] for id in rows) < max(learned.values())
    assert made.data.taught([]) == {}
