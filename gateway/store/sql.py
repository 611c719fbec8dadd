"""One way to say SQL for the hot tables, the same on both databases, in transactions that commit in groups; and how SQLite runs them.

The ORM costs milliseconds per write; here a transaction is a coroutine over `Db`. On SQLite it runs to its end without ever
waiting, in the one thread that owns the connection, or inline in a simulated world.

In statements `?` is a parameter, `IN (??)` takes a list, and row locks are left out where the database has none.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]
Clock = Callable[[], int]
PATIENCE_MS = 5000
"""How long SQLite waits for another connection that writes."""
# Each time it binds a value of these types, sqlite3 looks for an adapter; that it finds none costs more than binding does.
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(type(None), dict[None, None]().get)  # None for None, without a frame of Python
_ITEMS = 64
"""So many items of a list are parameters of their own on SQLite."""
_LOCKS = re.compile(r" FOR (?:UPDATE|SHARE)(?: OF \w+)?(?: SKIP LOCKED)?")


class StoreDown(Exception):
    """The database cannot commit. Whether the last transaction did is not known where `unsure`."""

    def __init__(self, detail: str, *, unsure: bool) -> None:
        super().__init__(detail)
        self.unsure = unsure


class Db(Protocol):
    """One connection within a transaction."""

    async def rows(self, sql: str, *args: Any) -> Sequence[Row]: ...
    async def many(self, sql: str, rows: Iterable[Row]) -> None: ...

    async def now_us(self) -> int:
        """The database's clock: the one that all instances share, in microseconds since the epoch."""


Work = Callable[[Db], Coroutine[Any, Any, T]]


class Database(Protocol):
    """Where transactions run. Raises: StoreDown."""

    async def transaction(self, work: Work[T]) -> T:
        """Of any length."""

    async def short(self, work: Work[T]) -> T:
        """Of a few rows that are found by their keys."""

    async def read(self, work: Work[T]) -> T:
        """Reads a few rows by their keys; sees what was committed, and waits for no writer."""

    async def close(self) -> None: ...


class SqliteDb:
    """`Db` on a sqlite3 connection; its coroutines never wait."""

    def __init__(self, connection: sqlite3.Connection, clock_us: Clock) -> None:
        self._execute, self._executemany, self._clock_us = connection.execute, connection.executemany, clock_us

    async def rows(self, sql: str, *args: Any) -> Sequence[Row]:
        if "??" in sql:
            sql, args = _listed(sql, args)
        found: list[Row] = self._execute(_for_sqlite(sql), args).fetchall()
        return found

    async def many(self, sql: str, rows: Iterable[Row]) -> None:
        self._executemany(_for_sqlite(sql), rows)

    async def now_us(self) -> int:
        return self._clock_us()


def _listed(sql: str, args: Row) -> tuple[str, Row]:
    """A statement with its lists said: a short one item by item, which is found in half the time, a long one as JSON."""
    places, given = [], []
    for arg in args:
        if not isinstance(arg, list):
            given.append(arg)
        elif len(arg) > _ITEMS:
            places.append(-1)
            given.append(json.dumps(arg))
        else:
            # In few lengths, so that the statements are few: the last item is said again.
            length = 1 << (len(arg) - 1).bit_length() if arg else 0
            places.append(length)
            given += arg + arg[-1:] * (length - len(arg))
    return _with_places(sql, tuple(places)), tuple(given)


@lru_cache(maxsize=256)
def _with_places(sql: str, places: tuple[int, ...]) -> str:
    for length in places:
        items = "SELECT value FROM json_each(?)" if length < 0 else ", ".join("?" * length)
        sql = sql.replace("??", items, 1)
    return sql


@lru_cache(maxsize=256)
def _for_sqlite(sql: str) -> str:
    return _LOCKS.sub("", sql)


