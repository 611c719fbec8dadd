"""What keeps the store small, and what the store itself demands."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
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
    """Delete what ended before a moment, or count it, in batches, so that writes go on in between. Raises: StoreDown."""
    run = _Prune(before_us, audit)
    if dry_run:
        while await database.transaction(run.counted):
            progress(run.gone.intents)
        await database.transaction(run.counted_rest)
        return run.gone
    await database.transaction(run.begun)
    while await database.transaction(run.keys):
        pass
    while await database.transaction(run.intents):
        progress(run.gone.intents)
    await database.transaction(lambda db: forget(db, before_us))
    await database.transaction(run.contents)
    return run.gone


class _Prune:
    """One prune, transaction by transaction.

    Its audit row stands from the beginning, and each batch commits with what it adds there: one that is stopped midway is told of too.
    """

    def __init__(self, before_us: int, audit: Audit) -> None:
        self._before_us, self._now_us, self._audit = before_us, audit.at_us, audit
        self._row, self._after = 0, (-(2**63), "")
        self.gone = Pruned()

    async def begun(self, db: Db) -> None:
        audit = self._audit
        self._row = await audited(db, audit.at_us, audit.actor, "store.prune", audit.reason, self._detail)

    async def keys(self, db: Db) -> int:
        """Idempotency keys that are over. Gives: how many went."""
        found = await db.rows(
            "DELETE FROM replay WHERE (client, key) IN (SELECT client, key FROM replay WHERE until_us <= ? LIMIT ?) "
            "RETURNING intent", self._now_us, _BATCH,
        )  # fmt: skip
        await self._went(db, replace(self.gone, replays=self.gone.replays + len(found)))
        return len(found)

    async def intents(self, db: Db) -> int:
        """The next old writes. Gives: how many went."""
        ids = await self._page(db)
        if ids:
            for table, column in (("step", "intent"), ("leg", "intent"), ("case_", "intent"), ("intent", "id")):
                await db.rows(f"DELETE FROM {table} WHERE {column} IN (??)", ids)  # noqa: S608  # our own words
            await self._went(db, replace(self.gone, intents=self.gone.intents + len(ids)))
        return len(ids)

    async def contents(self, db: Db) -> None:
        """Content revisions that nothing refers to. A write is known by its content as long as it is in the journal."""
        unused = await _unused(db, self._before_us, self._now_us)
        if unused:
            await db.rows("DELETE FROM content_revision WHERE revision IN (??)", unused)
        await self._went(db, replace(self.gone, contents=len(unused)))

    async def counted(self, db: Db) -> int:
        """The next old writes, counted. Gives: how many there are."""
        ids = await self._page(db)
        self.gone = replace(self.gone, intents=self.gone.intents + len(ids))
        return len(ids)

    async def counted_rest(self, db: Db) -> None:
        """All that is no write, counted."""
        replays = await db.rows("SELECT COUNT(*) FROM replay WHERE until_us <= ?", self._now_us)
        unused = await _unused(db, self._before_us, self._now_us)
        self.gone = replace(self.gone, replays=int(replays[0][0]), contents=len(unused))

    async def _page(self, db: Db) -> list[str]:
        found = await db.rows(
            f"SELECT i.created_us, i.id FROM intent i WHERE {_OLD} AND (i.created_us, i.id) > (?, ?) "  # noqa: S608  # our own words
            "ORDER BY i.created_us, i.id LIMIT ?",
            self._before_us, self._before_us, self._now_us, *self._after, _BATCH,
        )  # fmt: skip
        if found:
            self._after = (found[-1][0], found[-1][1])
        return [row[1] for row in found]

    async def _went(self, db: Db, gone: Pruned) -> None:
        self.gone = gone
        await db.rows("UPDATE audit SET detail = ? WHERE id = ?", self._detail, self._row)

    @property
    def _detail(self) -> str:
        return json.dumps({"before_us": self._before_us, **asdict(self.gone)})


async def _unused(db: Db, before_us: int, now_us: int) -> list[str]:
    """Old revisions that no write and no picture of a document has. None while an instance may still serve the one before."""
    last = await db.rows("SELECT MAX(at_us) FROM audit WHERE action = 'apply'")
    if last[0][0] is None or last[0][0] > now_us - _SETTLED_US:
        return []
    rows = await db.rows(
        "SELECT c.revision FROM content_revision c WHERE c.archived_at_us < ? "
        "AND NOT EXISTS (SELECT 1 FROM intent i WHERE i.content = c.revision) "
        "AND NOT EXISTS (SELECT 1 FROM feed_image f WHERE f.content = c.revision) "
        "AND c.revision NOT IN (SELECT content FROM wave_table)", before_us,
    )  # fmt: skip
    return [row[0] for row in rows]
