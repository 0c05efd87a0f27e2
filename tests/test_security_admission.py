"""The line: nobody takes more than their share, nobody waits for ever, and who hangs up makes room."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import loops
import pytest

from mdr.core.permissions import Person
from mdr.errors import BusyError
from mdr.ui import admission as module
from mdr.ui.admission import RATES, Admission, kind

SEARCH = "/gradio_api/run/predict"


class Clock:
    """A time that tests move."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def visitor(number: int) -> Person:
    return Person(f"visitor-{number}")


def address(number: int) -> str:
    return f"192.0.2.{number}"


async def never() -> None:
    await asyncio.Event().wait()


async def search(
    line: Admission, number: int, work: Awaitable[Any], gone: Callable[[], Awaitable[object]] = never
) -> str:
    """One search by a visitor of their own."""
    try:
        async with line.admitted("search", SEARCH, visitor(number), address(number), gone):
            await work
            return "found"
    except BusyError as error:
        return error.problem


def run(work: Awaitable[Any]) -> Any:
    async def bounded() -> Any:
        return await asyncio.wait_for(work, 20)

    return loops.run(bounded())


def test_so_many_run_so_many_wait_and_the_rest_come_back_later() -> None:
    line, running, most = Admission(running=3, waiting=4), 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1

    async def all() -> list[str]:
        return list(await asyncio.gather(*(search(line, number, work()) for number in range(20))))

    said = run(all())
    assert most == 3 and said.count("found") == 7 and said.count("too many searches are under way") == 13
    assert run(all()).count("found") == 7, "the places are free again"


def test_one_visitor_takes_a_few_places_only() -> None:
    line = Admission(running=8, each=2)

    async def all() -> list[str]:
        return list(await asyncio.gather(*(search(line, 1, asyncio.sleep(0.02)) for _ in range(5))))

    assert run(all()).count("found") == 2


def test_waiting_ends() -> None:
    line = Admission(running=1, patience=0.02)

    async def all() -> list[str]:
        return list(await asyncio.gather(*(search(line, number, asyncio.sleep(0.2)) for number in range(2))))

    assert run(all()) == ["found", "the search did not come to its turn"]


def test_who_hangs_up_or_breaks_makes_room() -> None:
    line = Admission(running=1)

    async def broken() -> None:
        raise ValueError

    async def all() -> str:
        with pytest.raises(ValueError):
            await search(line, 0, broken())
        first = asyncio.ensure_future(search(line, 1, asyncio.sleep(0.05)))
        await asyncio.sleep(0)
        left = await search(line, 2, never(), gone=lambda: asyncio.sleep(0))
        cut = asyncio.ensure_future(search(line, 3, never()))
        await asyncio.sleep(0)
        cut.cancel()
        assert await first == "found" and left == "the search did not come to its turn"
        return await search(line, 4, asyncio.sleep(0))

    assert run(all()) == "found"


def test_rates_are_held_and_come_back() -> None:
    clock = Clock()
    line = Admission(clock=clock)

    def asks(what: str, person: Person, where: str) -> bool:
        async def ask() -> None:
            async with line.admitted(what, "/mdr/x", person, where, never):
                pass

        try:
            run(ask())
        except BusyError as error:
            assert error.seconds >= 1
            return False
        return True

    burst = int(RATES["save"].burst)
    assert [asks("save", visitor(1), address(1)) for _ in range(burst + 1)] == [True] * burst + [False]
    assert asks("save", visitor(2), address(1)), "another visitor at that address"
    assert asks("look", visitor(1), address(1)), "another kind"
    clock.now += 1.0
    assert asks("save", visitor(1), address(1))
    judge = Person("Ana", "judge")
    assert all(asks("save", judge, address(1)) for _ in range(3 * burst)), "who signed in has far more"
    wide = [asks("save", Person(""), address(9)) for _ in range(10 * burst + 1)]
    assert wide == [True] * 10 * burst + [False], "throwing cookies away does not help"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 10)
    line = Admission(clock=Clock())

    async def all() -> None:
        for number in range(100):
            async with line.admitted("save", "/mdr/x", visitor(number), address(number), never):
                pass

    run(all())
    assert len(line._buckets) <= 10 and not line._held


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("POST", SEARCH, "search"),
        ("POST", "/gradio_api/queue/join", "search"),
        ("POST", "/gradio_api/mcp/", "search"),
        ("GET", "/gradio_api/queue/data", None),
        ("POST", "/gradio_api/upload", "upload"),
        ("POST", "/mdr/grade", "save"),
        ("GET", "/mdr/passage", "look"),
        ("GET", "/", None),
    ],
)
def test_what_counts_as_what(method: str, path: str, what: str | None) -> None:
    assert kind(method, path) == what
