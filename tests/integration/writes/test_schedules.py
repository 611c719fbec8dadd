"""Two connections to one PostgreSQL, in an order that is forced: the epoch check, the lane, and the mates of a batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest

from gateway.core.intents import Accept, Accepted, Done, EpochMoved, Intent, Move, Names, NewLeg
from gateway.core.waves import Cell, Plan, WaveTable
from gateway.settings import shipped
from gateway.store.engine import Store
from gateway.store.journal import Journal
from gateway.store.postgres import Postgres
from gateway.store.schema import migrate
from gateway.store.sql import Database, Db
from gateway.store.waves import AuditEntry, commit
from tests.support.postgres import Cluster

T = TypeVar("T")
HAMBURG = Cell("1000", "production", "ecc", "s4", phase="dual_legacy")
FENCE = "UPDATE cell SET epoch = epoch + 1 WHERE plant = '1000' AND domain = 'production'"
NAME = "schedules"


class Held:
    """A database whose transactions stop right before their commit until they are let go."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.arrived, self.go = asyncio.Event(), asyncio.Event()

    async def transaction(self, work: Callable[[Db], Coroutine[Any, Any, T]]) -> T:
        async def held(db: Db) -> T:
            result = await work(db)
            self.arrived.set()
            await self.go.wait()
            return result

        return await self._database.transaction(held)

    short = transaction

    async def read(self, work: Callable[[Db], Coroutine[Any, Any, T]]) -> T:
        return await self._database.read(work)

    async def close(self) -> None:
        await self._database.close()


@pytest.fixture
async def url(postgres: Cluster) -> AsyncIterator[str]:
    """A database with the newest schema and one cell, at epoch 1."""
    made = postgres.create(NAME)
    store = Store(made)
    await migrate(store, shipped() / "migrations")
    table = WaveTable(1, {HAMBURG.id: HAMBURG})
    await commit(store, Plan(0, "c1", ()), table, b"files", AuditEntry(1, "lead", "apply", "go-live", {}))
    await store.close()
    yield made
    postgres.drop(NAME)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Postgres]:
    made = Postgres(url)
    yield made
    await made.close()


@pytest.fixture
async def other(url: str) -> AsyncIterator[asyncpg.Connection]:
    """The second connection: whoever flips the cell, or just looks."""
    made = await asyncpg.connect(url)
    yield made
    made.terminate()


@pytest.fixture
async def looker(url: str) -> AsyncIterator[asyncpg.Connection]:
    made = await asyncpg.connect(url)
    yield made
    made.terminate()


def accept(id_: str, lane: str = "lane", *, epoch: int = 1, instance: str = "one") -> Accept:
    intent = Intent(
        id=id_, lane=lane, plant="1000", domain="production", object="production_order", verb="change", epoch=epoch,
        term=1, side="legacy", content="c1", created_us=1, client="mes", subject="mes", key="7",
    )  # fmt: skip
    return Accept(intent, (NewLeg("legacy", "ecc", starts=True), NewLeg("cloud", "s4")), instance, 1)


async def blocked(looker: asyncpg.Connection) -> None:
    """Wait until some connection waits for another one's lock."""
    async with asyncio.timeout(30):
        while not await looker.fetchval(  # noqa: ASYNC110  # what it waits for happens in the database
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
        ):
            await asyncio.sleep(0.01)


async def intents(looker: asyncpg.Connection) -> list[tuple[str, int]]:
    rows = await looker.fetch("SELECT id, lane_seq FROM intent ORDER BY lane, lane_seq")
    return [(row["id"], row["lane_seq"]) for row in rows]


async def test_a_flip_waits_for_a_write_that_was_let_in_and_then_sees_it(
    database: Postgres, other: asyncpg.Connection, looker: asyncpg.Connection
) -> None:
    held = Held(database)
    write = asyncio.create_task(Journal(held).do(accept("i1")))
    await held.arrived.wait()
    flip = asyncio.create_task(other.execute(FENCE))
    await blocked(looker)
    assert not flip.done()
    held.go.set()
    await flip
    assert await intents(looker) == [("i1", 1)]
    assert isinstance(await write, Accepted)


async def test_a_write_that_comes_while_a_flip_commits_is_turned_away(
    database: Postgres, other: asyncpg.Connection, looker: asyncpg.Connection
) -> None:
    async with other.transaction():
        await other.execute(FENCE)
        write = asyncio.create_task(Journal(database).do(accept("i1")))
        await blocked(looker)
        assert not write.done()
    assert await write == EpochMoved("1000", "production")
    assert await intents(looker) == []


