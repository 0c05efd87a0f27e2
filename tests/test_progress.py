"""Events as people see them: lines where there is no terminal, bars where there is one, honest about the time left."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mdr.cli import progress
from mdr.cli.progress import telling
from mdr.types import Event


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time as the test sets it."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def told(events: list[tuple[float, Event]], clock: list[float]) -> list[str]:
    out = io.StringIO()
    with telling(Console(file=out, width=200)) as tell:
        for now, event in events:
            clock[0] = now
            tell(event)
    return out.getvalue().splitlines()


def count(done: int, total: int = 100, message: str = "counting") -> Event:
    return Event("step", "progress", message, done, total, "things")


def test_lines_say_what_happens(clock: list[float]) -> None:
    events = [
        (0.0, Event("a", "reused", "kind/1")),
        (0.0, Event("b", "started", "kind/2")),
        (0.0, Event("b", "warning", "odd\x1b[2J")),
        (0.0, Event("b", "finished", "5 things")),
    ]
    assert told(events, clock) == ["= a: nothing to do: kind/1", "… b: kind/2", "! b: odd [2J", "✓ b: 5 things"]


def test_progress_is_told_now_and_then_with_the_time_left(clock: list[float]) -> None:
    events = [(second, count(int(second))) for second in (0.0, 1.0, 2.0, 6.0, 7.0, 12.0)]
    assert told(events, clock) == [
        "  step: counting 6 of 100 things, about 94 s left",
        "  step: counting 12 of 100 things, about 88 s left",
    ]


def test_a_resumed_step_is_not_taken_for_a_fast_one(clock: list[float]) -> None:
    assert told([(0.0, count(50)), (10.0, count(60))], clock) == ["  step: counting 60 of 100 things, about 40 s left"]


def test_the_second_count_of_a_step_is_timed_for_itself(clock: list[float]) -> None:
    events = [(0.0, count(0)), (100.0, count(100)), (101.0, count(1)), (106.0, count(11))]
    assert told(events, clock)[-1] == "  step: counting 11 of 100 things, about 44 s left"


def test_an_unknown_total_is_left_out(clock: list[float]) -> None:
    assert told([(0.0, count(0, 0)), (6.0, count(3, 0))], clock) == ["  step: counting 3 things"]


def test_bars_come_and_go() -> None:
    out = io.StringIO()
    with telling(Console(file=out, width=100, force_terminal=True, color_system=None)) as tell:
        for event in (Event("step", "started", "kind/1"), count(10), count(90), Event("step", "warning", "odd")):
            tell(event)
        for event in (count(5, 50, "again"), count(0, 0), Event("step", "finished", "all")):
            tell(event)
    shown = out.getvalue()
    assert "step: counting (things)" in shown
    assert "10/100" in shown
    assert "/" not in shown[shown.index("✓ step: all") :]
    assert shown.index("… step: kind/1") < shown.index("✓ step: all")
