"""Rate classes as pure arithmetic: the generic cell rate algorithm keeps one time per caller. Source: ITU-T I.371, annex A."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateClass:
    """How many calls a caller may make: `per_s` on average, `burst` at once."""

    per_s: float
    burst: int


def admitted(rate: RateClass, due_s: float, now_s: float) -> tuple[float, float]:
    """Whether a call may go now.

    Takes: `due_s`, what the last admitted call gave, 0 at first. Gives: the new `due_s`, and the seconds to wait (0 is a yes).
    """
    step_s = 1 / rate.per_s
    due_s = max(due_s, now_s)
    wait_s = due_s + step_s - rate.burst * step_s - now_s
    return (due_s, wait_s) if wait_s > 1e-9 else (due_s + step_s, 0.0)  # noqa: PLR2004  # floats
