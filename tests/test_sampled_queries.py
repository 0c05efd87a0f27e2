"""Some queries of each language: how stages that mine and score ask for less than everything."""

from __future__ import annotations

from mdr.stages.indexes import sampled
from mdr.types import Query

QUERIES = [Query(f"{lang}-{place}", lang, "?") for place in range(40) for lang in ("en", "fi")][:-30]


def ids(samples: int, seed: int = 0) -> list[str]:
    return [query.id for query in sampled(QUERIES, samples, seed)]


def test_fewer_are_a_part_of_more_in_the_same_order() -> None:
    everything = [query.id for query in QUERIES]
    assert ids(0) == everything == ids(1_000)
    for few, more in ((1, 5), (5, 20), (20, 24)):
        assert set(ids(few)) < set(ids(more))
        assert ids(few) == [id for id in everything if id in set(ids(few))]


def test_each_language_gives_as_many_and_the_seed_decides_which() -> None:
    langs = [id.split("-")[0] for id in ids(7)]
    assert (langs.count("en"), langs.count("fi")) == (7, 7)
    assert ids(7) == ids(7) != ids(7, seed=1)
