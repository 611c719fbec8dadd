"""Where a leg goes, and the clocks by which it may: what delivery and the feeds are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.core.manifests import Manifest
from gateway.reads.authoritative import ErpSide
from gateway.store.journal import Claimed


class Place(NamedTuple):
    """Where a leg goes, in the content its intent was accepted with."""

    side: ErpSide
    manifest: Manifest


class Places(Protocol):
    """Finds the place of a leg. Raises: Broken: the content is gone."""

    async def of(self, leg: Claimed) -> Place: ...


class StoreClock:
    """The database's time, from the machine's and the difference that was seen last: what instances must agree on."""

    def __init__(self, machine_us: Callable[[], int]) -> None:
        self._machine_us, self._ahead_us = machine_us, 0

    def __call__(self) -> int:
        return self._machine_us() + self._ahead_us

    def seen(self, database_us: int) -> None:
        """The database said what time it is."""
        self._ahead_us = database_us - self._machine_us()


@dataclass(slots=True)
class Lease:
    """Until when this instance may send: by its own clock that counts suspended time, and as others see it."""

    until_boot_s: float = float("inf")
    until_wall_us: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """`call_s` is how long one call may take. `wall_us`, `steady_s` and `boot_s` are clocks: of the day, of the event loop,
    and one that counts suspended time. `chance` gives [0, 1).
    """

    call_s: float
    wall_us: StoreClock
    steady_s: Callable[[], float]
    boot_s: Callable[[], float]
    chance: Callable[[], float]

    def deadline_s(self) -> float:
        """Until when a call that begins now may take, by the clock of the event loop."""
        return self.steady_s() + self.call_s
