"""A gateway that is told to stop while writes are ending does."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from gateway.writes.relay import Relay, RelayLimits

STUCK_S = 20
"""Whoever waits so long waits for ever."""


class Journal:
    """Legs are due, and there is no room for them."""

    def __init__(self) -> None:
        self.left = False
        self.database = SimpleNamespace(close=self._nothing)

    async def _nothing(self, *_: Any) -> int:
        return 0

    alone = beat = take_over = _nothing

    async def held(self, _: str) -> set[Any]:
        return set()

    async def due(self, *_: Any) -> bool:
        return True

    async def leave(self, _: str) -> None:
        self.left = True


class Delivery:
    """Ends each leg at once."""

    def __init__(self) -> None:
        self.moves, self.lease = SimpleNamespace(), SimpleNamespace()

    async def carry(self, *_: Any) -> None:
        return None


async def test_it_stops_although_a_write_ends_in_the_same_moment_and_makes_room_for_another() -> None:
    journal, timing = Journal(), SimpleNamespace(wall_us=lambda: 1, boot_s=lambda: 1.0)
    timing.wall_us.seen = lambda _: None  # type: ignore[attr-defined]  # as the store's clock has it
    anything: Any = (journal, Delivery(), timing)
    relay = Relay(*anything, "gw", lambda: ["s4"], RelayLimits(poll_s=3600), alone=True)
    relay.room = lambda _: 0
    await relay.start()
    for _ in range(5):
        await asyncio.sleep(0)
    leg: Any = SimpleNamespace(ref=SimpleNamespace(intent="i", side="cloud", fence=1), intent=SimpleNamespace(id="i"))
    await relay.carry_now(leg)
    stopping = asyncio.create_task(relay.stop())
    await asyncio.wait({stopping}, timeout=STUCK_S)
    assert stopping.done()
    assert journal.left
