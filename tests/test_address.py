"""Addresses of the search page bring back what was asked, and survive whatever somebody makes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mdr.ui.address import COUNTS, QUOTAS, SEARCH_BY, Ask

LANGUAGES = ["ar", "en", "th", "zh"]

asks = st.builds(
    Ask,
    query=st.text(),
    engine=st.sampled_from(list(SEARCH_BY)),
    langs=st.lists(st.sampled_from(LANGUAGES), unique=True).map(lambda langs: tuple(sorted(langs))),
    count=st.sampled_from(COUNTS),
    quota=st.sampled_from(list(QUOTAS)),
)


@given(asks)
def test_an_address_brings_back_what_was_asked(ask: Ask) -> None:
    assert Ask.from_address(ask.address(), LANGUAGES) == ask


@given(st.text() | st.text(st.sampled_from("?&=%;,qklangs0\ud800\x00")))
def test_any_text_is_read_as_far_as_it_makes_sense(address: str) -> None:
    ask = Ask.from_address(address, LANGUAGES)
    assert ask.engine in SEARCH_BY and ask.count in COUNTS and ask.quota in QUOTAS
    assert set(ask.langs) <= set(LANGUAGES)
    ask.address().encode("ascii")


def test_what_is_usual_is_left_out() -> None:
    assert Ask("Nile").address() == "?q=Nile"
    assert Ask("ไนล์ & co", "bm25", ("th",), 20, 2).address().endswith("&engine=bm25&langs=th&k=20&quota=2")


def test_a_lone_surrogate_has_an_address() -> None:
    assert Ask("a\ud800").address() == "?q=a%3F"
