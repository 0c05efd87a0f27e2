"""Agreement: equal to scikit-learn and krippendorff, to published examples, and undefined where it does not exist."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdr.core.agreement import Accord, accord, alpha, drift
from mdr.core.resampling import FEWEST, by_family, intervals, redrawn
from mdr.core.significance import Group, bootstrap

metrics = pytest.importorskip("sklearn.metrics")
krippendorff = pytest.importorskip("krippendorff")

GRADES = [0, 1, 2, 3]
NAN = math.nan
FOUR_OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]
"""The example of Krippendorff's "Computing Krippendorff's Alpha-Reliability"."""


def apart(size: int) -> list[str]:
    return [str(number) for number in range(size)]


def things_of(judges: Sequence[Sequence[float]]) -> list[list[int]]:
    return [[int(grade) for grade in grades if not math.isnan(grade)] for grades in zip(*judges, strict=True)]


def pair(first: Sequence[int], second: Sequence[int]) -> Accord:
    return accord(first, second, apart(len(first)), draws=50)


# -- kappa --------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(GRADES), st.sampled_from(GRADES)), min_size=1, max_size=40))
def test_kappa_is_scikit_learns(grades: list[tuple[int, int]]) -> None:
    first, second = zip(*grades, strict=True)
    ours = pair(first, second)
    if len({*first, *second}) == 1:
        assert math.isnan(ours.linear.mean) and math.isnan(ours.quadratic.mean) and ours.same.mean == 1
        return
    for name in ("linear", "quadratic"):
        theirs = metrics.cohen_kappa_score(first, second, weights=name, labels=GRADES)
        assert getattr(ours, name).mean == pytest.approx(theirs, abs=1e-12)


def test_kappa_of_a_published_table() -> None:
    """Fifty proposals, two readers, yes or no: kappa .4."""
    first = [1] * 25 + [0] * 25
    second = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    ours = pair(first, second)
    assert ours.linear.mean == pytest.approx(0.4) and ours.quadratic.mean == pytest.approx(0.4)
    assert ours.same.mean == pytest.approx(0.7) and ours.shift.mean == pytest.approx(0.1)


def test_what_an_accord_says() -> None:
    ours = pair([0, 1, 2, 3, 0], [0, 2, 2, 1, 1])
    assert (ours.things, ours.same.mean, ours.near) == (5, 0.4, 0.8)
    assert ours.shift.mean == pytest.approx((0 + 1 + 0 - 2 + 1) / 5)
    perfect = pair(GRADES * 5, GRADES * 5)
    assert perfect.quadratic == (1, 1, 1) and perfect.same.low < 1  # twenty cannot promise that it stays so


def test_nothing_shared_is_nothing_known() -> None:
    ours = pair([], [])
    assert ours.things == 0
    assert all(math.isnan(value) for value in (ours.near, *ours.same, *ours.shift, *ours.linear, *ours.quadratic))


# -- alpha --------------------------------------------------------------------------------------------------


def test_alpha_of_the_published_example() -> None:
    ours = alpha(things_of(FOUR_OBSERVERS), apart(12), draws=50)
    assert (ours.things, ours.grades) == (11, 40)  # one thing has only one grade
    found = [round(each.mean, 3) for each in (ours.nominal, ours.ordinal, ours.interval)]
    assert found == [0.743, 0.815, 0.849]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 5).flatmap(
        lambda judges: st.lists(
            st.lists(st.sampled_from([*GRADES, None]), min_size=judges, max_size=judges), min_size=1, max_size=25
        )
    )
)
def test_alpha_is_krippendorffs_own(rows: list[list[int | None]]) -> None:
    things = [[grade for grade in row if grade is not None] for row in rows]
    ours = alpha(things, apart(len(things)), draws=20)
    shared = [thing for thing in things if len(thing) > 1]
    if len({grade for thing in shared for grade in thing}) < 2:
        assert math.isnan(ours.ordinal.mean)
        return
    table = np.array([[NAN if grade is None else grade for grade in row] for row in rows], dtype=float).T
    for name in ("ordinal", "interval", "nominal"):
        theirs = krippendorff.alpha(reliability_data=table, level_of_measurement=name)
        assert getattr(ours, name).mean == pytest.approx(theirs, abs=1e-9)


