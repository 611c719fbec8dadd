"""The database: SQLite by default, PostgreSQL by URL. The only place that opens one."""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.errors import StoreUnusable
from gateway.store.postgres import Postgres
from gateway.store.sql import Database, ThreadedSqlite, prepare

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


def database_url(text: str) -> URL:
    """A database URL with the driver the store uses. Raises: StoreUnusable."""
    try:
        url = make_url(text)
    except ArgumentError as err:
        raise StoreUnusable(f"not a database URL: {text!r}") from err
    family = url.drivername.partition("+")[0]
    if family not in _DRIVERS:
        raise StoreUnusable(f"no store for {family!r}: use sqlite:///file.db or postgresql://...")
    return url.set(drivername=_DRIVERS[family])


class Store:
    """An opened database."""

    def __init__(self, url: str) -> None:
        self.url = database_url(url)
        self.is_sqlite = self.url.drivername.startswith("sqlite")
        self._owned: IO[str] | None = None
        options: dict[str, Any] = {} if self.is_sqlite else {"pool_size": 5, "max_overflow": 5, "pool_pre_ping": True}
        self.engine: AsyncEngine = create_async_engine(self.url, **options)
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_immediate)

    @property
    def exists(self) -> bool:
        """Whether there may be something to look at: a SQLite file that nobody made is not made by looking for it."""
        return not self.is_sqlite or (bool(self.url.database) and Path(str(self.url.database)).exists())

    def make_room(self) -> None:
        """The folder of a SQLite file."""
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)

    def journal_database(self) -> Database:
        """A database for the journal, beside the engine that everything slower uses."""
        if self.is_sqlite:
            return ThreadedSqlite(str(self.url.database or ":memory:"))
        return Postgres(self.url.set(drivername="postgresql").render_as_string(hide_password=False))

    def own(self) -> None:
        """Take sole ownership of a SQLite file. Raises: StoreUnusable: another gateway has it."""
        if not self.is_sqlite or not self.url.database:
            return
        self.make_room()
        lock = Path(self.url.database + ".lock").open("w")  # noqa: SIM115  # held until close()
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            lock.close()
            raise StoreUnusable(f"another gateway serves from {self.url.database}; several need PostgreSQL") from err
        self._owned = lock

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end, rolled back by any error."""
        async with self.engine.begin() as connection:
            yield connection

    async def close(self) -> None:
        await self.engine.dispose()
        if self._owned is not None:
            self._owned.close()


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The driver must not open transactions by itself: BEGIN IMMEDIATE below takes the write lock before anything is read.
    connection.isolation_level = None
    cursor = connection.cursor()
    prepare(cursor.execute)
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
