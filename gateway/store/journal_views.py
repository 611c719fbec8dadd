"""The journal as people look through it: the newest writes first, by lane, ERP or state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.store.sql import Database, Db


@dataclass(frozen=True, slots=True)
class Look:
    """Which writes: None is any. `state` and `erp` are of a leg; `before` is an operation id to go on from."""

    lane: str | None = None
    erp: str | None = None
    state: str | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class LegLine:
    """A leg, in a list of writes."""

    side: str
    erp: str
    state: str
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class IntentLine:
    """A write, in a list of them. Its legs have the authoritative one first."""

    id: str
    lane: str
    lane_seq: int
    plant: str
    object: str
    verb: str
    key: str | None
    client: str
    epoch: int
    created_us: int
    legs: tuple[LegLine, ...] = ()


async def intents(database: Database, look: Look) -> Sequence[IntentLine]:
    """The newest writes first. Raises: StoreDown."""
    where, values = _where(look)

    async def work(db: Db) -> Sequence[IntentLine]:
        found = await db.rows(
            "SELECT id, lane, lane_seq, plant, object, verb, key, client, epoch, created_us FROM intent i "  # noqa: S608  # our own words
            f"WHERE {where} ORDER BY id DESC LIMIT ?", *values, look.limit,
        )  # fmt: skip
        legs = await db.rows(
            "SELECT intent, side, erp, state, attempts, error FROM leg WHERE intent IN (??) ORDER BY authoritative DESC",
            [row[0] for row in found],
        )
        of: dict[str, list[LegLine]] = {}
        for intent, *line in legs:
            of.setdefault(intent, []).append(LegLine(*line))
        return [replace(IntentLine(*row), legs=tuple(of.get(row[0], ()))) for row in found]

    return await database.transaction(work)


def _where(look: Look) -> tuple[str, list[Any]]:
    parts: list[str] = ["1 = 1"]
    values: list[Any] = []
    for column, value in (("i.lane = ?", look.lane), ("i.id < ?", look.before)):
        if value is not None:
            parts.append(column)
            values.append(value)
    legs = [(f"l.{name} = ?", value) for name, value in (("erp", look.erp), ("state", look.state)) if value is not None]
    if legs:
        words = " AND ".join(word for word, _ in legs)
        parts.append(f"EXISTS (SELECT 1 FROM leg l WHERE l.intent = i.id AND {words})")  # noqa: S608  # our own words
        values += [value for _, value in legs]
    return " AND ".join(parts), values
