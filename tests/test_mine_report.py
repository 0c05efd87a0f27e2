"""The report of mining counts what the pairs say; on the sample, agreement of both indexes is right most often."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streams import ended
from toy_indexes import LANGS, passages
from toy_mining import given, mine

from mdr.core.mining import NO_AGREEMENT, NO_PASSAGES
from mdr.errors import MismatchError
from mdr.pipeline import Recipe, Step
from mdr.recipes.baselines import indexes, prepare
from mdr.services.training_data.reports import load, markdown
from mdr.settings import ROOT, Settings
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import Collection
from mdr.storage.pairs import Pairs
from mdr.workbench import Workbench

__all__ = ["given"]  # fixtures


def test_the_report_counts_what_the_pairs_say(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    made, _ = mine(store, given, rule="union", positives_per_query=2)
    report, pairs = load(made), list(Pairs(made.folder))
    twin_of = {f"twin-{row[0]}": row[0] for row in passages()}
    for lang in LANGS:
        section, its = report["languages"][lang], [pair for pair in pairs if pair.query.lang == lang]
        assert section["pairs"] == len(its)
        assert section["negatives"] == sum(len(pair.negatives) for pair in its)
        assert section["short"] == sum(len(pair.negatives) < 4 for pair in its)
        assert section["candidates"] == sum(pair.evidence["candidates"] for pair in its)
        assert sum(section["admitted"].values()) == section["positives"] == sum(len(pair.positives) for pair in its)
        shares, wrong = [], []
        for pair in its:
            gold = pair.query.id.replace("q", "p")
            if pair.query.id[0] == "q" and int(pair.query.id[1:3]) % 2 == 0:
                shares.append(np.mean([twin_of.get(id, id) == gold for id in pair.positives]))
                wrong.append(np.mean([twin_of.get(id, id) == gold for id in pair.negatives]))
        precision, false = section["precision"], section["false_negatives"]
        assert precision["mean"] == pytest.approx(np.mean(shares)) and precision["queries"] == len(shares)
        assert 0 <= precision["low"] < precision["mean"] < precision["high"] <= 1
        assert false["mean"] == pytest.approx(np.mean(wrong))
        scores = [proof["dense"]["score"] for pair in its for proof in pair.evidence["positives"]]
        histogram = section["histograms"]["dense score of positives"]
        assert sum(histogram["counts"]) == len(scores)
        assert histogram["edges"][0] == min(scores) and histogram["edges"][-1] == max(scores)
        assert histogram["median"] == pytest.approx(np.median(scores))
    assert report["graded"] == 60  # an answer in another language, or that is not there, cannot be found
    assert report["languages"]["th"]["dropped"] == {NO_PASSAGES: 1}
    assert report["all"]["queries"] == made.manifest.counts["queries"]


def test_parallel_queries_do_not_make_the_report_surer(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    """p2.en, p2.fi and p2.sw say the same: the interval of all languages is as wide as that of 20 questions."""
    report = load(mine(store, given, rule="dense")[0])
    widths = {
        name: its["precision"]["high"] - its["precision"]["low"]
        for name, its in {**report["languages"], "all": report["all"]}.items()
        if its["precision"]
    }
    assert widths["all"] > 0.7 * min(widths[lang] for lang in LANGS)


def test_the_report_as_a_page(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    page = markdown(load(mine(store, given)[0]))
    for part in ("round 0: intersection", "| fi | 41 |", "precision of positives", NO_AGREEMENT, "encoder: `toy 0`"):
        assert part in page
    lines = page.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("|---"):  # every table has as many cells in each row
            columns = line.count("|")
            assert lines[number - 1].count("|") == lines[number + 1].count("|") == columns
    with pytest.raises(MismatchError, match="made by stage toy"):
        load(given["collection"])


@pytest.mark.slow
def test_the_sample_with_the_shipped_encoder(tmp_path: Path) -> None:
    """On real indexes, agreement of both is right more often than either alone."""
    workbench = Workbench(Settings(home=tmp_path / "home"))
    steps = [prepare("folder", str(ROOT / "data" / "sample")), *indexes()]
    slots = {"collection": "collection", "lexical": "lexical", "dense": "dense"}
    rules = ("intersection", "lexical", "dense")
    settings = {"langs": ["fi", "sw", "th"], "k_positive": 1}
    steps += [Step(f"by {rule}", "mine", {"rule": rule, **settings}, slots) for rule in rules]
    made, _ = ended(workbench.run(Recipe("sample", tuple(steps))))
    precision = {rule: load(made[f"by {rule}"])["all"]["precision"]["mean"] for rule in rules}
    assert precision["intersection"] > max(precision["lexical"], precision["dense"])
    collection = Collection(made["collection"].folder)
    for pair in Pairs(made["by intersection"].folder):
        assert len(pair.negatives) == 7
        assert {collection.lang_of(id) for id in (*pair.positives, *pair.negatives)} == {pair.query.lang}