async def test_a_flip_that_was_taken_back_turns_nobody_away(
    database: Postgres, other: asyncpg.Connection, looker: asyncpg.Connection
) -> None:
    flip = other.transaction()
    await flip.start()
    await other.execute(FENCE)
    write = asyncio.create_task(Journal(database).do(accept("i1")))
    await blocked(looker)
    await flip.rollback()
    assert isinstance(await write, Accepted)


async def test_a_write_that_is_turned_away_does_not_fail_those_in_the_same_transaction(
    database: Postgres, looker: asyncpg.Connection
) -> None:
    held = Held(database)
    journal = Journal(held)
    first = asyncio.create_task(journal.do(accept("i0", "elsewhere")))
    await held.arrived.wait()  # so that the next three wait together and become one transaction
    batch = [
        asyncio.create_task(journal.do(command))
        for command in (accept("i1"), accept("i2", epoch=7), accept("i3"), accept("i0", "twice"))
    ]
    await asyncio.sleep(0)
    held.go.set()
    good, moved, also_good, broken = await asyncio.gather(*batch, return_exceptions=True)
    assert isinstance(await first, Accepted)
    assert isinstance(good, Accepted)
    assert isinstance(also_good, Accepted)
    assert moved == EpochMoved("1000", "production")
    assert isinstance(broken, asyncpg.UniqueViolationError)
    assert await intents(looker) == [("i0", 1), ("i1", 1), ("i3", 2)]


async def test_first_writes_to_one_document_through_two_gateways_get_their_places_and_one_goes_first(
    url: str, database: Postgres, looker: asyncpg.Connection
) -> None:
    held, second_database = Held(database), Postgres(url)
    first = asyncio.create_task(Journal(held).do(accept("i1", instance="one")))
    await held.arrived.wait()
    second = asyncio.create_task(Journal(second_database).do(accept("i2", instance="two")))
    await blocked(looker)
    held.go.set()
    one, two = await first, await second
    await second_database.close()
    assert isinstance(one, Accepted)
    assert isinstance(two, Accepted)
    assert (one.intent.lane_seq, two.intent.lane_seq) == (1, 2)
    assert one.started is not None
    assert two.started is None
    states = await looker.fetch("SELECT intent, state FROM leg WHERE side = 'legacy' ORDER BY lane_seq")
    assert [tuple(row) for row in states] == [("i1", "sending"), ("i2", "waiting")]


async def test_two_gateways_that_claim_at_the_same_time_share_what_is_due(
    url: str, database: Postgres, looker: asyncpg.Connection
) -> None:
    setting_up = Journal(database)
    for number in range(6):
        command = accept(f"i{number}", f"lane{number}")
        legs = (NewLeg("legacy", "ecc"), command.legs[1])
        await setting_up.do(Accept(command.intent, legs, "nobody", 1))
    held, second_database = Held(database), Postgres(url)
    first = asyncio.create_task(Journal(held).claim("one", "ecc", 10, 4))
    await held.arrived.wait()
    theirs = await Journal(second_database).claim("two", "ecc", 10, 4)
    held.go.set()
    mine = await first
    await second_database.close()
    assert (len(mine), len(theirs)) == (4, 2)
    assert {c.intent.id for c in mine}.isdisjoint(c.intent.id for c in theirs)
    assert await looker.fetchval("SELECT count(*) FROM leg WHERE state = 'sending'") == 6


async def test_a_number_that_an_import_brings_in_the_same_moment_is_a_case_and_the_outcome_stays(
    database: Postgres, other: asyncpg.Connection, looker: asyncpg.Connection
) -> None:
    """Neither sees the other's row before it writes its own; what the ERP did must not be forgotten for that."""
    journal = Journal(database)
    accepted = await journal.do(accept("a", "lane-a"))
    assert isinstance(accepted, Accepted)
    assert accepted.started is not None
    importing = other.transaction()
    await importing.start()
    await other.execute("INSERT INTO crosswalk VALUES ('production_order', 'another', 'erp:ecc', '1000001')")
    learned = (Names("production_order", "lane-a", "erp:ecc", "1000001"),)
    finish = asyncio.create_task(journal.do(Move(accepted.started, "finish", 2, names=learned)))
    await blocked(looker)
    await importing.commit()
    verdict = await finish
    assert isinstance(verdict, Done)
    assert verdict.state == "done"
    rows = await looker.fetch("SELECT kind, state FROM case_ WHERE intent = 'a'")
    assert [tuple(row) for row in rows] == [("crosswalk", "open")]
    assert await looker.fetchval("SELECT canonical FROM crosswalk WHERE key = '1000001'") == "another"
