"""What comes next for whom: shares, overlap, windows, repeats, skips, undo, and that the store alone can rebuild it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from mdr.core.campaigns import Campaign, Item, Rules, returns_after, takers
from mdr.services.campaigns.desk import Desk
from mdr.services.campaigns.progress import consistency, progress
from mdr.services.campaigns.queue import conflicts
from mdr.storage.judgement_events import JudgementEvent
from mdr.types import Query

LANGS = ("en", "th")
PLAIN = Rules(repeats=0)
_numbers = count()


def campaign(
    size: int = 20, annotators: Sequence[str] = (), both: Sequence[int] = (), rules: Rules = PLAIN
) -> Campaign:
    """One question; every third passage is Thai, those in `both` are for two judges."""
    items = [
        Item("q", f"p{n}", "th" if n % 3 == 2 else "en", {}, 1 / max(size, 1), 2 if n in both else 1)
        for n in range(size)
    ]
    queries = {"q": Query("q", "en", "?")}
    return Campaign("c", "C", "sample", LANGS, {0: "no", 3: "yes"}, rules, queries, items, annotators=annotators)


def event(who: str, item: int, action: str = "grade", **more: Any) -> JudgementEvent:
    grade = {"grade": 1} if action in ("grade", "adjudicate") else {}
    name = more.pop("event", f"e{next(_numbers)}")
    where = ("sample", "q", "en", "?", f"p{item}", "en")
    return JudgementEvent(name, datetime.now(UTC), action, who, *where, **(grade | more))


def undo(who: str, of: JudgementEvent) -> JudgementEvent:
    return replace(of, event=f"u{next(_numbers)}", action="withdraw", grade=None, undoes=of.event, annotator=who)


def ahead(desk: Desk, who: str, many: int = 100, **more: Any) -> list[int]:
    return desk.next(who, more.pop("tab", "t"), more.pop("langs", LANGS), more.pop("have", ()), many, **more)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_items_come_in_order_and_what_was_handled_does_not_come_again() -> None:
    desk = Desk(campaign())
    assert ahead(desk, "ann", 3) == [0, 1, 2]
    for item, action in ((0, "grade"), (1, "skip"), (2, "cannot-judge")):
        desk.told(event("ann", item, action))
    assert ahead(desk, "ann", 3, have=(3,)) == [4, 5, 6]
    desk.told(event("ann", 3, "note"))
    assert 3 in ahead(desk, "ann", 3)


def test_only_languages_that_the_judge_reads() -> None:
    desk = Desk(campaign())
    assert ahead(desk, "ann", langs=("en",)) == [n for n in range(20) if n % 3 != 2]
    assert ahead(desk, "bob", langs=("th",)) == []  # the question is English
    assert desk.left("ann", ("en",)) == 14 and desk.left("ann", LANGS) == 20


def test_one_judge_an_item_and_two_where_wanted() -> None:
    desk = Desk(campaign(4, both=(1,)))
    for item in range(4):
        desk.told(event("ann", item))
    assert ahead(desk, "bob") == [1]
    desk.told(event("bob", 1))
    assert ahead(desk, "cleo") == []
    desk.told(event("dora", 2, "cannot-judge"))
    whole = progress(desk)
    assert (whole.wanted, whole.done, whole.remaining) == (5, 5, 0)


def test_what_cannot_be_judged_by_one_may_be_by_another() -> None:
    desk = Desk(campaign(1))
    desk.told(event("ann", 0, "cannot-judge", note="broken"))
    assert ahead(desk, "ann") == [] and ahead(desk, "bob") == [0]


def test_desks_and_windows_hold_different_items() -> None:
    clock = Clock()
    desk = Desk(campaign(9, both=(0,)), clock=clock)
    assert ahead(desk, "ann", 3) == [0, 1, 2]
    assert ahead(desk, "bob", 3) == [0, 3, 4]  # item 0 wants two
    assert ahead(desk, "cleo", 2) == [5, 6]
    assert ahead(desk, "ann", 2, tab="second") == [7, 8]
    assert ahead(desk, "ann", 3) == [0, 1, 2]  # a window that is reloaded gets its own again
    clock.now += 3600  # nobody came back
    assert ahead(desk, "dora", 3) == [0, 1, 2]


def test_named_judges_have_their_shares_and_help_only_when_they_say_so() -> None:
    plan = campaign(30, ("ann", "bob"), both=range(0, 30, 5))
    desk = Desk(plan)
    mine = [n for n in range(30) if "ann" in takers(plan.items[n], plan.annotators, 0)]
    assert ahead(desk, "ann") == mine and set(range(0, 30, 5)) <= set(mine)
    for item in mine:
        desk.told(event("ann", item))
    assert ahead(desk, "ann") == []
    rest = [n for n in range(30) if n not in mine]
    assert ahead(desk, "ann", source="others") == rest
    for item in rest[:2]:
        desk.told(event("ann", item))
    assert not {*rest[:2]} & {*ahead(desk, "bob", tab="x")}


def test_skipped_items_come_again_when_asked_for() -> None:
    desk = Desk(campaign(5))
    desk.told(event("ann", 1, "skip"))
    desk.told(event("ann", 3, "skip"))
    assert ahead(desk, "ann", source="skipped") == [1, 3] and desk.left("ann", LANGS, "skipped") == 2
    desk.told(event("ann", 1))
    desk.told(event("bob", 3))
    assert ahead(desk, "ann", source="skipped") == []


def test_undoing_brings_an_item_back_for_everybody() -> None:
    desk = Desk(campaign(3))
    given = event("ann", 0)
    desk.told(given)
    assert ahead(desk, "bob", 1) == [1]
    desk.told(undo("eve", given))  # not hers
    assert desk.grades(0)
    taken = undo("ann", given)
    desk.told(taken)
    desk.told(taken)
    assert not desk.grades(0) and 0 in ahead(desk, "ann")
    desk.told(given)  # a retry that comes late
    assert not desk.grades(0)


def test_the_same_event_counts_once() -> None:
    desk = Desk(campaign(3))
    given = event("ann", 0)
    for _ in range(3):
        desk.told(given)
    assert desk.handled("ann") == 1 and len(desk.graded_by(0, "ann")) == 1


REPEATING = Rules(repeats=0.4)


def judge_all(desk: Desk, who: str, grade: int = 1) -> list[int]:
    """Grade whatever comes, one by one; gives the order in which it came."""
    came: list[int] = []
    while offered := ahead(desk, who, 1):
        came += offered
        desk.told(event(who, offered[0], grade=grade if offered[0] not in came[:-1] else 3))
    return came


def test_hidden_repeats_come_once_after_a_while_and_tell_about_consistency() -> None:
    plan = campaign(80, rules=REPEATING)
    desk = Desk(plan)
    came = judge_all(desk, "ann", grade=2)
    twice = {item for item in came if came.count(item) == 2}
    assert twice and max(came.count(item) for item in came) == 2
    for item in twice:
        gap = returns_after(plan.items[item], "ann", REPEATING)
        first, second = (at for at, it in enumerate(came) if it == item)
        assert gap is not None and second - first > 12
    own = consistency(desk, "ann")
    assert (own.same, own.near, own.far) == (0, len(twice), 0)
    assert progress(desk).done == 80  # a repeat counts for nobody
    assert judge_all(desk, "bob") == []


def test_a_repeat_that_was_lost_on_its_way_comes_again() -> None:
    """An answer may not reach the page, and somebody else's window may have held the item before."""
    clock = Clock()
    desk = Desk(campaign(60, rules=Rules(repeats=1.0)), clock=clock)
    assert ahead(desk, "bob", 60)
    clock.now += 3600  # bob has gone
    for item in range(40):
        desk.told(event("ann", item))
    lost = ahead(desk, "ann", 3)
    assert lost and max(lost) < 40, "repeats are due"
    assert ahead(desk, "ann", 3) == lost


