"""Rate classes as pure arithmetic: the generic cell rate algorithm keeps one time per caller. Source: ITU-T I.371, annex A."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

_CALLERS_KEPT = 10_000


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


class RateCounters:
    """How far each caller is in its rate class; the least recent are forgotten first."""

    def __init__(self, classes: Mapping[str, RateClass]) -> None:
        self._classes = classes
        self._due: OrderedDict[tuple[str, str], float] = OrderedDict()

    def wait_s(self, caller: str, rate_class: str, now_s: float) -> float | None:
        """Seconds until the caller may go on; None: nobody declared the class."""
        rate = self._classes.get(rate_class)
        if rate is None:
            return None
        due_s, wait_s = admitted(rate, self._due.pop((caller, rate_class), 0.0), now_s)
        self._due[caller, rate_class] = due_s
        if len(self._due) > _CALLERS_KEPT:
            self._due.popitem(last=False)
        return wait_s
