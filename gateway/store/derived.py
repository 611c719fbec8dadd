"""Derived documents in SQL: what each ERP's feed showed, what of it has its counterpart, and the cases of what has none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.core.canonical.stored import dumped, loaded
from gateway.core.crosswalk import Number
from gateway.core.derived import Line, Record
from gateway.core.intents import NewCase
from gateway.core.phases import Side
from gateway.store.sql import Database, Db, Row
from gateway.store.working_set import opened

State = Literal["new", "equal", "apart", "left"]
"""Nobody has compared it to the end; the other ERP has the same; it is alone for a reason that is known; it may still get a counterpart:
a case names it, or it was there before anybody looked."""
_COLUMNS = "object, erp, key, plant, parent, named, lines, seen_us, state"
MOST = 500


@dataclass(frozen=True, slots=True)
class DerivedRow:
    """A derived document. `named`: what it refers to, in the ERP's own numbers; `parent`: the canonical id of that, None while nobody
    knows it; `case`: the case that names it, while that one is undecided.
    """

    object: str
    plant: str
    parent: str | None
    named: tuple[Number, ...]
    record: Record
    state: State = "new"
    case: int | None = None

    @property
    def place(self) -> tuple[str, str, str]:
        return self.object, self.record.erp, self.record.key


@dataclass(frozen=True, slots=True)
class Write:
    """A write and how its legs stand: side -> state, and when they ended that did."""

    id: str
    object: str
    document: str | None
    legs: dict[Side, str]
    ends_us: dict[Side, int]


class DerivedBook:
    """The derived documents of one store. Raises: StoreDown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unresolved(self, object_: str, plant: str) -> Sequence[DerivedRow]:
        """Those that refer to a document which nobody knew."""
        return await self._rows("object = ? AND plant = ? AND state = 'new' AND parent IS NULL", object_, plant)

    async def groups(self, object_: str, plant: str) -> Sequence[DerivedRow]:
        """All that is not equal yet of every document to which something new refers, the oldest first."""
        return await self._rows(
            "object = ? AND plant = ? AND state IN ('new', 'left') AND parent IN (SELECT n.parent FROM derived n "
            "WHERE n.object = ? AND n.plant = ? AND n.state = 'new' ORDER BY n.seen_us LIMIT ?)",
            object_, plant, object_, plant, MOST,
        )  # fmt: skip

    async def _rows(self, where: str, *values: object) -> Sequence[DerivedRow]:
        async def work(db: Db) -> Sequence[DerivedRow]:
            sql = (
                f"SELECT {_COLUMNS}, (SELECT c.id FROM case_ c WHERE c.id = derived.case_id AND c.state <> 'closed') "  # noqa: S608  # our own words
                f"FROM derived WHERE {where} ORDER BY seen_us, erp, key LIMIT ?"
            )
            return [_row(row) for row in await db.rows(sql, *values, MOST * 10)]

        return await self._database.read(work)

    async def read_us(self, object_: str, plant: str, erps: Collection[str]) -> int:
        """When the feeds of these ERPs were all read to their end; 0 where one never was."""

        async def work(db: Db) -> int:
            rows = await db.rows(
                "SELECT read_us FROM feed WHERE object = ? AND plant = ? AND erp IN (??)", object_, plant, sorted(erps)
            )
            return min(row[0] for row in rows) if len(rows) == len(set(erps)) else 0

        return await self._database.read(work)

    async def resolved(self, rows: Iterable[tuple[DerivedRow, str]]) -> None:
        """The documents that rows refer to are known by now."""
        values = [(parent, *row.place) for row, parent in rows]

        async def work(db: Db) -> None:
            await db.many("UPDATE derived SET parent = ? WHERE object = ? AND erp = ? AND key = ?", values)

        if values:
            await self._database.transaction(work)

    async def settle(self, rows: Sequence[DerivedRow], state: State, now_us: int) -> None:
        """Nothing is left to compare of these; a case that named them only is closed."""
        places = [row.place for row in rows]

        async def work(db: Db) -> None:
            await db.many(
                f"UPDATE derived SET state = '{state}' WHERE object = ? AND erp = ? AND key = ?",  # noqa: S608  # our own words
                places,
            )
            await db.many(
                "UPDATE case_ SET state = 'closed', closed_us = ?, closed_by = 'gateway', note = 'both ERPs derived the same after all' "
                "WHERE state <> 'closed' AND id = (SELECT case_id FROM derived WHERE object = ? AND erp = ? AND key = ?) "
                "AND NOT EXISTS (SELECT 1 FROM derived d WHERE d.case_id = case_.id AND d.state = 'left')",
                [(now_us, *place) for place in places],
            )

        if places:
            await self._database.transaction(work)

    async def open_case(self, rows: Sequence[DerivedRow], intent: str, side: Side, case: NewCase, now_us: int) -> bool:
        """One case about rows that nobody has opened one about. Gives: False where another instance was first."""

        async def work(db: Db) -> bool:
            mine = await _still_new(db, rows)
            if mine:
                await opened(db, (intent, side), case, now_us)
                last = "SELECT MAX(id) FROM case_ WHERE intent = ? AND side = ? AND kind = ?"
                await _named_by(db, rows, (await db.rows(last, intent, side, case.kind))[0][0])
            return mine

        return await self._database.transaction(work)

    async def add_to_case(self, rows: Sequence[DerivedRow], case: int, reason: str) -> bool:
        """An undecided case names these rows too. Gives: False where another instance was first."""

        async def work(db: Db) -> bool:
            mine = await _still_new(db, rows)
            if mine:
                await db.rows("UPDATE case_ SET reason = ? WHERE id = ? AND state <> 'closed'", reason, case)
                await _named_by(db, rows, case)
            return mine

        return await self._database.transaction(work)

    async def writes(self, verbs: Collection[tuple[str, str]], plant: str, since_us: int, number: str) -> list[Write]:
        """The writes of some (object, verb) of a plant in whose document a number stands, the newest first."""
        objects, names = sorted({object_ for object_, _ in verbs}), sorted({verb for _, verb in verbs})
        return await self._writes(
            "i.plant = ? AND i.object IN (??) AND i.verb IN (??) AND i.created_us >= ? AND i.document LIKE ?",
            plant, objects, names, since_us, f'%"{number}"%',
        )  # fmt: skip

    async def ended(self, lane: str) -> list[Write]:
        """The writes to a document that are owed to no ERP, the newest first."""
        unended = "SELECT 1 FROM leg o WHERE o.intent = i.id AND o.ended_us IS NULL"
        return await self._writes(f"i.lane = ? AND NOT EXISTS ({unended})", lane)

    async def _writes(self, where: str, *values: object) -> list[Write]:
        async def work(db: Db) -> list[Write]:
            rows = await db.rows(
                "SELECT i.id, i.object, i.document, l.side, l.state, COALESCE(l.ended_us, 0) FROM intent i JOIN leg l ON l.intent = i.id "  # noqa: S608  # our own words
                f"WHERE {where} ORDER BY i.created_us DESC, i.id DESC",
                *values,
            )
            found: dict[str, Write] = {}
            for id_, object_, document, side, state, ended_us in rows:
                write = found.setdefault(id_, Write(id_, object_, document, {}, {}))
                write.legs[side], write.ends_us[side] = state, ended_us
            return list(found.values())

        return await self._database.read(work)