def test_a_correction_is_no_repeat() -> None:
    desk = Desk(campaign(5))
    first = event("ann", 0)
    for one in (first, undo("ann", first), event("ann", 0, grade=3), event("ann", 0, grade=0)):
        desk.told(one)
    assert consistency(desk, "ann").repeats == 0


def test_a_desk_is_rebuilt_from_its_events() -> None:
    plan = campaign(60, ("ann", "bob"), both=range(0, 60, 4), rules=REPEATING)
    live, events = Desk(plan), []
    for turn in range(40):
        for who in ("ann", "bob"):
            for item in ahead(live, who, 1):
                action = ("grade", "skip", "grade", "cannot-judge")[turn % 4]
                events.append(event(who, item, action, **({"note": "x"} if action == "cannot-judge" else {})))
                live.told(events[-1])
                if turn % 7 == 6:
                    events.append(undo(who, events[-1]))
                    live.told(events[-1])
    again = Desk(plan, events)
    assert again.of_item == live.of_item and again.of_judge == live.of_judge
    assert progress(again) == progress(live)
    for who in ("ann", "bob"):
        assert ahead(again, who, tab="new") == ahead(live, who)


def test_events_of_items_that_are_gone_are_passed_over() -> None:
    desk = Desk(campaign(2), [event("ann", 7), event("ann", 1)])
    assert desk.handled("ann") == 1


def test_conflicts_are_the_widest_first_until_somebody_decides() -> None:
    desk = Desk(campaign(4, both=range(4)))
    for item, (one, other) in enumerate([(0, 1), (2, 2), (3, 0), (1, 2)]):
        desk.told(event("ann", item, grade=one))
        desk.told(event("bob", item, grade=other))
    assert [number for number, _ in conflicts(desk)] == [2, 0, 3]
    assert [said.grade for said in conflicts(desk)[0][1]] == [0, 3]
    decided = event("chief", 2, "adjudicate", grade=1)
    desk.told(decided)
    assert [number for number, _ in conflicts(desk)] == [0, 3]
    desk.told(undo("chief", decided))
    assert [number for number, _ in conflicts(desk)] == [2, 0, 3]


@pytest.mark.parametrize("have", [(-1, 10**9), range(50)])
def test_odd_numbers_break_nothing(have: Sequence[int]) -> None:
    desk = Desk(campaign(5))
    assert set(ahead(desk, "ann", have=have)) <= set(range(5))
    assert ahead(desk, "", 0) == []
    assert Desk(campaign(0)).next("ann", "t", LANGS, (), 5) == []
