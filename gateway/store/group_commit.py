"""Group commit: what waits goes into one transaction, and whoever waits hears of it after the commit, not before."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from gateway.store.sql import StoreDown

C = TypeVar("C")
V = TypeVar("V")
Carry = Callable[[Sequence[C]], Awaitable[Sequence[V]]]
MOST = 64
"""In one transaction. On SQLite its statements run on the event loop: everybody else waits for so many."""
WAITING = 20_000


class GroupCommit(Generic[C, V]):
    """Collects commands while a transaction runs and gives them to the next one.

    Takes: `carry`, which does a batch in one transaction and gives one verdict for each command; `writers`, how many
    transactions may run at once.
    """

    def __init__(self, carry: Carry[C, V], writers: int = 1) -> None:
        self._carry, self._writers = carry, writers
        self._waiting: deque[tuple[C, asyncio.Future[V]]] = deque()
        self._writing = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def do(self, command: C) -> V:
        """Raises: StoreDown, or what the command alone raised."""
        if len(self._waiting) >= WAITING:
            raise StoreDown("too many writes wait for the journal", unsure=False)
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        if self._writing < self._writers:
            self._writing += 1
            task = asyncio.create_task(self._write())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
                await self._together(batch)
        finally:
            # Counted down here and not in a callback of the task: who comes in between would wait for nobody.
            self._writing -= 1

    async def _together(self, batch: list[tuple[C, asyncio.Future[V]]]) -> None:
        try:
            verdicts = await self._carry([command for command, _ in batch])
        except Exception as err:
            await self._apart(batch, err)
            return
        for (_, future), verdict in zip(batch, verdicts, strict=True):
            if not future.done():
                future.set_result(verdict)

    async def _apart(self, batch: list[tuple[C, asyncio.Future[V]]], error: Exception) -> None:
        """One bad command must not fail its mates: each gets a transaction of its own, unless the store is what failed."""
        if len(batch) == 1 or isinstance(error, StoreDown):
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for one in batch:
            await self._together([one])
