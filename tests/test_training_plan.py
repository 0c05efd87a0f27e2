"""Which objectives a step has, from which sources, and how often they drew before."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from mdr.errors import InputError
from mdr.training.batches import Batch, Random, bags
from mdr.training.plan import Plan
from mdr.training.settings import Objective


class Seen:
    """A source that remembers what was asked of it, and answers with random numbers."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        self.calls.append((size, turn))
        text = bags([random.integers(0, 1_000_000, 2)])
        return Batch(text, text)


def walk(plan: Plan) -> list[list[tuple[str, float]]]:
    """Name and factor of every step's objectives."""
    return [[(objective.name, factor) for objective, factor, _ in plan.step(step)] for step in range(plan.steps)]


def each(name: str, **options: Any) -> Objective:
    return Objective(**({"sources": {name: 1.0}} | options))


def test_a_sum_has_every_objective_in_every_step() -> None:
    sources = {"a": Seen(), "b": Seen()}
    plan = Plan([each("a", weight=0.5, batch=8), each("b", weight=2.0)], sources, steps=5, seed=0)
    assert walk(plan) == [[("contrast a", 0.5), ("contrast b", 2.0)]] * 5
    assert sources["a"].calls == [(8, turn) for turn in range(5)]
    assert sources["b"].calls == [(64, turn) for turn in range(5)]


def test_a_draw_has_one_by_its_weight_and_counts_its_turns() -> None:
    sources = {"a": Seen(), "b": Seen(), "never": Seen()}
    objectives = [each("a", weight=3.0), each("b", weight=1.0), each("never", weight=0.0)]
    plan = Plan(objectives, sources, steps=2_000, seed=0, mix="draw")
    told = walk(plan)
    assert all(len(step) == 1 and step[0][1] == 1.0 for step in told)
    counts = Counter(step[0][0] for step in told)
    assert counts["contrast a"] == pytest.approx(1_500, abs=80) and counts["contrast never"] == 0
    for name in ("a", "b"):
        assert [turn for _, turn in sources[name].calls] == list(range(counts[f"contrast {name}"]))


def test_sources_of_one_objective_share_its_steps() -> None:
    sources = {"a": Seen(), "b": Seen(), "none": Seen()}
    plan = Plan([each("", sources={"a": 1.0, "b": 3.0, "none": 0.0})], sources, steps=1_000, seed=4)
    walk(plan)
    assert len(sources["b"].calls) == pytest.approx(750, abs=60) and not sources["none"].calls
    for source in sources.values():
        assert [turn for _, turn in source.calls] == list(range(len(source.calls)))


@pytest.mark.parametrize("mix", ["sum", "draw"])
def test_an_objective_joins_where_it_starts(mix: Any) -> None:
    sources = {"a": Seen(), "b": Seen()}
    plan = Plan([each("a"), each("b", start=0.25, weight=4.0)], sources, steps=100, seed=0, mix=mix)
    told = walk(plan)
    assert all([name for name, _ in step] == ["contrast a"] for step in told[:25])
    assert all(step for step in told)  # a draw before the start goes to those that have begun
    assert any("contrast b" in dict(step) for step in told[25:28])
    assert [turn for _, turn in sources["b"].calls] == list(range(len(sources["b"].calls)))


def test_a_step_is_the_same_whenever_it_is_asked_for() -> None:
    def drawn(order: list[int], seed: int) -> dict[int, Any]:
        plan = Plan([each("a"), each("a", weight=2.0)], {"a": Seen()}, steps=30, seed=seed, mix="draw")
        return {step: [(part[0].weight, part[2].queries.lists()) for part in plan.step(step)] for step in order}

    straight, resumed = drawn(list(range(30)), 1), drawn([29, 3, 3, 17], 1)
    assert all(straight[step] == found for step, found in resumed.items())
    assert straight != drawn(list(range(30)), 2)
    assert len({str(found) for found in straight.values()}) == 30


def test_objectives_of_one_source_draw_differently() -> None:
    plan = Plan([each("a"), each("a", loss="semantic")], {"a": Seen()}, steps=1, seed=0)
    one, other = (batch.queries.tokens for _, _, batch in plan.step(0))
    assert not np.array_equal(one, other)


def test_a_batch_without_queries_is_left_out() -> None:
    class Nothing:
        def draw(self, size: int, turn: int, random: Random) -> Batch:
            return Batch(bags([]), bags([]))

    plan = Plan([each("a"), each("b")], {"a": Nothing(), "b": Seen()}, steps=1, seed=0)
    assert [name for name, _ in walk(plan)[0]] == ["contrast b"]


@pytest.mark.parametrize(
    ("objectives", "problem"),
    [
        ([], "needs an objective"),
        ([each("c")], "draws from 'c'; the sources are a, b"),
        ([each("a", weight=0.0)], "no objective that has a weight above zero"),
        ([each("a", start=0.5)], "no objective that has a weight above zero"),
        ([each("", sources={"a": 0.0, "b": 0.0})], "draws from its sources by"),
        ([each("", sources={"a": 2.0, "b": -1.0})], "draws from its sources by"),
    ],
)
def test_plans_without_sense_are_refused(objectives: list[Objective], problem: str) -> None:
    for mix in ("sum", "draw"):
        with pytest.raises(InputError, match=problem):
            Plan(objectives, {"a": Seen(), "b": Seen()}, steps=4, seed=0, mix=mix)
