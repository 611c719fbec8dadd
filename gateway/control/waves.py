"""Plan and apply: the difference between declared content and what runs, and the one transaction that closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from gateway.control import number_ranges
from gateway.control.content import Content, pack
from gateway.core.number_ranges import Unfit
from gateway.core.waves import Cell, CellId, Change, Plan, WaveTable, applied, difference, mingles
from gateway.errors import StalePlan
from gateway.store import waves as stored
from gateway.store.engine import Store
from gateway.store.waves import AuditEntry, NotDrained, Running, commit, running

EMPTY = WaveTable(0)
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan with what it was made from. `content_before` is the revision that runs now; `unfit` holds the plan up."""

    plan: Plan
    table: WaveTable
    content_before: str | None
    unfit: tuple[Unfit, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.plan.changes and self.content_before == self.plan.content

    @property
    def guarded(self) -> tuple[Change, ...]:
        return tuple(change for change in self.plan.changes if change.guarded)


class Guarded(Exception):
    """The plan moves cells between ERPs, which `apply` does only when told so by name."""

    def __init__(self, changes: tuple[Change, ...]) -> None:
        super().__init__("; ".join(map(str, changes)))
        self.changes = changes


class NumbersUnfit(Exception):
    """The plan lets two ERPs number the documents of a cell, and their numbers are not known to stay apart."""

    def __init__(self, unfit: tuple[Unfit, ...]) -> None:
        super().__init__("; ".join(map(str, unfit)))
        self.unfit = unfit


def planned(now: Running | None, content: Content) -> Planned:
    """What an apply of `content` would change, and which declared number ranges hold that up."""
    table = now.table if now else EMPTY
    changes = difference(table, content.cells)
    couples = number_ranges.couples(content, _mingling(table, content, changes))
    plan_ = Plan(table.revision, content.revision, changes)
    return Planned(plan_, table, now.content if now else None, number_ranges.overlaps(couples))


def _mingling(table: WaveTable, content: Content, changes: tuple[Change, ...]) -> list[Cell]:
    """The cells whose documents two ERPs number from then on."""
    after = applied(table, content.cells, changes).cells
    moved = {(change.plant, change.domain) for change in changes} & after.keys()
    return [after[id_] for id_ in sorted(moved) if mingles(table.cells.get(id_), after[id_])]


async def plan(store: Store, content: Content) -> Planned:
    """The plan against what runs now, with the numbers seen that hold it up too."""
    found = planned(await running(store), content)
    couples = number_ranges.couples(content, _mingling(found.table, content, found.plan.changes))
    if not couples:
        return found
    database = store.journal_database()
    try:
        strays = await number_ranges.strays(database, content, couples)
    finally:
        await database.close()
    return replace(found, unfit=(*found.unfit, *strays))


async def fitting(store: Store, content: Content) -> None:
    """Look through the numbers seen of the cells that move: once, because there may be millions. Raises: NumbersUnfit."""
    found = await plan(store, content)
    if found.unfit:
        raise NumbersUnfit(found.unfit)


async def apply(
    store: Store,
    content: Content,
    files: Mapping[str, str],
    *,
    actor: str,
    reason: str | None,
    now_us: int,
    expected: str | None = None,
    unsafe_switch: bool = False,
) -> Planned:
    """Put declared content and cells in force.

    Takes:  `expected`, the id of a plan that was looked at; `unsafe_switch`, the permission to move cells without a flip.
    Raises: StalePlan: the plan is not the one expected, or somebody applied meanwhile. Guarded: cells would move.
            NumbersUnfit: the declared numbers of their ERPs meet. NotDrained: cells that would move still owe writes to their ERPs.
    """
    found = planned(await running(store), content)
    if expected is not None and found.plan.id != expected:
        raise StalePlan(f"the plan is now {found.plan.id}, not {expected}")
    if found.guarded and not unsafe_switch:
        raise Guarded(found.guarded)
    if found.unfit:
        raise NumbersUnfit(found.unfit)
    if found.empty:
        return found
    table = applied(found.table, content.cells, found.plan.changes)
    detail = {
        "plan": found.plan.id,
        "content": content.revision,
        "changes": [str(c) for c in found.plan.changes],
        "unsafe_switch": bool(found.guarded),
    }
    await commit(store, found.plan, table, pack(files), AuditEntry(now_us, actor, "apply", reason, detail))
    return found


async def once_drained(
    attempt: Callable[[], Awaitable[Planned]], wait_s: float, tell: Callable[[NotDrained], None]
) -> Planned:
    """Try an apply again until nothing is open in the cells that it moves, for so many seconds.

    Takes: `tell`, called with what is still open, about once a second. Raises: NotDrained, and what an apply raises.
    """
    loop = asyncio.get_running_loop()
    give_up_s, told_s = loop.time() + wait_s, 0.0
    while True:
        try:
            return await attempt()
        except NotDrained as err:
            now_s = loop.time()
            if now_s >= give_up_s:
                raise
            if now_s >= told_s + 1:
                told_s = now_s
                tell(err)
        await asyncio.sleep(_LOOK_S)


async def suspend(
    store: Store, cell: CellId, *, suspended: bool, actor: str, reason: str, now_us: int, dry_run: bool = False
) -> bool:
    """Let what a cell's other side is owed wait (`suspended`), or go on; the side in charge goes on in either case.

    Gives: whether that is a change. Raises: NoSuchCell.
    """
    if dry_run:
        now = await running(store)
        found = now.table.cells.get(cell) if now else None
        if found is None:
            raise stored.NoSuchCell(f"no cell ({cell[0]}, {cell[1]})")
        return found.suspended != suspended
    action = "suspend" if suspended else "resume"
    entry = AuditEntry(now_us, actor, action, reason, {"plant": cell[0], "domain": cell[1]})
    return await stored.suspend(store, cell, entry, suspended=suspended)