def open_sqlite(path: str) -> sqlite3.Connection:
    """A connection that journals every commit to the disk before it says so."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    prepare(connection.execute)
    return connection


def prepare(execute: Callable[[str], Any]) -> None:
    """Make a new connection wait for others, and keep every commit."""
    execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
    give_up_s = time.monotonic() + PATIENCE_MS / 1000
    while True:
        try:
            execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as err:
            # For another one who changes a new file's mode at this moment SQLite does not wait by itself.
            if err.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_s:
                raise
            time.sleep(0.005)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        execute(f"PRAGMA {pragma}")


def machine_us() -> int:
    """The machine's own clock, which is SQLite's too."""
    return time.time_ns() // 1000


def in_transaction(connection: sqlite3.Connection, work: Work[T], clock_us: Clock = machine_us) -> T:
    """Run a transaction to its end. Raises: StoreDown, or what `work` raises; then nothing was changed."""
    _begun(connection)
    result = _worked(connection, work, clock_us)
    _committed(connection)
    return result


def _begun(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.Error as err:
        raise StoreDown(str(err), unsure=False) from err


def _worked(connection: sqlite3.Connection, work: Work[T], clock_us: Clock) -> T:
    try:
        return _driven(work(SqliteDb(connection, clock_us)))
    except sqlite3.OperationalError as err:
        _rolled_back(connection)
        raise StoreDown(str(err), unsure=False) from err
    except BaseException:
        _rolled_back(connection)
        raise


def _committed(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.OperationalError as err:
        _rolled_back(connection)
        raise StoreDown(str(err), unsure=False) from err
    except BaseException:
        _rolled_back(connection)
        raise


def _rolled_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _driven(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    coroutine.close()
    raise RuntimeError("a transaction on SQLite waited for something")


class ThreadedSqlite:
    """SQLite with one connection that writes, one transaction at a time, and one that reads beside it.

    What may be long, and every commit, runs in a thread. The statements of a short transaction run on the event loop: they take
    microseconds, and each that went to a thread would have to win the interpreter back from a busy loop, which takes milliseconds.
    """

    def __init__(self, path: str) -> None:
        self._thread = ThreadPoolExecutor(1, "journal")
        self._connection, self._reader = open_sqlite(path), open_sqlite(path)
        self._reader.execute("PRAGMA query_only=ON")
        for connection in (self._connection, self._reader):
            connection.execute("PRAGMA busy_timeout=0")
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()

    async def transaction(self, work: Work[T]) -> T:
        return await self._alone(self._in_thread(work))

    async def short(self, work: Work[T]) -> T:
        return await self._alone(self._on_loop(work))

    async def read(self, work: Work[T]) -> T:
        try:
            self._reader.execute("BEGIN")
            try:
                return _driven(work(SqliteDb(self._reader, machine_us)))
            finally:
                self._reader.execute("COMMIT")
        except sqlite3.OperationalError:
            # Whatever is in its way now, the other connection can wait for.
            return await self.transaction(work)

    async def _alone(self, running: Coroutine[Any, Any, T]) -> T:
        """In a task of its own: whoever stops waiting for a transaction leaves no half of one to the next."""
        task = asyncio.create_task(self._in_turn(running))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _in_turn(self, running: Coroutine[Any, Any, T]) -> T:
        async with self._turn:
            return await running

    async def _in_thread(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, _patiently, self._connection, work)

    async def _on_loop(self, work: Work[T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            _begun(self._connection)
        except StoreDown:
            # Another connection is writing. The thread has the time to wait for it.
            return await self._in_thread(work)
        result = _worked(self._connection, work, machine_us)
        await loop.run_in_executor(self._thread, _committed, self._connection)
        return result

    async def close(self) -> None:
        if self._running:
            await asyncio.wait(set(self._running))
        self._thread.shutdown(wait=True)
        self._connection.close()
        self._reader.close()


def _patiently(connection: sqlite3.Connection, work: Work[T]) -> T:
    """A transaction that waits for others that write."""
    connection.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
    try:
        return in_transaction(connection, work)
    finally:
        connection.execute("PRAGMA busy_timeout=0")
