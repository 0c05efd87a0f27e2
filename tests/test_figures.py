"""Figures: numbers where they belong, names for screen readers, and nothing from outside as markup."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from mdr.core.duels import Tally, moves
from mdr.types import Hit
from mdr.ui.parts.figures import Bar, BarGroup, Shade, bars, element, flow, matrix, ranges, shares

HOSTILE = "</title><script>alert(1)</script>\" onload=\"x\u202e\x07"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace(' xmlns="http://www.w3.org/2000/svg"', ""))


def by_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [part for part in root.iter() if name in part.get("class", "").split()]


def test_bars_are_as_long_as_their_numbers() -> None:
    root = parsed(bars("f", "T", "D", [BarGroup("en", [Bar(0.4, 0.3, 0.5), Bar(0.2), Bar(None)])]))
    drawn = by_class(root, "fig-bar")
    long, short = (float(bar.get("width", 0)) for bar in drawn)
    assert long == pytest.approx(2 * short, abs=0.02)  # lengths are written with two digits
    assert [part.text for part in by_class(root, "fig-letter")] == ["A", "B", "C"]
    assert [part.text for part in by_class(root, "fig-value")] == ["0.400", "0.200", "not known"]
    low, high = by_class(root, "fig-whisker")[0].get("x1"), by_class(root, "fig-whisker")[0].get("x2")
    assert float(low or 0) < float(drawn[0].get("x", 0)) + long < float(high or 0)


def test_a_range_goes_from_worst_to_best_around_its_mark() -> None:
    root = parsed(ranges("f", "T", "D", [BarGroup("a", [Bar(0.5, 0.25, 1.0)], series=2)]))
    [line], [mark] = by_class(root, "fig-range"), by_class(root, "fig-mark")
    start, width = float(line.get("x", 0)), float(line.get("width", 0))
    assert float(mark.get("cx", 0)) == pytest.approx(start + width / 3, abs=0.02)
    assert "series-2" in line.get("class", "") and by_class(root, "fig-letter")[0].text == "C"


@pytest.mark.parametrize("value", [0.0, 1.0, 7.5, -1.0, float("nan")])
def test_no_number_leaves_the_figure(value: float) -> None:
    if value != value:
        value = 0.0
    root = parsed(bars("f", "T", "D", [BarGroup("x", [Bar(value, value, value)])]))
    for bar in by_class(root, "fig-bar"):
        assert 0 < float(bar.get("width", 0)) <= 720 - 156 - 60


def test_every_number_has_a_name_and_a_link_where_there_is_one() -> None:
    shown = [Bar(0.4, said="Words: 0.4", link="?a=1&b=2"), Bar(0.1, said="x")]
    root = parsed(bars("f", "Title", "What it is", [BarGroup("en", shown)]))
    [link] = root.iter("a")
    assert (link.get("href"), link.get("aria-label")) == ("?a=1&b=2", "Words: 0.4")
    assert root.get("aria-labelledby") == "f-title" and root.find("title").text == "Title"  # type: ignore[union-attr]
    assert root.find("desc").text == "What it is"  # type: ignore[union-attr]


def test_a_matrix_shows_its_numbers_and_frames_the_diagonal() -> None:
    down = {"ar": [Shade(0.5, "s"), None], "en": [Shade(0.01, "s"), Shade(1.0, "s")]}
    root = parsed(matrix("m", "T", "D", ["ar", "en"], down))
    assert [part.text for part in by_class(root, "fig-cell")] == ["0.50", "–", "0.01", "1.00"]
    assert len(by_class(root, "fig-own")) == 2
    assert [part.get("fill-opacity") for part in by_class(root, "fig-heat")] == ["0.5", "0.01", "1"]


def test_lines_join_the_places_of_one_passage() -> None:
    first = [Hit(id, 0.0) for id in "abc"]
    second = [Hit(id, 0.0) for id in "cax"]
    root = parsed(flow(moves(first, second, 3), 3))
    kinds = [part.get("class", "").split()[1] for part in root.iter("path")]
    assert kinds == ["flow-down", "flow-out", "flow-up", "flow-in"]
    assert root.get("viewBox") == "0 0 100 3" and root.get("aria-hidden") == "true"
    down = next(root.iter("path")).get("d", "")
    assert re.fullmatch(r"M 0 0.5 C .* 100 1.5", down)
    assert parsed(flow([], 3)).get("viewBox") == "0 0 100 1"


def test_shares_fill_the_bar() -> None:
    root = parsed(shares(Tally(1, 2, 5), title="en"))
    assert [part.get("class") for part in root.iter("rect")] == ["share-losses", "share-ties", "share-wins"]
    assert sum(float(part.get("width", 0)) for part in root.iter("rect")) == pytest.approx(100)
    assert "first wins 5" in root.get("aria-label", "")
    assert parsed(shares(Tally(0, 0, 0), title="none")) is not None


def test_texts_from_outside_stay_texts() -> None:
    drawn = [
        bars("f", HOSTILE, HOSTILE, [BarGroup(HOSTILE, [Bar(0.4, said=HOSTILE, link=HOSTILE)])]),
        matrix("m", HOSTILE, HOSTILE, [HOSTILE], {HOSTILE: [Shade(0.1, HOSTILE, HOSTILE)]}),
        shares(Tally(1, 1, 1), title=HOSTILE),
        element("text", HOSTILE, x=HOSTILE),
    ]
    for svg in drawn:
        root = parsed(svg)
        assert not list(root.iter("script")) and not any(part.get("onload") for part in root.iter())
        assert "\u202e" not in svg and "\x07" not in svg
