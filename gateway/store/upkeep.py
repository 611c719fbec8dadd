"""What keeps the store small, and what the store itself demands."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text

from gateway.store.backup import RECONCILE
from gateway.store.crosswalk_bulk import Audit
from gateway.store.derived import forget
from gateway.store.engine import Store
from gateway.store.sql import Database, Db
from gateway.store.working_set import audited

_BATCH = 500
_SETTLED_US = 3600 * 1_000_000
_OLD = (
    "i.created_us < ? "
    "AND NOT EXISTS (SELECT 1 FROM leg l WHERE l.intent = i.id AND (l.ended_us IS NULL OR l.ended_us >= ?)) "
    # SQLite gives the highest number once more: the newest case stays, so that no later one has its number and its history.
    "AND NOT EXISTS (SELECT 1 FROM case_ c WHERE c.intent = i.id AND (c.state <> 'closed' OR c.id = (SELECT MAX(id) FROM case_))) "
    "AND NOT EXISTS (SELECT 1 FROM replay r WHERE r.intent = i.id AND r.until_us > ?) "
    "AND NOT EXISTS (SELECT 1 FROM wait w WHERE w.on_intent = i.id) "
    "AND NOT EXISTS (SELECT 1 FROM feed_image f WHERE f.object = i.object AND f.canonical = i.lane AND f.seq < i.lane_seq)"
)
"""Writes that nobody waits for, asks about or may repeat any more, and that are in what a feed remembers of their documents."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went, or would go."""

    intents: int = 0
    replays: int = 0
    contents: int = 0


async def demanded(store: Store) -> str | None:
    """What the store demands of people before they may trust it again, in words; None mostly."""
    async with store.transaction() as db:
        found = (
            await db.execute(text("SELECT value, at_us FROM store_state WHERE name = :name"), {"name": RECONCILE})
        ).first()
    if found is None:
        return None
    at = datetime.fromtimestamp(found[1] / 1_000_000, UTC).isoformat(timespec="seconds")
    return f"restored at {at} from {json.loads(found[0])['from']}: a full reconciliation is demanded"


async def reconciled(database: Database, audit: Audit) -> bool:
    """A person says that both ERPs were compared since the restore. Gives: whether the store demanded it. Raises: StoreDown."""

    async def work(db: Db) -> bool:
        found = await db.rows("DELETE FROM store_state WHERE name = ? RETURNING value", RECONCILE)
        if found:
            await audited(db, audit.at_us, audit.actor, "store.reconciled", audit.reason, found[0][0])
        return bool(found)

    return await database.transaction(work)


async def prune(
    database: Database,
    before_us: int,
    audit: Audit,
    *,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Pruned:
    """Delete what ended before a moment, in batches, so that writes go on in between. Raises: StoreDown."""
    now_us = audit.at_us
    if dry_run:
        return await database.transaction(lambda db: _counted(db, before_us, now_us))
    replays = await database.transaction(lambda db: _expired(db, now_us))
    intents = 0
    while gone := await database.transaction(lambda db: _batch(db, before_us, now_us)):
        intents += gone
        progress(intents)
    await database.transaction(lambda db: forget(db, before_us))
    contents = await database.transaction(lambda db: _contents(db, before_us, now_us))
    pruned = Pruned(intents, replays, contents)
    detail = json.dumps({"before_us": before_us, "intents": intents, "replays": replays, "contents": contents})
    await database.transaction(lambda db: audited(db, now_us, audit.actor, "store.prune", audit.reason, detail))
    return pruned


async def _counted(db: Db, before_us: int, now_us: int) -> Pruned:
    intents = await db.rows(f"SELECT COUNT(*) FROM intent i WHERE {_OLD}", before_us, before_us, now_us)  # noqa: S608  # our own words
    replays = await db.rows("SELECT COUNT(*) FROM replay WHERE until_us <= ?", now_us)
    unused = [name for name, users in await _unused(db, before_us, now_us) if not users]
    return Pruned(int(intents[0][0]), int(replays[0][0]), len(unused))


async def _expired(db: Db, now_us: int) -> int:
    return len(await db.rows("DELETE FROM replay WHERE until_us <= ? RETURNING intent", now_us))


async def _batch(db: Db, before_us: int, now_us: int) -> int:
    found = await db.rows(
        f"SELECT i.id FROM intent i WHERE {_OLD} ORDER BY i.created_us LIMIT ?", before_us, before_us, now_us, _BATCH  # noqa: S608  # our own words
    )  # fmt: skip
    ids = [row[0] for row in found]
    if ids:
        for table, column in (("step", "intent"), ("leg", "intent"), ("case_", "intent"), ("intent", "id")):
            await db.rows(f"DELETE FROM {table} WHERE {column} IN (??)", ids)  # noqa: S608  # our own words
    return len(ids)


async def _contents(db: Db, before_us: int, now_us: int) -> int:
    """Content revisions that nothing refers to. A write is known by its content as long as it is in the journal."""
    gone = [name for name, users in await _unused(db, before_us, now_us) if not users]
    if gone:
        await db.rows("DELETE FROM content_revision WHERE revision IN (??)", gone)
    return len(gone)


async def _unused(db: Db, before_us: int, now_us: int) -> list[tuple[str, int]]:
    """Old revisions, and how many writes and pictures of documents each has. None while an instance may still serve the one before."""
    last = await db.rows("SELECT MAX(at_us) FROM audit WHERE action = 'apply'")
    if last[0][0] is None or last[0][0] > now_us - _SETTLED_US:
        return []
    rows = await db.rows(
        "SELECT c.revision, (SELECT COUNT(*) FROM intent i WHERE i.content = c.revision) "
        "+ (SELECT COUNT(*) FROM feed_image f WHERE f.content = c.revision) FROM content_revision c "
        "WHERE c.archived_at_us < ? AND c.revision NOT IN (SELECT content FROM wave_table)", before_us,
    )  # fmt: skip
    return [(row[0], int(row[1])) for row in rows]
