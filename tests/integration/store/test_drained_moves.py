"""A move and a write that meet: either the move sees the write and waits, or the write sees the move and looks again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import text

from gateway.core.intents import Accept, Accepted, EpochMoved, Intent, NewLeg
from gateway.core.waves import Cell, Plan, WaveTable, moved
from gateway.store.engine import Store
from gateway.store.journal import Journal
from gateway.store.sql import Database, Db
from gateway.store.waves import (
    AuditEntry,
    NoSuchCell,
    NotDrained,
    Owed,
    commit,
    owed,
    revision,
    running,
    suspend,
)
from tests.support.databases import audited

CELL = Cell("1000", "production", "ecc", "s4", phase="dual_legacy")
OTHER = Cell("2000", "production", "ecc", "s4", phase="dual_legacy")
FIRST = WaveTable(1, {CELL.id: CELL, OTHER.id: OTHER})
ENTRY = AuditEntry(1, "lead", "apply", "go-live", {})
SOON_S = 0.5


POSTGRES = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


@pytest.fixture
async def store(store: Store) -> Store:
    await commit(store, Plan(0, "c1", ()), FIRST, b"", ENTRY)
    return store


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


def accept(id_: str, cell: Cell = CELL, *, parked: str | None = None) -> Accept:
    intent = Intent(
        id=id_ * 32, lane=id_ * 32, plant=cell.plant, domain=cell.domain, object="production_order", verb="create",
        epoch=cell.epoch, term=cell.term, side="legacy", content="c1", created_us=5, client="mes", subject="mes",
    )  # fmt: skip
    legs = (NewLeg("legacy", "ecc"), NewLeg("cloud", "s4", parked=parked))
    return Accept(intent, legs, "me", now_us=5, new_lane=True)


def to(phase: str | None, revision_: int = 2) -> WaveTable:
    """The table with another phase for the cell, or without it."""
    cells = {OTHER.id: OTHER} | ({CELL.id: moved(CELL, phase)} if phase else {})
    return WaveTable(revision_, cells)


async def move(store: Store, phase: str | None) -> None:
    await commit(store, Plan(1, "c1", ()), to(phase), b"", ENTRY)


@pytest.mark.parametrize("phase", ["dual_cloud", "legacy", "cloud", None])
async def test_a_cell_that_owes_a_write_does_not_move_and_nothing_is_changed(
    store: Store, journal: Journal, phase: str | None
) -> None:
    assert isinstance(await journal.do(accept("a")), Accepted)
    with pytest.raises(NotDrained) as refused:
        await move(store, phase)
    assert refused.value.owed == (Owed("1000", "production", 2, 5),)
    assert (await revision(store), len(await audited(store, 10))) == ((1, "c1"), 1)


async def test_another_cells_writes_hold_nobody_back(store: Store, journal: Journal) -> None:
    assert isinstance(await journal.do(accept("a", OTHER)), Accepted)
    await move(store, "dual_cloud")
    now = await running(store)
    assert now is not None
    assert now.table.cells[CELL.id].phase == "dual_cloud"
    assert now.table.cells[OTHER.id] == OTHER


async def test_a_suspended_cell_stays_suspended_through_a_move_and_an_unknown_one_is_refused(store: Store) -> None:
    entry = replace(ENTRY, action="suspend", reason="quarter close")
    assert await suspend(store, CELL.id, entry, suspended=True)
    assert not await suspend(store, CELL.id, entry, suspended=True)
    now = await running(store)
    assert now is not None
    assert (now.table.revision, now.table.cells[CELL.id]) == (2, replace(CELL, suspended=True))
    assert (await audited(store, 10))[0].action == "suspend"
    assert await owed(store, CELL) is None
    with pytest.raises(NoSuchCell):
        await suspend(store, ("1000", "gardening"), entry, suspended=True)


@asynccontextmanager
async def held_up(store: Store) -> AsyncIterator[None]:
    """Nobody can write to the audit: an apply has changed its cells and cannot commit."""
    async with store.transaction() as db:
        await db.execute(text("LOCK TABLE audit IN ACCESS EXCLUSIVE MODE"))
        yield


async def waits(task: asyncio.Task[object]) -> bool:
    done, _ = await asyncio.wait({task}, timeout=SOON_S)
    return not done


@POSTGRES
async def test_a_write_that_comes_while_a_move_commits_sees_the_move_and_its_neighbour_none(
    store: Store, journal: Journal
) -> None:
    async with held_up(store):
        moving = asyncio.create_task(move(store, "dual_cloud"))
        assert await waits(moving)
        writing = asyncio.create_task(journal.do(accept("a")))
        assert await waits(writing)
        elsewhere = Journal(store.journal_database())
        assert isinstance(await elsewhere.do(accept("b", OTHER)), Accepted)
        await elsewhere.database.close()
    await moving
    assert await writing == EpochMoved("1000", "production")


@POSTGRES
async def test_a_move_that_comes_while_a_write_commits_waits_for_it_and_then_refuses(
    store: Store, journal: Journal
) -> None:
    accepted, go_on = asyncio.Event(), asyncio.Event()

    async def slow(db: Db) -> None:
        await db.rows("SELECT epoch FROM cell WHERE plant = ? FOR SHARE", CELL.plant)
        await db.many(
            "INSERT INTO leg (intent, side, lane, lane_seq, erp, plant, domain, authoritative, held, state, fence, "
            "attempts, next_at_us, step, created_us) "
            "VALUES (?, 'legacy', 'l', 1, 'ecc', ?, ?, TRUE, FALSE, 'sending', 1, 0, 0, 0, 7)",
            [("a" * 32, *CELL.id)],
        )
        accepted.set()
        await go_on.wait()

    writing = asyncio.create_task(journal.database.transaction(slow))
    await accepted.wait()
    moving = asyncio.create_task(move(store, "dual_cloud"))
    assert await waits(moving)
    go_on.set()
    await writing
    with pytest.raises(NotDrained):
        await moving
