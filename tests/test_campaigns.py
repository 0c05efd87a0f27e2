"""Campaigns as plain values: pools, the order of drawing and its probabilities, who judges what, and their files."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdr.core.campaigns import (
    Campaign,
    Rules,
    arranged,
    disagreement,
    inclusions,
    pool,
    returns_after,
    takers,
    within,
)
from mdr.errors import InputError, MissingError, StorageError
from mdr.storage.campaigns import CampaignFiles
from mdr.types import Hit, Query

WORDS = {"q1": [Hit("a", 3.0), Hit("b", 2.0), Hit("c", 1.0)], "q2": [Hit("d", 1.0)]}
MEANING = {"q1": [Hit("a", 0.9), Hit("d", 0.8), Hit("b", 0.7)]}


def campaign(rules: Rules, size: int = 60) -> Campaign:
    """Two runs that agree on the even passages and not on the odd ones."""
    ranks = [{"words": n + 1} | ({} if n % 2 else {"meaning": n + 1}) for n in range(size)]
    found = {("q", f"p{n:02}"): its for n, its in enumerate(ranks)}
    items = arranged(found, {passage: "en" for _, passage in found}, 2, rules)
    return Campaign("c", "C", "sample", ("en",), {0: "no", 1: "yes"}, rules, {"q": Query("q", "en", "?")}, items)


def test_a_pool_is_what_any_run_has_down_to_a_depth_with_all_ranks() -> None:
    found = pool({"words": WORDS, "meaning": MEANING}, 2)
    assert found == {
        ("q1", "a"): {"words": 1, "meaning": 1},
        ("q1", "b"): {"words": 2},
        ("q2", "d"): {"words": 1},
        ("q1", "d"): {"meaning": 2},
    }
    with pytest.raises(InputError, match="depth 0"):
        pool({"words": WORDS}, 0)


def test_disagreement_is_what_a_grade_can_move_between_two_runs() -> None:
    assert disagreement({"a": 1, "b": 1}, 2) == 0
    assert disagreement({"a": 1}, 2) == 1
    assert disagreement({"a": 1, "b": 3}, 2) == pytest.approx(0.5)
    assert disagreement({"a": 3}, 2) < disagreement({"a": 2}, 2)
    assert disagreement({}, 0) == 0


@pytest.mark.parametrize("order", ["random", "disagreement"])
def test_the_order_depends_on_the_seed_alone(order: str) -> None:
    first, again, other = (campaign(Rules(order=order, seed=seed)).items for seed in (1, 1, 2))
    assert first == again and first != other
    assert sorted(first, key=str) != list(first)
    assert sum(item.weight for item in first) == pytest.approx(1)


def test_what_runs_disagree_on_comes_first_and_the_rest_has_its_share() -> None:
    rules = Rules(order="disagreement", random_share=0.3, budget=20, overlap=0)
    early: Counter[int] = Counter()
    for seed in range(200):
        early.update(int(item.passage[1:]) % 2 for item in campaign(replace(rules, seed=seed)).items[:20])
    assert early[1] > 2 * early[0] > 0
    even = [item for item in campaign(rules).items if int(item.passage[1:]) % 2 == 0]
    assert all(item.weight == pytest.approx(0.3 / 60) for item in even)


@pytest.mark.parametrize("order", ["random", "disagreement"])
@pytest.mark.parametrize("count", [7, 30, 60])
def test_sums_weighted_by_inclusion_are_right_on_average(order: str, count: int) -> None:
    """Over many seeds the weighted count of all items, and of a kind of them, is what the pool has."""
    total, odd, seeds = [], [], 600
    for seed in range(seeds):
        drawn = campaign(Rules(order=order, seed=seed, random_share=0.3))
        chances = inclusions(drawn, count)
        assert len(chances) == count and all(0 < chance <= 1 for chance in chances)
        weights = [1 / chance for chance in chances]
        total.append(sum(weights))
        odd.append(sum(w for w, item in zip(weights, drawn.items, strict=False) if int(item.passage[1:]) % 2))
    for values, truth in ((total, 60), (odd, 30)):
        error = np.std(values) / np.sqrt(seeds)
        assert abs(np.mean(values) - truth) < 4 * error + 1e-9


def test_a_budget_counts_both_judges_of_an_item() -> None:
    rules = Rules(overlap=1.0, budget=11)
    assert within(campaign(rules).items, 11) == 5
    assert campaign(rules).drawn == 5 and campaign(Rules(overlap=0, budget=11)).drawn == 11
    assert campaign(Rules(budget=0)).drawn == 60 and campaign(Rules(budget=10_000)).drawn == 60
    assert inclusions(campaign(Rules(overlap=0, budget=15))) == [0.25] * 15


def test_each_item_has_its_judges_whoever_asks() -> None:
    items = campaign(Rules(overlap=0.5)).items
    people = ["ann", "bob", "cleo"]
    shares: Counter[str] = Counter()
    for item in items:
        chosen = takers(item, people, 0)
        assert chosen == takers(item, people[::-1], 0) and len(chosen) == item.judges == len(set(chosen))
        shares.update(chosen)
    assert min(shares.values()) > 0.5 * max(shares.values())
    # Whoever joins takes items over; nothing moves between those who were there.
    for item in items:
        assert set(takers(item, [*people, "dora"], 0)) - {"dora"} <= set(takers(item, people, 0))
    assert {item.judges for item in arranged({("q", "a"): {}}, {"a": "en"}, 0, Rules(overlap=1.0), people=1)} == {1}


def test_some_items_come_again_after_a_while() -> None:
    items = campaign(Rules()).items
    gaps = [returns_after(item, "ann", Rules(repeats=0.5)) for item in items]
    again = [gap for gap in gaps if gap is not None]
    assert 15 < len(again) < 45 and min(again) >= 12 and max(again) <= 30
    assert all(returns_after(item, "ann", Rules(repeats=0)) is None for item in items)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"order": "best"}, "no order"),
        ({"random_share": 0.0}, "random share"),
        ({"overlap": 1.5}, "overlap"),
        ({"repeats": -0.1}, "repeats"),
        ({"overlap": float("nan")}, "overlap"),
        ({"budget": -1}, "budget"),
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Rules(**wrong)  # type: ignore[arg-type]


@given(st.dictionaries(st.text(max_size=3), st.lists(st.text(max_size=3), unique=True, max_size=4), max_size=4))
def test_no_ids_break_it(rankings: dict[str, list[str]]) -> None:
    found = pool({"run": {query: [Hit(id, 0.0) for id in ids] for query, ids in rankings.items()}}, 3)
    items = arranged(found, {passage: "en" for _, passage in found}, 1, Rules())
    assert {(item.query, item.passage) for item in items} == set(found)


# -- files --------------------------------------------------------------------------------------------------


def test_a_campaign_comes_back_as_it_was_and_its_id_names_its_content(tmp_path: Path) -> None:
    made = CampaignFiles(tmp_path).add(replace(campaign(Rules(budget=9)), name="Frühling <b>"))
    files = CampaignFiles(tmp_path)
    assert files.ids() == [made.id] and made.id.startswith("fr-hling-b-")
    assert files.get(made.id) == made and files.get(made.id).items == made.items
    with pytest.raises(InputError, match="there already"):
        files.add(replace(made, id=""))
    assert files.add(replace(made, id="", guidelines="other")).id != made.id


def test_closing_and_opening(tmp_path: Path) -> None:
    made = CampaignFiles(tmp_path).add(campaign(Rules()))
    files = CampaignFiles(tmp_path)
    assert files.is_open(made.id)
    files.set_open(made.id, False)
    assert not CampaignFiles(tmp_path).is_open(made.id)
    files.set_open(made.id, True)
    assert files.is_open(made.id)


@pytest.mark.parametrize("id", ["", "nowhere", "../names/x", "a/b", "a\x00", "A" * 300, ".hidden", "c.json"])
def test_an_id_from_outside_reaches_no_other_file(tmp_path: Path, id: str) -> None:
    (tmp_path / "x.json").write_text("{}")
    files = CampaignFiles(tmp_path / "campaigns")
    for touch in (lambda: files.get(id), lambda: files.set_open(id, False)):
        with pytest.raises(MissingError, match="no campaign"):
            touch()
    assert not list(tmp_path.rglob("*.closed"))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 2}', '{"format": 1, "items": [1]}'])
def test_a_broken_file_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "broken.json").write_text(content)
    with pytest.raises(StorageError):
        CampaignFiles(tmp_path).get("broken")


def test_a_file_holds_no_more_than_json(tmp_path: Path) -> None:
    made = CampaignFiles(tmp_path).add(campaign(Rules()))
    data = json.loads((tmp_path / f"{made.id}.json").read_text())
    assert data["items"][0][:2] == [made.items[0].query, made.items[0].passage]
