"""The line: nobody takes more than their share, nobody waits for ever, and who hangs up makes room."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import loops
import pytest

from mdr.core.permissions import Person
from mdr.core.stopping import still_wanted
from mdr.errors import BusyError, StoppedError
from mdr.settings import Settings
from mdr.ui.door import admission as module
from mdr.ui.door.admission import RATES, Admission, kind, limits
from mdr.ui.door.line import Limits, Place, Turns

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


def test_everybody_who_is_refused_comes_back_at_a_time_of_their_own() -> None:
    line, clock = Admission(Limits(2, waiting=0)), Clock()
    fast = Admission(clock=clock)

    async def told(admission: Admission, number: int, where: str) -> float:
        try:
            async with admission.admitted("search", SEARCH, visitor(number), where, never):
                await asyncio.sleep(0.05)
                return 0.0
        except BusyError as error:
            return error.seconds

    async def all(admission: Admission, where: Callable[[int], str], count: int) -> list[float]:
        return list(await asyncio.gather(*(told(admission, number, where(number)) for number in range(count))))

    waits = run(all(line, address, 42))[2:]
    assert waits == sorted(waits) and 4.5 < waits[-1] - waits[0] < 5.5, "an eighth of a second from one to the next"
    burst, second = RATES["search"].burst * 10, RATES["search"].second * 10
    waits = run(all(fast, lambda number: "192.0.2.1", int(burst) + 200))
    refused = [wait for wait in waits if wait]
    assert len(refused) >= 130 and max(refused) > 5, "all visitors of one address share"
    clock.now += 60
    assert run(told(fast, 0, "192.0.2.1")) == 0.0 and second == 20
    assert Turns(1).next(0.0, 500) == 30, "nobody is sent away for long"


def test_so_many_run_so_many_wait_and_the_rest_come_back_later() -> None:
    line, running, most = Admission(Limits(3, waiting=4)), 0, 0

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1

    async def all() -> list[str]:
        return list(await asyncio.gather(*(search(line, number, work()) for number in range(20))))

    said = run(all())
    assert most == 3 and said.count("found") == 7 and said.count("too much is asked at once") == 13
    assert run(all()).count("found") == 7, "the places are free again"


def test_one_visitor_takes_a_few_places_only() -> None:
    line = Admission(Limits(8, each=2))

    async def all() -> list[str]:
        return list(await asyncio.gather(*(search(line, 1, asyncio.sleep(0.02)) for _ in range(5))))

    assert run(all()).count("found") == 2


def test_waiting_ends() -> None:
    line = Admission(Limits(1, patience=0.02))

    async def all() -> list[str]:
        return list(await asyncio.gather(*(search(line, number, asyncio.sleep(0.2)) for number in range(2))))

    assert run(all()) == ["found", "this did not come to its turn"]


def test_who_hangs_up_or_breaks_makes_room() -> None:
    line = Admission(Limits(1))

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
        assert await first == "found" and left == "this did not come to its turn"
        return await search(line, 4, asyncio.sleep(0))

    assert run(all()) == "found"


async def hung_up_when(leaves: asyncio.Event) -> None:
    await leaves.wait()


def working(began: threading.Event) -> None:
    """Work that would never end by itself, in pieces."""
    while True:
        still_wanted()
        began.set()


def test_work_stops_when_whoever_asked_hangs_up() -> None:
    line, began = Admission(Limits(1)), threading.Event()

    async def leave(event: asyncio.Event) -> None:
        await asyncio.to_thread(began.wait)
        event.set()

    async def all() -> None:
        event = asyncio.Event()
        leaving = asyncio.ensure_future(leave(event))
        with pytest.raises(StoppedError, match="whoever asked has gone"):
            async with line.admitted("search", SEARCH, visitor(1), address(1), lambda: hung_up_when(event)):
                await asyncio.to_thread(working, began)
        await leaving

    run(all())
    assert line.lines["search"].stopped["gone"] == 1
    assert line.lines["search"].inside == line.lines["search"].running == 0, "it made room"


def test_work_stops_at_the_end_of_its_time_and_the_next_has_its_own() -> None:
    line = Admission(Limits(1, seconds=0.05))

    async def all() -> None:
        for _ in range(2):
            with pytest.raises(StoppedError, match=r"longer than the 0\.05 seconds") as caught:
                async with line.admitted("search", SEARCH, visitor(1), address(1), never):
                    await asyncio.to_thread(working, threading.Event())
            assert "try again" in caught.value.remedy
        still_wanted()  # out here nobody has set a limit

    run(all())
    assert line.lines["search"].stopped["late"] == 2


def test_who_has_the_answer_makes_room_however_slowly_it_is_read() -> None:
    line = Admission(Limits(1, patience=5))

    async def all() -> str:
        async with line.admitted("search", SEARCH, visitor(1), address(1), never) as place:
            assert isinstance(place, Place)
            place.leave()
            place.leave()  # the second word of the answer
            assert line.lines["search"].inside == 0
            return await search(line, 2, asyncio.sleep(0))

    assert run(all()) == "found" and line.lines["search"].stopped.total() == 0


def test_pieces_of_pages_wait_in_a_line_of_their_own() -> None:
    line = Admission(Limits(1, waiting=0), Limits(1, waiting=0))

    async def all() -> list[str]:
        async def piece(number: int) -> str:
            try:
                async with line.admitted("compute", "/mdr/why", visitor(number), address(number), never):
                    await asyncio.sleep(0.02)
                    return await search(line, 10 + number, asyncio.sleep(0))
            except BusyError as error:
                return error.problem

        return list(await asyncio.gather(piece(1), piece(2)))

    assert run(all()) == ["found", "too much is asked at once"]
    assert line.lines["compute"].refused == {"full": 1}


def test_limits_are_settings() -> None:
    few = Settings(searches=3, searches_waiting=5, searches_each=1, search_patience=2, search_seconds=7)
    assert limits(few) == Limits(3, 5, 1, 2, 7)
    assert 1 <= limits(Settings()).running <= 8


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
    assert len(line._buckets) <= 10 and not line.lines["search"].held


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("POST", SEARCH, "search"),
        ("POST", "/gradio_api/queue/join", "search"),
        ("POST", "/gradio_api/mcp/", "search"),
        ("GET", "/gradio_api/queue/data", None),
        ("POST", "/gradio_api/upload", "upload"),
        ("POST", "/mdr/grade", "save"),
        ("POST", "/mdr/runs/start", "run"),
        ("POST", "/mdr/evaluate/start", "run"),
        ("GET", "/mdr/passage", "look"),
        ("GET", "/mdr/evaluate/progress", "look"),
        ("GET", "/mdr/evaluate", "compute"),
        ("HEAD", "/mdr/compare", "compute"),
        ("GET", "/mdr/likelihood", "compute"),
        ("GET", "/", None),
    ],
)
def test_what_counts_as_what(method: str, path: str, what: str | None) -> None:
    assert kind(method, path) == what
