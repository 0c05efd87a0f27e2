"""Texts end to end, and pairs dealt into batches: whose languages, which answers, which wrong ones, in which order."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdr.errors import InputError
from mdr.training.batches import Bags, Batch, bags, joined
from mdr.training.deck import Deck
from mdr.training.pair_source import PairSource, TokenPairs

TEXTS = st.lists(st.lists(st.integers(0, 99), max_size=5), max_size=8)


@given(TEXTS)
def test_bags_are_lists(texts: list[list[int]]) -> None:
    made = bags(texts)
    assert made.lists() == texts
    assert made.lengths.tolist() == [len(text) for text in texts]
    assert made.tokens.dtype == made.offsets.dtype == np.int64


@given(TEXTS, st.data())
def test_some_texts_are_taken_in_any_order(texts: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=8)) if texts else []
    assert bags(texts).take(np.array(rows, np.int64)).lists() == [texts[row] for row in rows]


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_bags_are_joined_as_lists_are(parts: list[list[list[int]]]) -> None:
    assert joined([bags(part) for part in parts]).lists() == [text for part in parts for text in part]


@given(TEXTS)
def test_padding_has_a_place_for_every_token_and_one_for_none(texts: list[list[int]]) -> None:
    ids, there = bags(texts).padded(-7)
    width = max([1, *(len(text) for text in texts)])
    assert ids.shape == there.shape == (len(texts), width)
    for row, mask, text in zip(ids.tolist(), there.tolist(), texts, strict=True):
        assert row == text + [-7] * (width - len(text))
        assert mask == [place < max(1, len(text)) for place in range(width)]


# -- pairs ----------------------------------------------------------------------------------------------------


def pairs(
    langs: Sequence[str],
    positives: Sequence[Sequence[int]] | None = None,
    negatives: Sequence[Sequence[int]] | None = None,
    queries: Sequence[int] | None = None,
) -> TokenPairs:
    """A query's text is its number, a passage's its own number + 1,000,000."""
    count = len(langs)
    right = positives or [[row] for row in range(count)]
    wrong = negatives or [[] for _ in range(count)]
    passages = 1 + max((place for row in (*right, *wrong) for place in row), default=0)
    return TokenPairs(
        queries=[np.array([number]) for number in (queries or range(count))],
        langs=list(langs),
        positives=right,
        negatives=wrong,
        weights=[1.0 + row for row in range(count)],
        passages=[np.array([1_000_000 + place]) for place in range(passages)],
    )


def draws(source: PairSource, turns: int, size: int = 4, seed: int = 0) -> Iterator[Batch]:
    for turn in range(turns):
        yield source.draw(size, turn, np.random.default_rng([seed, turn]))


def rows_of(batch: Batch) -> list[int]:
    return [int(token) for token in batch.queries.tokens]


def answers_of(batch: Batch) -> list[int]:
    return [int(token) - 1_000_000 for token in batch.passages.tokens[: len(batch)]]


def wrong_of(batch: Batch) -> list[int]:
    return [int(token) - 1_000_000 for token in batch.passages.tokens[len(batch) :]]


def test_a_batch_has_one_language_and_no_answer_twice() -> None:
    random = np.random.default_rng(0)
    langs = random.choice(["ar", "fi", "th"], 300, p=[0.6, 0.3, 0.1]).tolist()
    positives = [[int(place)] for place in random.integers(0, 80, 300)]
    source = PairSource(pairs(langs, positives), seed=1)
    for batch in draws(source, 200, size=16):
        rows, answers = rows_of(batch), answers_of(batch)
        assert {langs[row] for row in rows} == {batch.lang} and batch.lang
        assert len(set(answers)) == len(answers) <= 16
        assert [[answer] for answer in answers] == [positives[row] for row in rows]
        assert batch.weights is not None and batch.weights.tolist() == [1 + row for row in rows]


def test_a_query_with_two_lines_is_not_its_own_wrong_answer() -> None:
    source = PairSource(pairs(["fi"] * 40, queries=[row // 2 for row in range(40)]), seed=0)
    for batch in draws(source, 30, size=8):
        assert len(set(rows_of(batch))) == len(batch)


def test_an_epoch_has_every_pair_once() -> None:
    """But for one that is left over, alone: with it there is nothing to tell apart."""
    source = PairSource(pairs(["fi"] * 26 + ["th"] * 13), seed=2)
    seen: dict[str, list[list[int]]] = {"fi": [], "th": []}
    for batch in draws(source, 100):
        seen[batch.lang].append(rows_of(batch))
    for lang, every, pages, left in (("fi", range(26), 7, 0), ("th", range(26, 39), 3, 1)):
        told = seen[lang]
        epochs = [told[start : start + pages] for start in range(0, len(told) - pages + 1, pages)]
        assert len(epochs) > 3 and epochs[0] != epochs[1]
        for epoch in epochs:
            rows = [row for page in epoch for row in page]
            assert len(set(rows)) == len(rows) == len(every) - left and set(rows) <= set(every)


def test_an_epoch_with_clashes_has_every_pair_once() -> None:
    random = np.random.default_rng(5)
    positives = [[int(place), 50 + row] for row, place in enumerate(random.integers(0, 50, 120))]
    source = PairSource(pairs(["fi"] * 120, positives, negatives=[[200]] * 120), seed=0, negatives=1)
    counts: Counter[int] = Counter()
    turn = 0
    while counts.total() < 120:
        counts.update(rows_of(source.draw(16, turn, random)))
        turn += 1
    assert set(counts.values()) == {1} and len(counts) == 120 and turn <= 16


def test_languages_share_batches_by_temperature() -> None:
    langs = ["ar"] * 900 + ["fi"] * 100
    for temperature, share in ((1.0, 0.9), (0.5, 0.75), (0.0, 0.5)):
        source = PairSource(pairs(langs), seed=3, temperature=temperature)
        counts = Counter(batch.lang for batch in draws(source, 1_500))
        assert counts["ar"] / 1_500 == pytest.approx(share, abs=0.04) and counts.total() == counts["ar"] + counts["fi"]


def test_a_share_of_batches_mixes_languages() -> None:
    langs = ["ar"] * 50 + ["fi"] * 50
    source = PairSource(pairs(langs), seed=3, mixed=0.3)
    found = list(draws(source, 1_000, size=10))
    mixed = [batch for batch in found if not batch.lang]
    assert len(mixed) / 1_000 == pytest.approx(0.3, abs=0.05)
    assert sum(len({langs[row] for row in rows_of(batch)}) == 2 for batch in mixed) > 0.9 * len(mixed)
    assert all(not batch.lang for batch in draws(PairSource(pairs(langs), seed=3, mixed=1.0), 50))


def test_a_lonely_language_is_in_mixed_batches_only() -> None:
    langs = ["fi"] * 90 + ["te"]
    source = PairSource(pairs(langs), seed=0)
    assert source.lonely == {"te": 1}
    found = list(draws(source, 2_000, size=16))
    assert {batch.lang for batch in found} == {"fi", ""}
    assert sum(90 in rows_of(batch) for batch in found) > 0
    with_negatives = PairSource(pairs(langs, negatives=[[3]] * 91), seed=0, negatives=1)
    assert with_negatives.lonely == {}
    alone = [PairSource(pairs(list("abc")), seed=0)]
    assert alone[0].lonely == {"a": 1, "b": 1, "c": 1}
    assert all(sorted(rows_of(batch)) == [0, 1, 2] and not batch.lang for batch in draws(alone[0], 5))


def test_other_right_answers_are_masked_and_hard_ones_never_right() -> None:
    random = np.random.default_rng(1)
    positives = [[2 * row, 2 * row + 1] for row in range(40)]
    wrong = [random.choice(80, 12, replace=False).tolist() for _ in range(40)]
    negatives = [[place for place in row if place not in positives[at]] for at, row in enumerate(wrong)]
    source = PairSource(pairs(["fi"] * 40, positives, negatives), seed=0, negatives=3)
    masked = chosen = 0
    for batch in draws(source, 60, size=12):
        rows = rows_of(batch)
        places = [*answers_of(batch), *wrong_of(batch)]
        assert len(set(places)) == len(places) and batch.masked is not None
        for number, row in enumerate(rows):
            assert places[number] in positives[row]
            right = {column for column, place in enumerate(places) if place in positives[row]} - {number}
            assert set(np.flatnonzero(batch.masked[number]).tolist()) == right
            masked += len(right)
        allowed = {place for row in rows for place in negatives[row]}
        assert set(wrong_of(batch)) <= allowed
        chosen += len(wrong_of(batch))
    assert masked > 100 and chosen > 60 * 12
    assert {answers_of(batch)[0] % 2 for batch in draws(source, 30)} == {0, 1}  # any of the answers
    plain = PairSource(pairs(["fi"] * 40, positives, negatives), seed=0)
    assert not any(wrong_of(batch) for batch in draws(plain, 10))


def plain(batch: Batch) -> Any:
    masked = None if batch.masked is None else batch.masked.tolist()
    return batch.lang, batch.queries.lists(), batch.passages.lists(), masked


def test_a_turn_is_the_same_in_whatever_order_turns_are_asked_for() -> None:
    langs = ["ar"] * 70 + ["fi"] * 30 + ["te"]
    positives = [[row % 60, 100 + row] for row in range(101)]
    negatives = [[300 + row % 7, 310] for row in range(101)]

    def source(seed: int = 7) -> PairSource:
        return PairSource(pairs(langs, positives, negatives), seed=seed, negatives=1, temperature=0.5, mixed=0.2)

    one = source()
    straight = [plain(batch) for batch in draws(one, 300, size=8)]
    for turns in ([299, 0, 150, 299], [250], range(298, 0, -37)):
        resumed = source()
        for turn in turns:
            assert plain(resumed.draw(8, turn, np.random.default_rng([0, turn]))) == straight[turn]
    one.draw(16, 40, np.random.default_rng(0))  # another size in between
    assert plain(one.draw(8, 40, np.random.default_rng([0, 40]))) == straight[40]
    assert [plain(batch) for batch in draws(source(8), 300, size=8)] != straight


def test_blocks_of_turns_follow_each_other() -> None:
    """Beyond the turns whose languages are drawn at once, pages go on where they stopped."""
    source = PairSource(pairs(["fi"] * 12), seed=0)
    pages = [frozenset(rows_of(batch)) for batch in draws(source, 4_200)]
    for start in range(0, 4_200, 3):
        assert sum(map(len, pages[start : start + 3])) == len(frozenset().union(*pages[start : start + 3])) == 12


def test_many_languages_have_shares_that_are_probabilities() -> None:
    """Shares that add up to a little more than 1 left less than nothing for mixed pages."""
    for count in range(1, 60):
        langs = [f"{lang}" for lang in range(count) for _ in range(2 + lang)]
        deck = Deck(langs, lambda row: {row}, lambda rows: len(rows) > 1, seed=0, temperature=0.3)
        assert deck.page(0, 4)[0]


def test_sources_without_anything_to_tell_apart_are_refused() -> None:
    with pytest.raises(InputError, match="no pairs to train on"):
        PairSource(pairs([]), seed=0)
    with pytest.raises(InputError, match="all pairs have one answer"):
        PairSource(pairs(["fi"] * 5, [[0]] * 5), seed=0)
    with pytest.raises(InputError, match="all pairs have one answer"):
        PairSource(pairs(["fi"], negatives=[[1]]), seed=0)
    single = PairSource(pairs(["fi"], negatives=[[1]]), seed=0, negatives=2)
    (batch,) = draws(single, 1)
    assert rows_of(batch) == [0] and wrong_of(batch) == [1]


@pytest.mark.parametrize("skew", ["none", "few answers", "one answer for half"])
def test_many_pairs_are_dealt_quickly(skew: str) -> None:
    """No time of the clock is promised; work that grows with the square of the pairs would take hours."""
    count, random = 100_000, np.random.default_rng(0)
    places = {
        "none": np.arange(count),
        "few answers": random.zipf(1.5, count) % 5_000,
        "one answer for half": np.where(random.random(count) < 0.5, 0, np.arange(count)),
    }[skew]
    started = time.monotonic()
    source = PairSource(pairs(["fi"] * count, [[int(place)] for place in places]), seed=0)
    assert len(source.draw(64, 0, random)) == 64
    far = source.draw(64, 1_000, random)
    assert len(set(answers_of(far))) == len(far)
    assert time.monotonic() - started < 60


def test_late_turns_cost_what_early_ones_cost() -> None:
    """Dealing is counted, not timed: each epoch of a language once, however many there are."""
    dealt = 0

    def taken(row: int) -> set[Any]:
        nonlocal dealt
        dealt += 1
        return {row}

    deck = Deck(["fi"] * 40, taken, lambda rows: len(rows) > 1, seed=0)
    for turn in range(1_000):
        deck.page(turn, 4)
    assert dealt == 100 * 40


def test_empty_bags_can_be_taken_from() -> None:
    none: Bags = bags([])
    assert none.take(np.empty(0, np.int64)).lists() == [] == joined([none, none]).lists()


def test_thinned_texts_keep_their_order_and_their_owners() -> None:
    whole = bags([list(range(100)), [], list(range(200, 300))])
    thin = whole.thinned(0.3, np.random.default_rng(4))
    first, empty, last = thin.lists()
    assert empty == [] and 40 < len(first) < 95 and 40 < len(last) < 95
    assert first == sorted(first) and set(first) < set(range(100)) and set(last) < set(range(200, 300))
    assert whole.thinned(0.0, np.random.default_rng(4)) is whole
