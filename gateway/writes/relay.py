"""Carries what this instance owns, takes up what is due, and keeps the lease under which it may.

Source: the write protocol, sections 1.5 and 1.6.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.core.intents import LegRef
from gateway.core.settling import US
from gateway.observe.logs import log
from gateway.store.journal import Claimed, Journal
from gateway.store.sql import StoreDown
from gateway.writes.delivery import Delivery
from gateway.writes.place import Timing
from gateway.writes.prepare import Begun

LegId = tuple[str, str, int]
"""An intent, a side, and the fence under which the leg is owned."""
OWN_PART = 2 / 3
"""How much of its lease an instance believes in itself."""
TAKEN_OVER_S = 4.0
"""What the dead own is looked for at least so often."""


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """`replication` legs per ERP that nobody waits for, and seconds."""

    replication: int = 8
    poll_s: float = 0.2
    lease_s: float = 6.0


class Relay:
    """The legs of one instance.

    Takes: `erps`, those there are now; `alone`, that no other instance has this store. `room` says how many legs that nobody waits
    for an ERP may get now; `carried` is called with each intent whose leg is carried no more.
    """

    def __init__(
        self,
        journal: Journal,
        delivery: Delivery,
        timing: Timing,
        instance: str,
        erps: Callable[[], Iterable[str]],
        limits: RelayLimits,
        *,
        alone: bool,
    ) -> None:
        self._journal, self._delivery, self._timing, self._instance = journal, delivery, timing, instance
        self._erps, self._limits, self._alone = erps, limits, alone
        delivery.moves.go, delivery.moves.has_room, delivery.lost = self._go, self._has_room, self._lost
        delivery.moves.carry = self.carry
        self.room: Callable[[str], int] = lambda erp: limits.replication
        self.carried: Callable[[str], None] = lambda intent: None
        self._behind: Counter[str] = Counter()
        """Legs under way per ERP that nobody waits for."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._full = False
        """Legs are due that found no room: whoever makes room wakes the relay."""
        self._carrying: set[LegId] = set()
        self._strays: set[LegId] = set()
        self._idle: set[LegId] = set()

    async def start(self) -> None:
        """Take up what is owed, and go on doing so. Raises: StoreDown."""
        if self._alone:
            await self._journal.alone(self._instance)
        await self._beat()
        self._loops = [asyncio.create_task(self._relay()), asyncio.create_task(self._heart())]

    async def stop(self, drain_s: float = 0.0) -> None:
        """End: what is being carried gets `drain_s` seconds, the rest is in the journal."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self._tasks and drain_s > 0:
            await asyncio.wait(set(self._tasks), timeout=drain_s)
        for task in set(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(StoreDown):
            await self._journal.leave(self._instance)
        await self._journal.database.close()

    def keep(self, task: asyncio.Task[Any]) -> None:
        """A task that ends with this instance. Whoever waits for it hears of its error; where nobody does, nobody need."""
        self._tasks.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    def stray(self, id_: LegId) -> None:
        """A leg may be ours in the journal and nobody carries it: it is freed at the next beat, as if its owner had died."""
        self._strays.add(id_)

    # Carrying

    def carry(self, leg: Claimed, begun: Begun | None = None) -> None:
        """Carry a leg that this instance owns, and that nobody asked for just now, in a task of its own."""
        self.keep(asyncio.create_task(self._behind_others(leg, begun)))

    async def _behind_others(self, leg: Claimed, begun: Begun | None) -> None:
        self._behind[leg.erp] += 1
        try:
            await self.carry_now(leg, begun)
        finally:
            self._behind[leg.erp] -= 1

    async def carry_now(self, leg: Claimed, begun: Begun | None = None) -> None:
        """Carry a leg that this instance owns."""
        self._carrying.add(_id(leg))
        try:
            await self._delivery.carry(leg, begun)
        except StoreDown as err:
            log.error("leg.unjournalled", intent=leg.intent.id, side=leg.ref.side, reason=str(err))
            self._lost(leg)
        except Exception as err:  # one leg's trouble is not the others'
            log.error("leg.failed", intent=leg.intent.id, side=leg.ref.side, exc_info=err)
            self._lost(leg)
        finally:
            self._carrying.discard(_id(leg))
            self.carried(leg.intent.id)
            if self._full:
                self._wake.set()

    def _lost(self, leg: Claimed) -> None:
        self.stray(_id(leg))

    def _has_room(self) -> bool:
        """Whether legs may be handed over here; where an ERP can take none, they wait in the journal and not in its line."""
        few = sum(self._behind.values()) < self._limits.replication * 4
        room = few and all(self.room(erp) > 0 for erp in self._erps())
        self._full = self._full or not room
        return room

    async def _go(self, refs: tuple[LegRef, ...]) -> None:
        for leg in await self._journal.owned(refs):
            self.carry(leg)

    # Taking up what is due

    async def _relay(self) -> None:
        while True:
            busy = False
            with suppress(StoreDown):  # the gateway's look at the store says so
                busy = await self.relay_once()
            if not busy:
                # Not `wait_for`: in Python 3.11 it takes a wake-up in the moment of the end for a reason to go on.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.poll_s):
                        await self._wake.wait()
            self._wake.clear()

    async def relay_once(self) -> bool:
        """Claim what is due, up to what each ERP may get. Gives: whether there may be more."""
        more = self._full = False
        for erp in self._erps():
            if not await self._journal.due(erp, self._timing.wall_us()):
                continue
            room = min(self._limits.replication - self._behind[erp], self.room(erp))
            if room <= 0:
                self._full = True
                continue
            claimed = await self._journal.claim(self._instance, erp, self._timing.wall_us(), room)
            for leg in claimed:
                self.carry(leg)
            more = more or len(claimed) == room
        return more

    # The lease

    async def _heart(self) -> None:
        beat_s = min(self._limits.lease_s / 3, TAKEN_OVER_S)
        wait_s = beat_s
        while True:
            await asyncio.sleep(wait_s)
            # Tried sooner again than it is due, so that a short trouble of the store costs no lease.
            wait_s = beat_s / 4
            with suppress(StoreDown):
                await self._beat()
                wait_s = beat_s

    async def _beat(self) -> None:
        """Renew the lease, and free what the dead and the lost own."""
        before_s, lease_us = self._timing.boot_s(), int(self._limits.lease_s * US)
        now_us = await self._journal.beat(self._instance, lease_us)
        self._timing.wall_us.seen(now_us)
        lease = self._delivery.lease
        # It fences itself well before the others think it dead: clocks differ, and a call takes its time.
        lease.until_boot_s = before_s + self._limits.lease_s * OWN_PART
        lease.until_wall_us = now_us + lease_us
        await self._look_for_orphans()
        # Those that a broken store leaves out here are found as orphans by one of the next beats.
        strays, self._strays = self._strays, set()
        freed = await self._journal.take_over(sorted(strays))
        if freed:
            log.info("legs.taken_over", count=freed)
            self._wake.set()

    async def _look_for_orphans(self) -> None:
        """Legs in our name that nobody here carries, twice in a row: the store broke after it had handed them to us."""
        idle = await self._journal.held(self._instance) - self._carrying
        self._strays |= idle & self._idle
        self._idle = idle


def _id(leg: Claimed) -> LegId:
    return leg.ref.intent, leg.ref.side, leg.ref.fence
