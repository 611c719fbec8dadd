"""An ERP's budget as arithmetic over a clock that is an argument: who goes first, how often, and what each gateway may spend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.budget import EVERY, Admission, Budget, Priority, Seat, priority_of_leg, seated, share

PRIORITIES = st.sampled_from(list(Priority))
INTERACTIVE, REPLICATION, BACKFILL = Priority.INTERACTIVE, Priority.REPLICATION, Priority.BACKFILL


def admission(concurrency: int = 4, per_s: float | None = None, burst: int = 1) -> Admission[object]:
    return Admission(Budget(concurrency, per_s, burst), 1000)


def called(made: Admission[object], now_s: float = 0.0) -> list[int]:
    """Everybody whose turn it is now, by priority."""
    found = []
    while (next_ := made.called(now_s)) is not None:
        found.append(next_[0])
    return found


def test_whoever_a_person_waits_for_goes_before_everything_that_came_earlier() -> None:
    made = admission(1)
    assert made.enter(REPLICATION, 0)
    for priority in reversed(Priority):
        made.queue(priority, object())
    order = []
    for last in [REPLICATION, *Priority]:
        made.leave(last)
        order += called(made)
    assert order == list(Priority)


def test_an_overloaded_erp_still_gets_one_call_in_sixteen_of_what_it_is_owed() -> None:
    made, served, last = admission(1), Counter[int](), INTERACTIVE
    assert made.enter(INTERACTIVE, 0)
    for _ in range(40):
        made.queue(BACKFILL, object())
    for _ in range(10 * EVERY):
        made.queue(INTERACTIVE, object())
        made.queue(INTERACTIVE, object())
        made.leave(last)
        (last,) = called(made)  # type: ignore[assignment]  # one permit, one turn
        served[last] += 1
    assert served == {INTERACTIVE: 10 * (EVERY - 1), BACKFILL: 10}


@given(
    concurrency=st.integers(1, 6),
    arrivals=st.lists(st.lists(PRIORITIES, max_size=4), min_size=1, max_size=60),
)
def test_nobody_waits_for_ever_and_no_permit_is_given_twice(concurrency: int, arrivals: list[list[Priority]]) -> None:
    """Also while people come without end, as fast as they are served."""
    made, running, waiting = admission(concurrency), list[int](), list[tuple[int, int]]()
    number, first = 0, sum(map(len, arrivals))
    for burst in [*arrivals, *([[INTERACTIVE]] * (EVERY * (1 + first)))]:
        for priority in burst:
            number += 1
            waiting.append((number, priority))
            assert made.queue(priority, number)
        if running:
            made.leave(running.pop(0))
        while (next_ := made.called(0)) is not None:
            priority, ticket = next_
            waiting.remove((ticket, priority))  # type: ignore[arg-type]
            running.append(priority)
        assert len(running) <= concurrency
        behind = sum(priority > 0 for priority in running)
        assert concurrency == 1 or behind < concurrency, "one is always kept free for people"
        assert [made.in_use[p] for p in Priority] == [running.count(p) for p in Priority]
    assert all(ticket > first for ticket, _ in waiting)


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (32, 24)])
def test_a_catch_up_leaves_a_quarter_of_an_erp_to_people(concurrency: int, most: int) -> None:
    made = admission(concurrency)
    assert sum(made.enter(REPLICATION, 0) for _ in range(100)) == most
    assert made.room_behind(0) == 0
    assert sum(made.enter(INTERACTIVE, 0) for _ in range(100)) == concurrency - most


@given(per_s=st.floats(0.1, 100), burst=st.integers(1, 20), gaps=st.lists(st.floats(0, 1), min_size=1, max_size=100))
def test_no_window_lets_more_calls_out_than_the_rate_allows(per_s: float, burst: int, gaps: list[float]) -> None:
    made, now_s, out = admission(1000, per_s, burst), 0.0, list[float]()
    for gap in gaps:
        now_s += gap
        made.queue(INTERACTIVE, object())
        while made.called(now_s) is not None:
            out.append(now_s)
    for i, first in enumerate(out):
        assert all(n + 1 <= burst + per_s * (last - first) + 1e-6 for n, last in enumerate(out[i:]))


def test_a_call_over_the_rate_waits_exactly_until_it_is_within() -> None:
    made = admission(8, per_s=2, burst=1)
    assert made.enter(INTERACTIVE, 10)
    assert not made.enter(INTERACTIVE, 10)
    made.queue(INTERACTIVE, object())
    assert made.wait_s(10) == pytest.approx(0.5)
    assert called(made, 10.4) == []
    assert called(made, 10.5) == [INTERACTIVE]
    assert made.wait_s(10.5) is None


def test_while_an_erp_asks_to_be_left_alone_nobody_calls_and_nobody_stands_in_line() -> None:
    made, ticket = admission(1), object()
    made.enter(INTERACTIVE, 0)
    made.queue(REPLICATION, ticket)
    assert made.pause(30) == [ticket]
    made.pause(20)
    made.leave(INTERACTIVE)
    assert (made.waiting, made.room_behind(29), made.enter(INTERACTIVE, 29)) == (0, 0, False)
    assert made.enter(INTERACTIVE, 30)


def test_a_full_line_takes_nobody_and_other_lines_are_not_full_by_that() -> None:
    made: Admission[object] = Admission(Budget(1), 2)
    assert [made.queue(REPLICATION, object()) for _ in range(3)] == [True, True, False]
    assert made.queue(INTERACTIVE, object())


def test_whoever_leaves_the_line_is_not_called() -> None:
    made, first, second = admission(1), object(), object()
    made.queue(REPLICATION, first)
    made.queue(REPLICATION, second)
    made.withdraw(REPLICATION, first)
    made.withdraw(REPLICATION, first)
    assert made.waiting == 1
    assert made.called(0) == (REPLICATION, second)


def test_a_smaller_share_takes_back_no_permit_and_gives_no_new_one_until_it_is_kept() -> None:
    made = admission(4)
    assert all(made.enter(INTERACTIVE, 0) for _ in range(4))
    made.resize(Budget(2))
    made.leave(INTERACTIVE)
    made.leave(INTERACTIVE)
    assert not made.enter(INTERACTIVE, 0)
    made.leave(INTERACTIVE)
    assert made.enter(INTERACTIVE, 0)


@given(st.integers(1, 200), st.floats(0.1, 1000), st.integers(1, 50), st.integers(1, 40))
def test_the_shares_of_all_gateways_are_the_budget(concurrency: int, per_s: float, burst: int, gateways: int) -> None:
    whole = Budget(concurrency, per_s, burst)
    parts = [share(whole, Seat(number, gateways)) for number in range(gateways)]
    assert sum(p.concurrency for p in parts) == max(concurrency, gateways)
    assert sum(p.burst for p in parts) == max(burst, gateways)
    assert sum(p.per_s or 0 for p in parts) == pytest.approx(per_s)
    assert max(p.concurrency for p in parts) - min(p.concurrency for p in parts) <= 1


def looks(me: str, *living: Sequence[str]) -> list[Seat]:
    seats: list[Seat] = []
    for each in living:
        seats.append(seated(seats[-1] if seats else None, me, each))
    return seats


def test_a_new_gateway_asks_for_one_call_at_a_time_until_the_others_have_made_room() -> None:
    seats = looks("b", ["a", "b"], ["a", "b"], ["a", "b"], ["b"])
    assert [share(Budget(10), s).concurrency for s in seats] == [1, 1, 5, 10]
    assert [share(Budget(10), s).concurrency for s in looks("a", ["a"], ["a", "b"])] == [10, 5]


def test_a_gateway_that_slept_through_its_lease_comes_back_as_a_new_one() -> None:
    seats = looks("a", ["a", "b"], ["a", "b"], ["a", "b"], ["b"], ["a", "b"])
    assert [s.fresh > 0 for s in seats] == [True, True, False, True, True]


def test_the_share_of_a_dead_gateway_comes_back() -> None:
    assert looks("a", ["a"], ["a", "b", "c"], ["a", "c"], ["a"])[1:] == [Seat(0, 3), Seat(0, 2), Seat(0, 1)]


def test_what_the_calls_of_a_leg_are_for() -> None:
    def of(*, authoritative: bool = False, settling: bool = False, reopened: bool = False) -> Priority:
        return priority_of_leg(authoritative=authoritative, settling=settling, reopened=reopened)

    assert of(authoritative=True) is Priority.INTERACTIVE
    assert of() is Priority.REPLICATION
    assert of(reopened=True) is Priority.REPLAY
    assert {of(settling=True), of(settling=True, authoritative=True)} == {Priority.SETTLE}
