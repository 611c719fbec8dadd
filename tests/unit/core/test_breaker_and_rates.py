"""The circuit breaker and the rate classes, as arithmetic over a clock that is an argument."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core import breaker as circuit
from gateway.core.rates import RateClass, admitted


def test_after_five_silences_the_erp_is_left_alone_and_then_tried_once() -> None:
    state = circuit.Breaker(failures_to_open=5, open_for_s=10)
    for second in range(5):
        state, allowed = circuit.may_call(state, second)
        assert allowed
        state = circuit.failed(state, second)
    assert circuit.may_call(state, 5)[1] is False
    assert circuit.retry_after_s(state, 5) == 9
    trial, allowed = circuit.may_call(state, 14)
    assert (trial.state, allowed) == ("half_open", True)
    assert circuit.may_call(trial, 14)[1] is False
    assert circuit.may_call(circuit.succeeded(trial), 14)[1] is True


def test_a_failed_trial_opens_again_at_once() -> None:
    state = circuit.Breaker(state="half_open", failures=5)
    assert circuit.failed(state, 3).state == "open"


def test_a_trial_that_never_reports_back_does_not_close_the_door_for_ever() -> None:
    state, _ = circuit.may_call(circuit.Breaker(state="open", opened_at_s=0), 20)
    assert circuit.may_call(state, 31)[1] is True


@given(st.floats(0.5, 100), st.integers(1, 50), st.lists(st.floats(0, 2), max_size=200))
def test_no_window_lets_through_more_than_burst_and_rate(per_s: float, burst: int, gaps: list[float]) -> None:
    rate, due, now, passed = RateClass(per_s, burst), 0.0, 100.0, []
    for gap in gaps:
        now += gap
        due, wait = admitted(rate, due, now)
        if wait == 0:
            passed.append(now)
    for i, start in enumerate(passed):
        for count, end in enumerate(passed[i:], start=1):
            assert count <= burst + (end - start) * per_s + 1e-6


def test_a_caller_who_waits_as_told_is_let_in() -> None:
    rate = RateClass(per_s=2, burst=1)
    due, _ = admitted(rate, 0, 10)
    due, wait = admitted(rate, due, 10)
    assert wait > 0
    assert admitted(rate, due, 10 + wait)[1] == 0
