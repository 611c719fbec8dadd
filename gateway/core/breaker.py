"""A circuit breaker as a pure state machine: after enough failures in a row an ERP is left alone, then tried with one call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of one ERP's path. Times are seconds of any steady clock."""

    failures_to_open: int = 5
    open_for_s: float = 10.0
    state: State = "closed"
    failures: int = 0
    opened_at_s: float = 0.0


def may_call(breaker: Breaker, now_s: float) -> tuple[Breaker, bool]:
    """Whether a call may go out now; an open breaker whose time is over lets exactly one through."""
    if breaker.state == "closed":
        return breaker, True
    if breaker.state == "open" and now_s - breaker.opened_at_s >= breaker.open_for_s:
        return replace(breaker, state="half_open", opened_at_s=now_s), True
    if breaker.state == "half_open" and now_s - breaker.opened_at_s >= breaker.open_for_s:
        # The trial call never reported back: let another one try.
        return replace(breaker, opened_at_s=now_s), True
    return breaker, False


def would_call(breaker: Breaker, now_s: float) -> bool:
    """Whether a call would be let out now, without letting it out."""
    return may_call(breaker, now_s)[1]


def succeeded(breaker: Breaker) -> Breaker:
    """The ERP answered; a refusal is an answer too."""
    if breaker.state == "closed" and not breaker.failures:
        return breaker  # nearly always
    return replace(breaker, state="closed", failures=0)


def failed(breaker: Breaker, now_s: float) -> Breaker:
    """The ERP did not answer."""
    failures = breaker.failures + 1
    if breaker.state == "half_open" or failures >= breaker.failures_to_open:
        return replace(breaker, state="open", failures=failures, opened_at_s=now_s)
    return replace(breaker, failures=failures)


def retry_after_s(breaker: Breaker, now_s: float) -> float:
    """Seconds until the next call may be tried."""
    return max(0.0, breaker.opened_at_s + breaker.open_for_s - now_s)
