"""Addresses of the search page bring back what was asked, and survive whatever somebody makes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mdr.ui.search.address import COUNTS, QUOTAS, SEARCH_BY, Ask, System, systems

LANGUAGES = ["ar", "en", "th", "zh"]
MODELS = ["", "lestm", "umr/dense-2"]

asks = st.builds(
    Ask,
    query=st.text(),
    engine=st.sampled_from(list(SEARCH_BY)),
    langs=st.lists(st.sampled_from(LANGUAGES), unique=True).map(lambda langs: tuple(sorted(langs))),
    count=st.sampled_from(COUNTS),
    quota=st.sampled_from(list(QUOTAS)),
    model=st.sampled_from(MODELS),
    beside=st.sampled_from(["", *(system.code for system in systems(MODELS))]),
)


@given(asks)
def test_an_address_brings_back_what_was_asked(ask: Ask) -> None:
    assert Ask.from_address(ask.address(), LANGUAGES, MODELS) == ask


@given(st.text() | st.text(st.sampled_from("?&=%;,qklangs0\ud800\x00")))
def test_any_text_is_read_as_far_as_it_makes_sense(address: str) -> None:
    ask = Ask.from_address(address, LANGUAGES, MODELS)
    assert ask.model in MODELS and all(system in systems(MODELS) for system in ask.systems)
    assert ask.engine in SEARCH_BY and ask.count in COUNTS and ask.quota in QUOTAS
    assert set(ask.langs) <= set(LANGUAGES)
    ask.address().encode("ascii")


def test_what_is_usual_is_left_out() -> None:
    assert Ask("Nile").address() == "?q=Nile"
    assert Ask("ไนล์ & co", "bm25", ("th",), 20, 2).address().endswith("&engine=bm25&langs=th&k=20&quota=2")


def test_a_lone_surrogate_has_an_address() -> None:
    assert Ask("a\ud800").address() == "?q=a%3F"


def test_systems_are_engines_with_models() -> None:
    assert [system.code for system in systems(["", "umr"])] == ["hybrid", "dense", "hybrid:umr", "dense:umr", "bm25"]
    assert all(System.of(system.code) == system for system in systems(MODELS))
    assert System("dense", "umr").label == "Meaning · umr"


def test_words_need_no_model_and_a_model_that_has_gone_is_not_asked_for() -> None:
    assert Ask("x", "bm25", model="umr", beside="dense:umr").systems == [System("bm25"), System("dense", "umr")]
    gone = Ask("x", "dense", model="umr", beside="dense:umr")
    assert Ask.from_address(gone.address(), LANGUAGES) == Ask("x", "dense")
