"""Transactions over `Db` on PostgreSQL: each has a connection of a small pool for itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]  # ships no types

from gateway.store.sql import Row, StoreDown, Work

T = TypeVar("T")
READ_S = 5
"""A lookup that takes longer gets no answer any more: whoever asked has a client that waits."""


class PostgresDb:
    """`Db` on an asyncpg connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def rows(self, sql: str, *args: Any) -> Sequence[Row]:
        found: list[Row] = await self._connection.fetch(_for_postgres(sql), *args)
        return found

    async def many(self, sql: str, rows: Iterable[Row]) -> None:
        await self._connection.executemany(_for_postgres(sql), rows)

    async def now_us(self) -> int:
        return int(await self._connection.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"))


@lru_cache(maxsize=256)
def _for_postgres(sql: str) -> str:
    number = iter(range(1, 1000))
    return re.sub(r"\?", lambda _: f"${next(number)}", sql.replace("IN (??)", "= ANY(?)"))


class Postgres:
    """A small pool of connections; each transaction has one for itself."""

    def __init__(self, dsn: str, size: int = 6) -> None:
        self._dsn, self._size = dsn, size
        self._pool: Any = None
        self._opening = asyncio.Lock()
        self._reading: set[asyncio.Task[Any]] = set()

    async def _open(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn, min_size=1, max_size=self._size, command_timeout=30, timeout=5
                )
        return self._pool

    async def transaction(self, work: Work[T]) -> T:
        committing = False
        try:
            pool = self._pool or await self._open()
            async with pool.acquire(timeout=10) as connection:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    result = await work(PostgresDb(connection))
                except BaseException:
                    await _quietly(transaction.rollback)
                    raise
                committing = True
                await transaction.commit()
                return result
        except asyncpg.IntegrityConstraintViolationError:
            raise
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as err:
            raise StoreDown(f"{type(err).__name__}: {err}", unsure=committing) from err

    async def short(self, work: Work[T]) -> T:
        return await self.transaction(work)

    async def read(self, work: Work[T]) -> T:
        # Not cancelled when it takes too long: asyncpg would wait for a server that says nothing to confirm that.
        reading = asyncio.create_task(self._read(work))
        self._reading.add(reading)
        reading.add_done_callback(self._left)
        await asyncio.wait({reading}, timeout=READ_S)
        if not reading.done():
            raise StoreDown(f"the database says nothing for {READ_S} s", unsure=False)
        return reading.result()

    def _left(self, reading: asyncio.Task[Any]) -> None:
        self._reading.discard(reading)
        if not reading.cancelled():
            reading.exception()  # whoever waits has it, or waits no more

    async def _read(self, work: Work[T]) -> T:
        try:
            pool = self._pool or await self._open()
            async with pool.acquire(timeout=READ_S) as connection:
                return await work(PostgresDb(connection))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as err:
            raise StoreDown(f"{type(err).__name__}: {err}", unsure=False) from err

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()


async def _quietly(cleanup: Callable[[], Awaitable[Any]]) -> None:
    """A rollback on a connection that died has nothing left to do."""
    try:
        await cleanup()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return
