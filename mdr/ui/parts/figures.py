"""Figures as inline SVG: bars with intervals, ranges, a matrix of shades with its numbers, lines between two rankings.

Drawn here so that they follow light and dark (classes and CSS variables, no colours of their own), are read out by
screen readers (title, description, a name for every number) and can be taken along as files. Whatever carries a colour
also carries a letter or a number. Pure: values in, markup out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil, isfinite
from typing import NamedTuple, TypeAlias

from markupsafe import Markup, escape

from mdr.core.duels import Move, Tally
from mdr.ui.parts.visible import visible
from mdr.ui.words.catalogue import _

WIDTH = 720
_LABELS, _NUMBERS = 184, 60
"""Room for what stands before the bars, and behind."""
_BAR, _BETWEEN, _GROUP = 12, 3, 12
_TOP = 26


class Bar(NamedTuple):
    """A number with its bounds (None: none known), what it is in words, and where its queries are."""

    value: float | None
    low: float | None = None
    high: float | None = None
    said: str = ""
    link: str = ""


class BarGroup(NamedTuple):
    """Numbers of one thing, one for each series; `series` is that of the first."""

    label: str
    bars: Sequence[Bar]
    series: int = 0


_Draw: TypeAlias = Callable[[Bar, int, float, float], list[Markup]]
"""A number, which series it is of, where it stands, and where the axis ends → what is drawn."""


class Shade(NamedTuple):
    """A cell of a matrix: a number in 0…1, what it is in words, and where its queries are."""

    value: float
    said: str
    link: str = ""


def element(tag: str, *children: str, **attributes: object) -> Markup:
    """An SVG element; every text and attribute that is not markup already is escaped. `class_` is `class`, `_` is `-`.

    >>> element("text", "a<b", x=1, class_="fig-value")
    Markup('<text x="1" class="fig-value">a&lt;b</text>')
    """
    given = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items() if value is not None)
    written = "".join(f' {name}="{escape(_text(value))}"' for name, value in given)
    inside = "".join(escape(child if isinstance(child, Markup) else visible(child)) for child in children)
    return Markup(f"<{tag}{written}>{inside}</{tag}>")


def _text(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else visible(str(value))


def bars(name: str, title: str, description: str, groups: Sequence[BarGroup]) -> Markup:
    """Horizontal bars in groups, a bar for each series, with the interval as a line across the end of each."""
    return _rows(name, title, description, groups, _bar)


def ranges(name: str, title: str, description: str, groups: Sequence[BarGroup]) -> Markup:
    """For each series a line from the lowest to the highest that a number can be, and a mark where it is estimated."""
    return _rows(name, title, description, groups, _range)


def _rows(
    name: str, title: str, description: str, groups: Sequence[BarGroup], draw: _Draw
) -> Markup:
    top = _limit(bar for group in groups for bar in group.bars)
    parts: list[Markup] = []
    at = _TOP
    for group in groups:
        height = len(group.bars) * (_BAR + _BETWEEN) - _BETWEEN
        parts.append(element("text", group.label, x=_LABELS - 26, y=at + height / 2 + 4, class_="fig-label"))
        for number, bar in enumerate(group.bars):
            parts.append(_linked(bar, draw(bar, group.series + number, at + number * (_BAR + _BETWEEN), top)))
        at += height + _GROUP
    return framed(name, title, description, WIDTH, at, [*_axis(top, at - _GROUP), *parts])


def _bar(bar: Bar, number: int, y: float, top: float) -> list[Markup]:
    middle = y + _BAR / 2
    parts = [element("text", letter(number), x=_LABELS - 14, y=middle + 4, class_="fig-letter")]
    if bar.value is None:
        return [*parts, element("text", _("not known"), x=_LABELS + 4, y=middle + 4, class_="fig-value")]
    width = max(1.0, _x(bar.value, top) - _LABELS)
    parts.append(element("rect", x=_LABELS, y=y, width=width, height=_BAR, rx=2, class_=f"fig-bar series-{number % 6}"))
    if bar.low is not None and bar.high is not None:
        parts += _whisker(_x(bar.low, top), _x(bar.high, top), middle)
    return [*parts, _number(bar.value, middle)]


def _range(bar: Bar, number: int, y: float, top: float) -> list[Markup]:
    middle = y + _BAR / 2
    parts = [element("text", letter(number), x=_LABELS - 14, y=middle + 4, class_="fig-letter")]
    if bar.low is not None and bar.high is not None:
        low, high = _x(bar.low, top), _x(bar.high, top)
        box = {"x": low, "y": y + 3, "width": max(2.0, high - low), "height": 6, "rx": 3}
        parts.append(element("rect", **box, class_=f"fig-range series-{number % 6}"))
    if bar.value is None:
        return parts
    parts.append(element("circle", cx=_x(bar.value, top), cy=middle, r=5, class_=f"fig-mark series-{number % 6}"))
    return [*parts, _number(bar.value, middle)]


def _whisker(low: float, high: float, y: float) -> list[Markup]:
    ends = [element("line", x1=x, x2=x, y1=y - 4, y2=y + 4, class_="fig-whisker") for x in (low, high)]
    return [element("line", x1=low, x2=high, y1=y, y2=y, class_="fig-whisker"), *ends]


def _number(value: float, y: float) -> Markup:
    return element("text", f"{value:.3f}", x=WIDTH - 4, y=y + 4, class_="fig-value fig-end")


def _axis(top: float, bottom: float) -> Iterable[Markup]:
    for step in range(5):
        value = top * step / 4
        yield element("line", x1=_x(value, top), x2=_x(value, top), y1=_TOP - 8, y2=bottom, class_="fig-grid")
        yield element("text", f"{value:.3g}", x=_x(value, top), y=_TOP - 14, class_="fig-tick")


def _x(value: float, top: float) -> float:
    return _LABELS + (WIDTH - _LABELS - _NUMBERS) * min(max(value, 0.0), top) / top


def _limit(shown: Iterable[Bar]) -> float:
    """The end of the axis: the next tenth (below that, the next hundredth) above everything shown; 1 at most."""
    ends = [end for bar in shown for end in (bar.value, bar.high) if end is not None and isfinite(end)]
    highest = min(1.0, max(ends, default=1.0))
    step = 0.2 if highest > 0.2 else 0.02
    return max(step, ceil(highest / step - 1e-9) * step)




def matrix(
    name: str, title: str, description: str, across: Sequence[str], down: Mapping[str, Sequence[Shade | None]]
) -> Markup:
    """A number in every cell, and the higher it is the deeper its shade. None: there is nothing to measure."""
    cell, left, top = 46, 92, 30
    parts = [
        element("text", label, x=left + (at + 0.5) * cell, y=top - 10, class_="fig-tick")
        for at, label in enumerate(across)
    ]
    for row, (label, shades) in enumerate(down.items()):
        y = top + row * cell * 0.74
        parts.append(element("text", label, x=left - 10, y=y + 22, class_="fig-label"))
        for column, shade in enumerate(shades):
            parts.append(_shade(shade, left + column * cell, y, cell, cell * 0.74, own=across[column] == label))
    return framed(name, title, description, left + len(across) * cell + 2, top + len(down) * cell * 0.74 + 2, parts)


def _shade(shade: Shade | None, x: float, y: float, width: float, height: float, *, own: bool) -> Markup:
    box = {"x": x + 1, "y": y + 1, "width": width - 2, "height": height - 2, "rx": 3}
    middle = {"x": x + width / 2, "y": y + height / 2 + 4, "class_": "fig-cell"}
    if shade is None:
        return element("text", "–", **middle)
    deep = element("rect", **box, class_="fig-heat", fill_opacity=min(max(shade.value, 0.0), 1.0))
    edge = [element("rect", **box, class_="fig-own")] if own else []
    return _linked(shade, [deep, *edge, element("text", f"{shade.value:.2f}", **middle)])


def flow(moved: Sequence[Move], depth: int) -> Markup:
    """Lines from each passage's place on the left to its place on the right; what came in or left has a loose end.

    Stretches to the height of the two lists that it stands between, which say everything in words.
    """
    rows = max((rank for move in moved for rank in move[1:] if rank and rank <= depth), default=1)
    lines = []
    for number, move in enumerate(moved):
        change = move.change(depth)
        start, end = (0 if rank is None else rank - 0.5 for rank in move[1:])
        paths = {
            "in": f"M 62 {end:g} L 100 {end:g}",
            "out": f"M 0 {start:g} L 38 {start:g}",
        }
        drawn = paths.get(change, f"M 0 {start:g} C 45 {start:g} 55 {end:g} 100 {end:g}")
        lines.append(element("path", d=drawn, class_=f"flow-line flow-{change}", data_move=number))
    return element(
        "svg", *lines, viewBox=f"0 0 100 {rows}", preserveAspectRatio="none", class_="flow-lines", aria_hidden="true"
    )


def letter(number: int) -> str:
    """What names a series where colour alone would: A, B, C …"""
    return chr(ord("A") + number % 26)


def _linked(shown: Bar | Shade, parts: Sequence[Markup]) -> Markup:
    """What belongs to one number: a link to its queries where there is one, with the number in words."""
    said = element("title", shown.said)
    if not shown.link:
        return element("g", said, *parts, role="img", aria_label=shown.said or None)
    return element("a", said, *parts, href=shown.link, data_address="", aria_label=shown.said)


def framed(
    name: str,
    title: str,
    description: str,
    width: float,
    height: float,
    parts: Sequence[Markup],
    *,
    kind: str = "",
    role: str = "group",
) -> Markup:
    """A drawing with its name and what it shows. As an "img" it is one thing to a screen reader, without parts."""
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
        class_=f"figure {kind}".strip(),
        role=role,
        id=name,
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
        xmlns="http://www.w3.org/2000/svg",
    )


def shares(tally: Tally, *, title: str) -> Markup:
    """Losses (the first system's wins), ties and wins as parts of one bar; the numbers stand beside it."""
    whole = max(1, sum(tally))
    parts, at = [], 0.0
    for kind, number in reversed(tally._asdict().items()):
        width = 100 * number / whole
        parts.append(element("rect", x=at, y=0, width=width, height=10, class_=f"share-{kind}"))
        at += width
    said = _(
        "%(title)s: the first wins %(first)s, the second %(second)s, ties %(ties)s",
        title=title,
        first=tally.losses,
        second=tally.wins,
        ties=tally.ties,
    )
    return element(
        "svg", element("title", said), *parts, viewBox="0 0 100 10", preserveAspectRatio="none", class_="shares",
        role="img", aria_label=said,
    )
