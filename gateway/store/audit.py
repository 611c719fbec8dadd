"""The audit as people read it: who decided what, when and why, the newest first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.store.sql import Database, Db, Row

_COLUMNS = "id, at_us, actor, action, reason, detail"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows: None is any. `action` is one (`case.replay`) or a family (`case`); `before` is a row's id to go on from."""

    since_us: int | None = None
    action: str | None = None
    actor: str | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One row. `detail` is what the action itself keeps."""

    id: int
    at_us: int
    actor: str
    action: str
    reason: str | None
    detail: Mapping[str, Any]


async def audit(database: Database, asked: Asked) -> Sequence[AuditLine]:
    """The newest rows first. Raises: StoreDown."""
    where, values = _where(asked)

    async def work(db: Db) -> Sequence[AuditLine]:
        found = await db.rows(
            f"SELECT {_COLUMNS} FROM audit WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608  # our own words
            *values, asked.limit,
        )  # fmt: skip
        return [_line(row) for row in found]

    return await database.transaction(work)


async def audit_of_case(database: Database, case: int) -> Sequence[AuditLine]:
    """What people did about a case, the oldest first. Raises: StoreDown."""

    async def work(db: Db) -> Sequence[AuditLine]:
        # The text narrows, what it says decides: a document in the detail may hold the same text.
        found = await db.rows(
            f"SELECT {_COLUMNS} FROM audit WHERE action LIKE 'case.%' AND detail LIKE ? ORDER BY id",  # noqa: S608  # our own words
            f'%"case": {case},%',
        )
        return [line for line in map(_line, found) if line.detail.get("case") == case]

    return await database.transaction(work)


def _line(row: Row) -> AuditLine:
    id_, at_us, actor, action, reason, detail = row
    return AuditLine(id_, at_us, actor, action, reason, json.loads(detail))


def _where(asked: Asked) -> tuple[str, list[Any]]:
    parts: list[str] = ["1 = 1"]
    values: list[Any] = []
    for column, value in (("at_us >= ?", asked.since_us), ("actor = ?", asked.actor), ("id < ?", asked.before)):
        if value is not None:
            parts.append(column)
            values.append(value)
    if asked.action is not None:
        parts.append("(action = ? OR SUBSTR(action, 1, ?) = ?)")
        family = f"{asked.action}."
        values += [asked.action, len(family), family]
    return " AND ".join(parts), values
