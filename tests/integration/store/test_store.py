"""The store on both databases: one transaction, one truth."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from gateway.core.waves import Cell, Plan, WaveTable
from gateway.errors import StalePlan, StoreUnusable
from gateway.settings import shipped
from gateway.store.engine import Store, database_url
from gateway.store.schema import at_head, migrate, newest
from gateway.store.waves import AuditEntry, commit, files_of, revision, running
from tests.support.databases import audited
from tests.support.postgres import Cluster

MIGRATIONS = shipped() / "migrations"
CELL = Cell("1000", "production", "ecc", "s4", target="cloud", wave="wave-1")
ENTRY = AuditEntry(1, "lead", "apply", "go-live", {"changes": ["add"]})


def table(revision_: int, cell: Cell = CELL) -> WaveTable:
    return WaveTable(revision_, {cell.id: cell})


async def test_a_new_database_is_brought_to_the_newest_schema_and_holds_no_table(store: Store) -> None:
    have, head = await at_head(store, MIGRATIONS)
    assert have == head is not None
    assert await running(store) is None
    assert await revision(store) is None


def test_the_newest_schema_is_the_one_that_no_other_revision_follows() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert newest(MIGRATIONS) == ScriptDirectory.from_config(config).get_current_head()


async def test_what_is_committed_is_read_back_whole(store: Store) -> None:
    await commit(store, Plan(0, "c1", ()), table(1), b"files", ENTRY)
    now = await running(store)
    assert now is not None
    assert (now.table, now.content) == (table(1), "c1")
    assert await files_of(store, "c1") == b"files"
    assert await audited(store, 10) == [ENTRY]


async def test_a_plan_for_an_older_table_is_refused_and_leaves_no_trace(store: Store) -> None:
    await commit(store, Plan(0, "c1", ()), table(1), b"files", ENTRY)
    with pytest.raises(StalePlan):
        await commit(store, Plan(0, "c2", ()), table(1), b"other", ENTRY)
    assert await revision(store) == (1, "c1")
    assert await files_of(store, "c2") is None
    assert len(await audited(store, 10)) == 1


async def test_of_many_who_apply_the_same_plan_at_once_exactly_one_succeeds(store: Store) -> None:
    await commit(store, Plan(0, "c1", ()), table(1), b"files", ENTRY)
    plans = (commit(store, Plan(1, f"c{i}", ()), table(2), b"x", ENTRY) for i in range(2, 8))
    outcomes = await asyncio.gather(*plans, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(outcome is None or isinstance(outcome, StalePlan) for outcome in outcomes)
    assert (await revision(store) or (0, ""))[0] == 2


async def test_gateways_that_start_together_bring_the_schema_up_once(url: str) -> None:
    stores = [Store(url) for _ in range(3)]
    await asyncio.gather(*(migrate(s, MIGRATIONS) for s in stores))
    have, head = await at_head(stores[0], MIGRATIONS)
    assert have == head
    for s in stores:
        await s.close()


def test_a_sqlite_file_is_owned_by_one_gateway_only(tmp_path: Path) -> None:
    first, second = (Store(f"sqlite:///{tmp_path / 'x.db'}") for _ in range(2))
    first.own()
    with pytest.raises(StoreUnusable, match="another gateway"):
        second.own()


@pytest.mark.parametrize("text", ["mysql://h/db", "not a url", "oracle+x://h"])
def test_a_database_the_store_does_not_speak_is_refused_by_name(text: str) -> None:
    with pytest.raises(StoreUnusable):
        database_url(text)


async def test_a_database_that_is_missing_or_damaged_is_told_in_words(tmp_path: Path, postgres: Cluster) -> None:
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"SQLite format 3\0" + b"no page at all" * 500)
    for url in (f"sqlite:///{damaged}", postgres.url("nosuchdb")):
        store = Store(url)
        with pytest.raises(StoreUnusable, match="cannot be used"):
            await migrate(store, MIGRATIONS)
        await store.close()


async def test_a_database_that_nobody_answers_for_is_told_in_words() -> None:
    store = Store("postgresql://gateway@127.0.0.1:1/gateway")
    with pytest.raises(StoreUnusable, match="cannot be reached"):
        await migrate(store, MIGRATIONS)
    await store.close()
