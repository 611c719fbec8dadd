"""The wave table and the active content revision: read as one snapshot, changed in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.waves import Cell, Plan, WaveTable
from gateway.store.engine import Store
from gateway.store.tables import AUDIT, CELL, CONTENT, TABLE

_ONLY = 1


class StalePlan(Exception):
    """The table or the content changed since the plan was made."""


@dataclass(frozen=True, slots=True)
class Running:
    """What is in force: the wave table and the name of the content revision."""

    table: WaveTable
    content: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what and why. Times are microseconds since the epoch, UTC."""

    at_us: int
    actor: str
    action: str
    reason: str | None
    detail: Mapping[str, object]


async def revision(store: Store) -> tuple[int, str] | None:
    """The numbers that tell whether anything changed; None before the first apply."""
    async with store.transaction() as db:
        row = (await db.execute(select(TABLE.c.revision, TABLE.c.content))).first()
    return (row[0], row[1]) if row else None


async def running(store: Store) -> Running | None:
    """The table and content in force, read in one transaction; None before the first apply."""
    async with store.transaction() as db:
        return await _running(db)


async def _running(db: AsyncConnection, *, lock: bool = False) -> Running | None:
    # FOR UPDATE on the one row serialises applies; SQLite has no row locks and begins with the write lock instead.
    chosen = select(TABLE.c.revision, TABLE.c.content).where(TABLE.c.id == _ONLY)
    row = (await db.execute(chosen.with_for_update() if lock else chosen)).first()
    if row is None:
        return None
    rows = (await db.execute(select(CELL))).mappings()
    cells = [Cell(**cell) for cell in rows]
    return Running(WaveTable(row[0], {cell.id: cell for cell in cells}), row[1])


async def files_of(store: Store, revision_: str) -> bytes | None:
    """The archived files of a content revision."""
    async with store.transaction() as db:
        row = (await db.execute(select(CONTENT.c.files).where(CONTENT.c.revision == revision_))).first()
    return row[0] if row else None


async def commit(store: Store, plan: Plan, table: WaveTable, files: bytes, entry: AuditEntry) -> None:
    """Put a plan in force: content archived, cells replaced, audit written, in one transaction. Raises: StalePlan."""
    async with store.transaction() as db:
        now = await _running(db, lock=True)
        if (now.table.revision if now else 0) != plan.table_revision:
            raise StalePlan(
                f"the table is at revision {now.table.revision if now else 0}, the plan is for {plan.table_revision}"
            )
        await _archive(db, plan.content, files, entry.at_us)
        await _replace_cells(db, table.cells.values())
        values = {"revision": table.revision, "content": plan.content}
        if now is None:
            await db.execute(insert(TABLE).values(id=_ONLY, **values))
        else:
            await db.execute(update(TABLE).where(TABLE.c.id == _ONLY).values(**values))
        detail = json.dumps(entry.detail, sort_keys=True, default=str)
        await db.execute(
            insert(AUDIT).values(
                at_us=entry.at_us, actor=entry.actor, action=entry.action, reason=entry.reason, detail=detail
            )
        )


async def _archive(db: AsyncConnection, revision_: str, files: bytes, at_us: int) -> None:
    known = (await db.execute(select(CONTENT.c.revision).where(CONTENT.c.revision == revision_))).first()
    if known is None:
        await db.execute(insert(CONTENT).values(revision=revision_, files=files, archived_at_us=at_us))


async def _replace_cells(db: AsyncConnection, cells: Iterable[Cell]) -> None:
    await db.execute(delete(CELL))
    rows = [asdict(cell) for cell in cells]
    if rows:
        await db.execute(insert(CELL), rows)


async def audit(store: Store, limit: int) -> list[AuditEntry]:
    """The newest audit entries first."""
    async with store.transaction() as db:
        chosen = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
        rows = (await db.execute(chosen)).mappings().all()
    return [AuditEntry(r["at_us"], r["actor"], r["action"], r["reason"], json.loads(r["detail"])) for r in rows]
