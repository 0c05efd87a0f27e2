"""Figures about runs as inline SVG: what was made from what, how numbers went on, how they spread.

Like `figures`: colours are classes of the theme, whatever has one also has a word or letter, and everything is said in
words for screen readers. Pure: values in, markup out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, log10
from typing import Any, NamedTuple, TypeAlias

from markupsafe import Markup

from mdr.ui.parts.figures import element, framed, letter
from mdr.ui.words.catalogue import _

Points: TypeAlias = Sequence[tuple[int, float]]
_BOX, _HIGH, _ACROSS, _DOWN = 134, 50, 34, 18
"""Width and height of a box of a graph, and the room between boxes."""
_WIDE, _TALL, _LEFT, _BOTTOM = 720, 240, 52, 30
_LABEL = 15
"""Characters of a label that fit into a box."""


class Node(NamedTuple):
    """A box of a graph; `state` is its class and is told in `detail`."""

    id: str
    label: str
    detail: str
    state: str


class Edge(NamedTuple):
    """An arrow between boxes, by their ids."""

    start: str
    end: str


def graph(name: str, title: str, nodes: Sequence[Node], edges: Sequence[Edge]) -> Markup:
    """Boxes from left to right, each right of everything that it was made from."""
    columns = _columns(nodes, edges)
    rows: dict[int, int] = {}
    at: dict[str, tuple[float, float]] = {}
    for node in nodes:
        column = columns[node.id]
        at[node.id] = (2 + column * (_BOX + _ACROSS), 2 + rows.get(column, 0) * (_HIGH + _DOWN))
        rows[column] = rows.get(column, 0) + 1
    width = max((x for x, _ in at.values()), default=0) + _BOX + 2
    height = max((y for _, y in at.values()), default=0) + _HIGH + 2
    arrows = [_arrow(at[edge.start], at[edge.end]) for edge in edges if edge.start in at and edge.end in at]
    boxes = [_box(node, *at[node.id]) for node in nodes]
    said = "; ".join(f"{node.label}: {node.detail}" for node in nodes)
    return framed(name, title, said, width, height, [*arrows, *boxes], kind="graph", role="img")


def _columns(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[str, int]:
    """How many arrows lead to a box, at most; boxes come in an order in which arrows lead forward."""
    columns: dict[str, int] = {}
    for node in nodes:
        before = [columns[edge.start] for edge in edges if edge.end == node.id and edge.start in columns]
        columns[node.id] = 1 + max(before, default=-1)
    return columns


def _box(node: Node, x: float, y: float) -> Markup:
    return element(
        "g",
        element("title", f"{node.label}: {node.detail}"),
        element("rect", x=x, y=y, width=_BOX, height=_HIGH, rx=8, class_=f"node {node.state}"),
        element("text", _short(node.label), x=x + 12, y=y + 21, class_="node-label"),
        element("text", _short(node.detail, 19), x=x + 12, y=y + 38, class_="node-detail"),
    )


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> Markup:
    x1, y1 = start[0] + _BOX, start[1] + _HIGH / 2
    x2, y2 = end[0], end[1] + _HIGH / 2
    bend = min(_ACROSS * 0.6, (x2 - x1) / 2)
    way = f"M{x1:g} {y1:g} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2 - 6:g} {y2:g}"
    line = element("path", d=way, class_="arrow")
    tip = element("path", d=f"M{x2 - 7:g} {y2 - 4:g} L{x2:g} {y2:g} L{x2 - 7:g} {y2 + 4:g} Z", class_="tip")
    return element("g", line, tip, aria_hidden="true")


def _short(text: str, most: int = _LABEL) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def curves(name: str, title: str, across: str, series: Mapping[str, Points]) -> Markup:
    """Numbers by step, a line each, with its letter at its end; what the letters mean stands beside the figure."""
    drawn = {label: [(x, y) for x, y in points if isfinite(y)] for label, points in series.items()}
    drawn = {label: points for label, points in drawn.items() if points}
    every = [point for points in drawn.values() for point in points]
    if not every:
        return Markup("")
    first, last = min(x for x, _ in every), max(x for x, _ in every)
    low, high = min(0.0, min(y for _, y in every)), max(y for _, y in every)
    high = high if high > low else low + 1

    def place(x: float, y: float) -> tuple[float, float]:
        right, down = (x - first) / max(last - first, 1), (y - low) / (high - low)
        return _LEFT + right * (_WIDE - _LEFT - 30), 12 + (1 - down) * (_TALL - 12 - _BOTTOM)

    parts = [*_grid(low, high, place, first), *_ends(first, last, across)]
    for number, points in enumerate(drawn.values()):
        parts += _curve(number, [place(*point) for point in points])
    said = "; ".join(
        _(
            "%(letter)s, %(label)s: from %(first)s to %(last)s",
            letter=letter(number),
            label=label,
            first=f"{points[0][1]:.4g}",
            last=f"{points[-1][1]:.4g}",
        )
        for number, (label, points) in enumerate(drawn.items())
    )
    return framed(name, title, said, _WIDE, _TALL, parts, kind="curves", role="img")


def _curve(number: int, points: Sequence[tuple[float, float]]) -> Iterable[Markup]:
    path = " ".join(f"{'L' if at else 'M'}{x:.1f} {y:.1f}" for at, (x, y) in enumerate(points))
    x, y = points[-1]
    if len(points) == 1:
        yield element("circle", cx=x, cy=y, r=3, class_=f"fig-mark series-{number % 6}")
    yield element("path", d=path, class_=f"curve curve-{number % 6}")
    yield element("text", letter(number), x=x + 6, y=y + 4, class_="fig-letter curve-letter")


def _grid(low: float, high: float, place: Any, first: float) -> Iterable[Markup]:
    for part in range(5):
        value = low + (high - low) * part / 4
        _, y = place(first, value)
        yield element("line", x1=_LEFT, x2=_WIDE - 30, y1=y, y2=y, class_="fig-grid")
        yield element("text", _number(value), x=_LEFT - 8, y=y + 4, class_="fig-tick fig-end")


def _ends(first: int, last: int, across: str) -> Iterable[Markup]:
    y = _TALL - 10
    yield element("text", f"{across} {first:,}", x=_LEFT, y=y, class_="fig-tick fig-start")
    yield element("text", f"{last:,}", x=_WIDE - 30, y=y, class_="fig-tick fig-end")


def histogram(name: str, title: str, found: Mapping[str, Any]) -> Markup:
    """How numbers spread: as many bars as bins, with the lowest, the median and the highest said."""
    counts, edges = found["counts"], found["edges"]
    wide, tall, base = 340, 130, 104
    most, low, high = max([*counts, 1]), edges[0], edges[-1]
    step = (wide - 8) / len(counts)
    parts = [
        element(
            "rect",
            element("title", f"{_number(edges[at])} … {_number(edges[at + 1])}: {count:,}"),
            x=4 + at * step + 0.75,
            y=base - (base - 8) * count / most,
            width=step - 1.5,
            height=(base - 8) * count / most,
            class_="bin",
        )
        for at, count in enumerate(counts)
    ]
    median = 4 + (wide - 8) * ((found["median"] - low) / (high - low) if high > low else 0.5)
    parts += [
        element("line", x1=4, x2=wide - 4, y1=base, y2=base, class_="fig-whisker"),
        element("line", x1=median, x2=median, y1=6, y2=base, class_="median"),
        element("text", _number(found["lowest"]), x=4, y=base + 18, class_="fig-tick fig-start"),
        element("text", _number(found["highest"]), x=wide - 4, y=base + 18, class_="fig-tick fig-end"),
    ]
    said = _(
        "lowest %(low)s, median %(median)s, highest %(high)s",
        low=_number(found["lowest"]),
        median=_number(found["median"]),
        high=_number(found["highest"]),
    )
    return framed(name, title, said, wide, tall, parts, kind="histogram", role="img")


def _number(value: float) -> str:
    """Short, and as exact as its size asks for.

    >>> _number(0.38055), _number(-3.2), _number(1234.5)
    ('0.381', '-3.2', '1,234')
    """
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = max(0, 2 - int(log10(abs(value)) // 1)) if abs(value) >= 0.001 else 5
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