async def _still_new(db: Db, rows: Iterable[DerivedRow]) -> bool:
    """Whether nobody has told of these rows yet; nobody else does until the caller's transaction ends."""
    sql = "SELECT state FROM derived WHERE object = ? AND erp = ? AND key = ? FOR UPDATE"
    found = [await db.rows(sql, *place) for place in sorted(row.place for row in rows)]
    return all(each and each[0][0] == "new" for each in found)


async def _named_by(db: Db, rows: Iterable[DerivedRow], case: int) -> None:
    await db.many(
        "UPDATE derived SET state = 'left', case_id = ? WHERE object = ? AND erp = ? AND key = ?",
        [(case, *row.place) for row in rows],
    )


async def noted(db: Db, rows: Iterable[DerivedRow]) -> None:
    """Keep derived documents that were seen, in the caller's transaction; those of before stay as they are."""
    await db.many(
        f"INSERT INTO derived ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (object, erp, key) DO NOTHING",  # noqa: S608  # our own words
        [
            (
                *row.place,
                row.plant,
                row.parent,
                dumped(row.named),
                dumped([tuple(line) for line in row.record.lines]),
                row.record.seen_us,
                row.state,
            )
            for row in rows
        ],
    )


async def forget(db: Db, before_us: int) -> None:
    """Delete what was seen before a moment and is in no open case."""
    await db.rows(
        "DELETE FROM derived WHERE seen_us < ? AND NOT EXISTS "
        "(SELECT 1 FROM case_ c WHERE c.id = derived.case_id AND c.state <> 'closed')",
        before_us,
    )


def _row(row: Row) -> DerivedRow:
    object_, erp, key, plant, parent, named, lines, seen_us, state, case = row
    record = Record(erp, key, seen_us, tuple(Line(*line) for line in loaded(lines)), last=state == "left")
    return DerivedRow(object_, plant, parent, tuple((of, number) for of, number in loaded(named)), record, state, case)
