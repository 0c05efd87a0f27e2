"""Intervals and tests: equal to scipy's within chance, exact where they can be, the same on every run."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdr.core import significance
from mdr.core.judged import Floats
from mdr.core.significance import Group, Interval, bootstrap, holm, permutation_test

stats = pytest.importorskip("scipy.stats")


def _draw(size: int, seed: int, shift: float = 0.0) -> Floats:
    values: Floats = np.random.default_rng(seed).beta(0.5, 0.5, size) + shift
    return values


def _apart(*groups: Floats) -> list[Group]:
    """Groups of values that have nothing to do with each other."""
    return [Group(values, [f"{number} {at}" for at in range(len(values))]) for number, values in enumerate(groups)]


def _one(values: Floats, **options: int) -> Interval:
    return bootstrap({"": _apart(values)[0]}, **options).macro


def _test(*groups: Floats, **options: int) -> float:
    return permutation_test(_apart(*groups), **options)


def test_bootstrap_is_scipys_percentile_interval() -> None:
    values = _draw(400, 1)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    ours = _one(values)
    assert ours.mean == pytest.approx(values.mean())
    # Both are random: their bounds differ by a small part of the interval's width.
    assert ours[1:] == pytest.approx(tuple(theirs), abs=0.05 * (theirs.high - theirs.low))


def test_the_macro_mean_gives_languages_equal_say() -> None:
    values = {"fi": _draw(50, 1), "th": _draw(500, 2, shift=5.0), "sw": np.full(3, 2.0), "ko": np.empty(0)}
    groups = dict(zip(values, _apart(*values.values()), strict=True))
    ours = bootstrap(groups)
    assert ours.macro.mean == pytest.approx(sum(each.mean() for each in values.values() if len(each)) / 3)
    spread = math.sqrt(sum(each.var() / len(each) for each in values.values() if len(each))) / 3
    assert (ours.macro.high - ours.macro.low) / 2 == pytest.approx(1.96 * spread, rel=0.05)
    assert list(ours.groups) == ["fi", "th", "sw"]
    assert bootstrap({"th": groups["th"]}).groups["th"] == ours.groups["th"]


def test_the_same_questions_in_other_languages_add_no_certainty() -> None:
    """Four languages that agree on every question are as sure as one; four that are apart, twice as sure."""
    values = _draw(200, 1)
    families = [f"question {number}" for number in range(len(values))]
    alone = _one(values)
    twins = bootstrap({lang: Group(values, families) for lang in ("en", "fi", "sw", "th")}).macro
    apart = bootstrap(dict(zip(("en", "fi", "sw", "th"), _apart(*[values] * 4), strict=True))).macro
    width = alone.high - alone.low
    assert twins.high - twins.low == pytest.approx(width, rel=0.05)
    assert apart.high - apart.low == pytest.approx(width / 2, rel=0.05)

    differences = values - values.mean() + 0.05
    once = _test(differences)
    assert permutation_test([Group(differences, families)] * 4) == pytest.approx(once, abs=0.01)
    assert _test(*[differences] * 4) < once / 2


def test_intervals_hold_the_mean_as_often_as_they_say() -> None:
    chance = np.random.default_rng(3)
    held = 0
    for seed in range(200):
        interval = _one(chance.exponential(1.0, 100), repeats=1_000, seed=seed)
        held += interval.low <= 1.0 <= interval.high
    assert 0.87 <= held / 200 <= 0.98


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.1])
def test_permutation_is_scipys(shift: float) -> None:
    differences = _draw(60, 4) - _draw(60, 5) + shift
    theirs = stats.permutation_test(
        (differences, np.zeros(60)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=20_000,
        rng=np.random.default_rng(6),
    ).pvalue
    assert _test(differences) == pytest.approx(theirs, abs=0.02)


@pytest.mark.parametrize("size", [1, 2, 5, 13])
def test_permutation_tries_every_sign_where_that_is_possible(size: int) -> None:
    differences = _draw(size, size, shift=-0.4)
    signs = itertools.product((1, -1), repeat=size)
    sums = np.array([sum(sign * value for sign, value in zip(row, differences, strict=True)) for row in signs])
    exact = float(np.mean(np.abs(sums) >= abs(differences.sum()) - 1e-12))
    assert _test(differences) == exact
    # Queries on which both systems are equal change nothing.
    assert _test(np.concatenate([differences, np.zeros(1000)])) == exact


def test_permutation_meets_the_exact_value_where_it_samples() -> None:
    differences = np.round(_draw(13, 9), 1) - 0.4  # rounded: many sums are equal on paper
    exact = _test(differences)
    sampled = [_test(differences, repeats=2_000, seed=seed) for seed in range(20)]
    assert len(set(sampled)) > 1
    assert np.mean(sampled) == pytest.approx(exact, abs=0.01)


def test_p_values_are_even_where_nothing_differs() -> None:
    """Under no difference, p is below 0.1 one time in ten."""
    chance = np.random.default_rng(10)
    low = sum(_test(chance.normal(size=50), repeats=999, seed=seed) <= 0.1 for seed in range(400))
    assert 0.06 <= low / 400 <= 0.14


def test_macro_permutation_gives_languages_equal_say() -> None:
    """A difference in a small language shows in the macro average, though few queries have it."""
    small, large = np.full(12, 0.5), np.random.default_rng(11).normal(0, 0.1, 2_000)
    assert _test(small, large) < 0.001
    assert _test(np.concatenate([small, large])) > _test(small, large)


@pytest.mark.parametrize("size", [3, 70, 1_000])
def test_the_same_on_every_run_and_for_every_block(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = dict(zip(("fi", "th"), _apart(_draw(size, 1), _draw(size // 2, 2)), strict=True))
    before = bootstrap(groups), permutation_test(groups.values())
    assert (bootstrap(groups), permutation_test(groups.values())) == before
    assert size < 10 or bootstrap(groups, seed=1) != before[0]
    monkeypatch.setattr(significance, "_BLOCK", 128_000)
    assert permutation_test(groups.values()) == before[1]


def test_nothing_measured() -> None:
    for number in range(3):
        groups = {str(lang): Group(np.empty(0), []) for lang in range(number)}
        found = bootstrap(groups)
        assert found.groups == {} and all(map(math.isnan, found.macro))
        assert permutation_test(groups.values()) == 1.0
    assert _test(np.zeros(100)) == 1.0
    assert _one(np.full(100, 0.3)) == pytest.approx((0.3, 0.3, 0.3))
    assert _one(np.array([0.7])) == pytest.approx((0.7, 0.7, 0.7))


def test_very_many_queries_fit() -> None:
    values = _draw(70_000, 1)
    interval = _one(values, repeats=50)
    assert interval.low < values.mean() < interval.high
    assert _test(values - 0.45, repeats=50) == pytest.approx(1 / 51)


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=12))
@settings(max_examples=200, deadline=None)
def test_holm(p_values: dict[str, float]) -> None:
    """Never below p, never above 1, in the order of p; and by the definition: the highest of (m − i) · p so far."""
    adjusted = holm(p_values)
    assert list(adjusted) == list(p_values)
    ordered = sorted(p_values, key=lambda name: p_values[name])
    for name in p_values:
        assert p_values[name] <= adjusted[name] <= 1
        place = max(i for i, other in enumerate(ordered) if p_values[other] <= p_values[name])
        steps = [min(1, (len(ordered) - i) * p_values[ordered[i]]) for i in range(place + 1)]
        assert adjusted[name] == pytest.approx(max(steps))