def test_alpha_of_nothing() -> None:
    for things in ([], [[1], [2]], [[], []], [[2, 2], [2, 2, 2]]):
        ours = alpha(things, apart(len(things)))
        assert math.isnan(ours.ordinal.mean) and math.isnan(ours.nominal.low)


# -- intervals ----------------------------------------------------------------------------------------------


def test_intervals_hold_alpha_as_often_as_they_say() -> None:
    """Judges who guess within one grade, over and over: the interval of 60 questions holds what thousands give."""
    random = np.random.default_rng(5)

    def judged(questions: int) -> tuple[list[list[int]], list[str]]:
        truth = random.integers(0, 4, (questions, 2))
        said = np.clip(truth[..., None] + random.integers(-1, 2, (questions, 2, 3)), 0, 3)
        return said.reshape(-1, 3).tolist(), [str(number // 2) for number in range(questions * 2)]

    true = alpha(*judged(20_000), draws=10).ordinal.mean
    found = [alpha(*judged(60), draws=400).ordinal for _ in range(200)]
    held = sum(each.low <= true <= each.high for each in found)
    assert 180 <= held <= 198
    assert np.mean([each.mean for each in found]) == pytest.approx(true, abs=0.01)


def test_one_question_asked_ten_times_is_one_observation() -> None:
    random = np.random.default_rng(1)
    first, second = random.integers(0, 4, 40), random.integers(0, 4, 40)
    alone = accord(first, second, apart(40)).quadratic
    again = accord(np.repeat(first, 10), np.repeat(second, 10), np.repeat(apart(40), 10)).quadratic
    wrong = accord(np.repeat(first, 10), np.repeat(second, 10), apart(400)).quadratic
    assert again.high - again.low == pytest.approx(alone.high - alone.low, rel=1e-6)
    assert wrong.high - wrong.low < 0.5 * (alone.high - alone.low)


def test_a_mean_has_the_interval_that_bootstrap_gives_it() -> None:
    values = np.random.default_rng(2).random(80)
    rows = np.stack([np.ones(80), values], axis=1)
    ours = intervals(rows, apart(80), {"mean": lambda sums: sums[:, 1] / sums[:, 0]}, draws=10_000)["mean"]
    theirs = bootstrap({"": Group(values, apart(80))}).macro
    assert ours.mean == pytest.approx(theirs.mean)
    assert ours[1:] == pytest.approx(theirs[1:], abs=0.05 * (theirs.high - theirs.low))


def test_few_families_and_draws_without_value_have_no_bounds() -> None:
    rows = np.ones((20, 1))
    few = intervals(rows, ["a", "b", "c", "d"] * 5, {"sum": lambda sums: sums[:, 0]})["sum"]
    assert FEWEST == 5 and few.mean == 20 and math.isnan(few.low)
    never = intervals(rows, apart(20), {"": lambda sums: np.where(np.arange(len(sums)) % 3, np.nan, 1.0)}, draws=90)
    assert math.isnan(never[""].low)


def test_draws_are_the_same_every_time_and_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    totals = by_family(np.arange(12.0).reshape(6, 2), ["a", "b", "c", "d", "e", "e"])
    assert totals.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [18, 20]]
    whole = redrawn(totals, 50, 3)
    monkeypatch.setattr("mdr.core.resampling._BLOCK", 7)
    assert np.array_equal(redrawn(totals, 50, 3), whole)
    assert whole.min() >= 0 and len(np.unique(whole[:, 0])) > 10


# -- drift --------------------------------------------------------------------------------------------------


def test_a_judge_who_grows_milder_is_seen() -> None:
    random = np.random.default_rng(3)
    others = random.uniform(0, 3, 300)
    steady = others + random.normal(0, 0.5, 300)
    growing = steady + np.linspace(-0.5, 0.5, 300)
    calm, moved = drift(steady, others, apart(300)), drift(growing, others, apart(300))
    assert moved.certain and not calm.certain
    assert moved.change.mean - calm.change.mean == pytest.approx(1.0, abs=1e-9)
    assert moved.level.mean == pytest.approx(calm.level.mean, abs=1e-9)
    assert calm.change.mean == pytest.approx(np.polyfit(np.linspace(0, 1, 300), steady - others, 1)[0])


def test_drift_of_next_to_nothing() -> None:
    for size in (0, 1):
        found = drift([2] * size, [1] * size, apart(size))
        assert found.things == size and math.isnan(found.change.mean) and not found.certain
    assert drift([2], [1], ["q"]).level.mean == 1
