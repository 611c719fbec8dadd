"""The wave table and the active content revision: read as one snapshot, changed in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.core.waves import Cell, CellId, Plan, WaveTable, strands
from gateway.errors import StalePlan
from gateway.store.engine import Store
from gateway.store.tables import AUDIT, CELL, CONTENT, TABLE
from gateway.store.working_set import OPEN

_ONLY = 1
OPEN_LEGS = text(
    "SELECT COUNT(*), MIN(created_us) FROM leg WHERE plant = :plant AND domain = :domain "  # noqa: S608  # our own words
    f"AND {OPEN} AND state <> 'parked'"
)
"""What a cell owes: how many legs, and when the oldest was accepted."""


class NoSuchCell(Exception):
    """The table in force has no such cell."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Legs of a cell that are neither ended nor parked. `oldest_us` is when the oldest was accepted."""

    plant: str
    domain: str
    legs: int
    oldest_us: int
    suspended: bool = False


class NotDrained(Exception):
    """Cells owe writes that the change would leave behind: nothing was changed."""

    def __init__(self, owed: tuple[Owed, ...]) -> None:
        super().__init__(", ".join(f"({o.plant}, {o.domain}): {o.legs} legs" for o in owed))
        self.owed = owed


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
    chosen = select(TABLE.c.revision, TABLE.c.content, TABLE.c.numbered).where(TABLE.c.id == _ONLY)
    row = (await db.execute(chosen.with_for_update() if lock else chosen)).first()
    if row is None:
        return None
    rows = (await db.execute(select(CELL))).mappings()
    cells = [Cell(**cell) for cell in rows]
    return Running(WaveTable(row[0], {cell.id: cell for cell in cells}, numbered=row[2]), row[1])


async def files_of(store: Store, revision_: str) -> bytes | None:
    """The archived files of a content revision."""
    async with store.transaction() as db:
        row = (await db.execute(select(CONTENT.c.files).where(CONTENT.c.revision == revision_))).first()
    return row[0] if row else None


async def commit(store: Store, plan: Plan, table: WaveTable, files: bytes, entry: AuditEntry) -> None:
    """Put a plan in force: content archived, cells changed, audit written, in one transaction. Raises: StalePlan, NotDrained."""
    async with store.transaction() as db:
        now = await _running(db, lock=True)
        if (now.table.revision if now else 0) != plan.table_revision:
            raise StalePlan(
                f"the table is at revision {now.table.revision if now else 0}, the plan is for {plan.table_revision}"
            )
        cells = dict(now.table.cells) if now else {}
        await _refuse_stranding(db, [c for id_, c in sorted(cells.items()) if strands(c, table.cells.get(id_))])
        await _archive(db, plan.content, files, entry.at_us)
        await _change_cells(db, cells, table.cells)
        values = {"revision": table.revision, "content": plan.content}
        if now is None:
            await db.execute(insert(TABLE).values(id=_ONLY, numbered=False, **values))
        else:
            await db.execute(update(TABLE).where(TABLE.c.id == _ONLY).values(**values))
        await _audited(db, entry)


async def suspend(store: Store, cell: CellId, entry: AuditEntry, *, suspended: bool) -> bool:
    """Let what a cell's other side is owed wait, or go on. Gives: whether that was a change. Raises: NoSuchCell."""
    async with store.transaction() as db:
        now = await _running(db, lock=True)
        found = now.table.cells.get(cell) if now else None
        if now is None or found is None:
            raise NoSuchCell(f"no cell ({cell[0]}, {cell[1]})")
        if found.suspended == suspended:
            return False
        await db.execute(update(CELL).where(*_is(cell)).values(suspended=suspended))
        await db.execute(update(TABLE).where(TABLE.c.id == _ONLY).values(revision=now.table.revision + 1))
        await _audited(db, entry)
    return True


async def owed(store: Store, cell: Cell) -> Owed | None:
    """What the cell's ERPs are still owed; None where nothing is open."""
    async with store.transaction() as db:
        return await _owed(db, cell)


async def _refuse_stranding(db: AsyncConnection, cells: Sequence[Cell]) -> None:
    """Raises: NotDrained."""
    for cell in cells:
        # Accepting writes holds these rows FOR SHARE: once this returns nothing more is accepted before the commit.
        await db.execute(select(CELL.c.plant).where(*_is(cell.id)).with_for_update())
    found = tuple([each for cell in cells if (each := await _owed(db, cell)) is not None])
    if found:
        raise NotDrained(found)


async def _owed(db: AsyncConnection, cell: Cell) -> Owed | None:
    row = (await db.execute(OPEN_LEGS, {"plant": cell.plant, "domain": cell.domain})).one()
    return Owed(cell.plant, cell.domain, row[0], row[1], cell.suspended) if row[0] else None


def _is(cell: CellId) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return CELL.c.plant == cell[0], CELL.c.domain == cell[1]


async def _audited(db: AsyncConnection, entry: AuditEntry) -> None:
    detail = json.dumps(entry.detail, sort_keys=True, default=str)
    row = {"at_us": entry.at_us, "actor": entry.actor, "action": entry.action, "reason": entry.reason}
    await db.execute(insert(AUDIT).values(**row, detail=detail))


async def _archive(db: AsyncConnection, revision_: str, files: bytes, at_us: int) -> None:
    known = (await db.execute(select(CONTENT.c.revision).where(CONTENT.c.revision == revision_))).first()
    if known is None:
        await db.execute(insert(CONTENT).values(revision=revision_, files=files, archived_at_us=at_us))


async def _change_cells(db: AsyncConnection, before: Mapping[CellId, Cell], after: Mapping[CellId, Cell]) -> None:
    """Write what differs: an accept that waits for the row of a cell must find that row again, at its new epoch."""
    for id_ in sorted(before.keys() - after.keys()):
        await db.execute(delete(CELL).where(*_is(id_)))
    for id_, cell in sorted(after.items()):
        if id_ not in before:
            await db.execute(insert(CELL).values(**asdict(cell)))
        elif cell != before[id_]:
            await db.execute(update(CELL).where(*_is(id_)).values(**asdict(cell)))
