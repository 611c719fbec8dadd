"""What a transaction promises when it goes wrong: nothing of it stays, whoever is at fault is told, and the next one works."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import asyncpg
import psycopg
import pytest

from gateway.store import sql
from gateway.store.engine import Store
from gateway.store.group_commit import GroupCommit
from gateway.store.sql import Database, Db, StoreDown

TABLES = (
    "CREATE TABLE plant (code TEXT PRIMARY KEY)",
    "CREATE TABLE note (plant TEXT REFERENCES plant (code) DEFERRABLE INITIALLY DEFERRED)",
)
SOON_S = 0.5
CONTRADICTED = (sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError)
DIES_AT_COMMIT = (
    "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
    "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON plant DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()",
)


SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
WAYS = pytest.mark.parametrize("way", ["transaction", "short"])


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    store = Store(url)
    made = store.journal_database()
    await made.transaction(lambda db: statements(db, *TABLES))
    yield made
    await made.close()
    await store.close()


async def statements(db: Db, *texts: str) -> None:
    for text in texts:
        await db.rows(text)


async def added(db: Db, *codes: str) -> None:
    for code in codes:
        await db.rows("INSERT INTO plant (code) VALUES (?)", code)


async def plants(database: Database) -> list[str]:
    return [row[0] for row in await database.transaction(lambda db: db.rows("SELECT code FROM plant ORDER BY code"))]


async def waits(task: asyncio.Task[object]) -> bool:
    done, _ = await asyncio.wait({task}, timeout=SOON_S)
    return not done


class Mistaken(Exception):
    """What a caller's own code raised."""


@WAYS
async def test_a_mistake_within_a_transaction_is_its_callers_own_and_leaves_nothing(
    database: Database, way: str
) -> None:
    async def half(db: Db) -> None:
        await added(db, "1000")
        raise Mistaken

    with pytest.raises(Mistaken):
        await getattr(database, way)(half)
    await getattr(database, way)(lambda db: added(db, "2000"))
    assert await plants(database) == ["2000"]


async def test_a_list_of_any_length_finds_its_rows_and_no_others(database: Database) -> None:
    """Lists within one statement are said in different ways by their lengths."""
    codes = [f"{number:04}" for number in range(300)]
    await database.transaction(lambda db: db.many("INSERT INTO plant (code) VALUES (?)", [(code,) for code in codes]))
    statement = "SELECT code FROM plant WHERE code IN (??) AND code <> ? AND code IN (??) ORDER BY code"

    async def found(db: Db, length: int) -> list[str]:
        return [row[0] for row in await db.rows(statement, codes[:length], "0001", codes[1:])]

    for length in (0, 1, 2, 3, 5, 63, 64, 65, 200):
        assert await database.read(lambda db, n=length: found(db, n)) == codes[2:length]  # type: ignore[misc]  # bound now
    swapped = await database.read(lambda db: db.rows(statement, codes[:7], "0001", codes[2:5]))
    assert [row[0] for row in swapped] == codes[2:5]


@WAYS
async def test_what_only_the_commit_finds_wrong_is_the_writers_mistake_and_the_next_write_is_taken(
    database: Database, way: str
) -> None:
    """A note for a plant that never came: the database says so at the end, and it is not the database that broke."""
    with pytest.raises(CONTRADICTED):
        await getattr(database, way)(lambda db: statements(db, "INSERT INTO note (plant) VALUES ('9999')"))
    await getattr(database, way)(lambda db: added(db, "1000"))
    assert await plants(database) == ["1000"]


async def test_one_write_that_contradicts_what_stands_does_not_fail_those_in_the_same_transaction(
    database: Database,
) -> None:
    await database.transaction(lambda db: added(db, "1000"))
    batches: list[int] = []

    async def carry(codes: object) -> list[str]:
        batches.append(len(list(codes)))  # type: ignore[call-overload]
        await database.transaction(lambda db: added(db, *codes))  # type: ignore[misc]
        return list(codes)  # type: ignore[call-overload]

    writes: GroupCommit[str, str] = GroupCommit(carry)
    told = await asyncio.gather(*map(writes.do, ("2000", "1000", "3000")), return_exceptions=True)
    assert batches == [3, 1, 1, 1]
    assert isinstance(told[1], CONTRADICTED)
    assert [told[0], told[2]] == ["2000", "3000"]
    assert await plants(database) == ["1000", "2000", "3000"]


# SQLite


@SQLITE
@WAYS
async def test_a_store_without_space_says_that_nothing_was_kept_and_takes_writes_when_there_is_space(
    database: Database, way: str
) -> None:
    async def big(db: Db) -> None:
        await db.rows("PRAGMA max_page_count = 20")
        await added(db, *(str(number) * 1000 for number in range(100)))

    with pytest.raises(StoreDown, match="full") as refused:
        await getattr(database, way)(big)
    assert not refused.value.unsure
    await database.transaction(lambda db: statements(db, "PRAGMA max_page_count = 1000000"))
    await getattr(database, way)(lambda db: added(db, "1000"))
    assert await plants(database) == ["1000"]


@SQLITE
async def test_a_write_waits_while_another_program_writes_and_a_read_does_not(database: Database, url: str) -> None:
    """A backup or an import holds the file for a moment."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO plant VALUES ('1000')")
        writing = asyncio.create_task(database.short(lambda db: added(db, "2000")))
        assert await waits(writing)
        assert await database.read(lambda db: db.rows("SELECT code FROM plant")) == []
        other.execute("COMMIT")
        await writing
    assert await plants(database) == ["1000", "2000"]


CRASHED = """
import fcntl, sys
with open(sys.argv[1], "r+b", buffering=0) as index:
    fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 120)
    index.seek(48)
    index.write(bytes(48))
    print("here", flush=True)
    sys.stdin.readline()
"""
"""Holds the lock of whoever writes, and leaves the index of the log as a writer does that dies while it commits."""


@SQLITE
async def test_a_read_that_meets_what_a_crashed_program_left_waits_until_it_can_be_put_right(
    database: Database, url: str
) -> None:
    await database.transaction(lambda db: added(db, "1000"))
    command = (sys.executable, "-c", CRASHED, url.removeprefix("sqlite:///") + "-shm")
    other = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert other.stdin is not None
    assert other.stdout is not None
    assert await other.stdout.readline() == b"here\n"
    reading = asyncio.create_task(database.read(lambda db: db.rows("SELECT code FROM plant")))
    assert await waits(reading)
    other.stdin.write(b"\n")
    assert await reading == [("1000",)]
    assert await other.wait() == 0


@SQLITE
@WAYS
async def test_a_file_that_another_program_never_lets_go_of_refuses_the_write_and_nothing_was_kept(
    database: Database, url: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "PATIENCE_MS", 50)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreDown, match="locked") as refused:
            await getattr(database, way)(lambda db: added(db, "1000"))
        other.execute("ROLLBACK")
    assert not refused.value.unsure
    await getattr(database, way)(lambda db: added(db, "2000"))
    assert await plants(database) == ["2000"]


# PostgreSQL

BREAKS = "SELECT pg_terminate_backend(pg_backend_pid())"


@POSTGRES
@WAYS
async def test_a_connection_that_breaks_before_the_commit_kept_nothing_and_the_next_write_gets_another(
    database: Database, way: str
) -> None:
    async def broken(db: Db) -> None:
        await added(db, "1000")
        await db.rows(BREAKS)

    with pytest.raises(StoreDown) as refused:
        await getattr(database, way)(broken)
    assert not refused.value.unsure
    await getattr(database, way)(lambda db: added(db, "2000"))
    assert await plants(database) == ["2000"]


@POSTGRES
async def test_a_mistake_on_a_connection_that_broke_meanwhile_is_still_its_callers_own(
    database: Database, url: str
) -> None:
    """There is nothing left to be taken back, and that is no reason to say something else."""

    async def half(db: Db) -> None:
        await added(db, "1000")
        ((own,),) = await db.rows("SELECT pg_backend_pid()")
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (own,))
        raise Mistaken

    with pytest.raises(Mistaken):
        await database.transaction(half)
    await database.transaction(lambda db: added(db, "2000"))
    assert await plants(database) == ["2000"]


@POSTGRES
async def test_a_connection_that_breaks_in_the_commit_leaves_everybody_unsure(database: Database) -> None:
    await database.transaction(lambda db: statements(db, *DIES_AT_COMMIT))
    with pytest.raises(StoreDown) as refused:
        await database.transaction(lambda db: added(db, "1000"))
    assert refused.value.unsure


@POSTGRES
async def test_a_read_whose_connection_breaks_says_so_and_the_next_one_gets_another(database: Database) -> None:
    with pytest.raises(StoreDown) as refused:
        await database.read(lambda db: db.rows(BREAKS))
    assert not refused.value.unsure
    assert await database.read(lambda db: db.rows("SELECT 1")) == [(1,)]


def test_who_opens_a_file_that_another_one_holds_waits_until_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short SQLite itself waits: the reader ends when somebody waits for it."""
    path = tmp_path / "held.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("CREATE TABLE t (x)")
        holder.execute("BEGIN")
        holder.execute("SELECT * FROM t").fetchall()
        waited: list[float] = []

        def free(seconds: float) -> None:
            waited.append(seconds)
            holder.execute("ROLLBACK")

        monkeypatch.setattr(sql, "PATIENCE_MS", 1)
        monkeypatch.setattr(sql, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=free))
        with closing(sql.open_sqlite(str(path))) as opened:
            assert opened.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert len(waited) == 1


def test_many_who_open_a_new_file_at_once_all_get_it(tmp_path: Path) -> None:
    def opened(path: Path, together: Barrier) -> str:
        together.wait()
        with closing(sql.open_sqlite(str(path))) as connection:
            return str(connection.execute("PRAGMA journal_mode").fetchone()[0])

    with ThreadPoolExecutor(4) as pool:
        for attempt in range(100):
            together = Barrier(4)
            found = [pool.submit(opened, tmp_path / f"{attempt}.db", together) for _ in range(4)]
            assert [each.result() for each in found] == ["wal"] * 4
