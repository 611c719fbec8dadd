"""What the gateway keeps for ERPs that have no field for it, in SQL: one row per field of a document there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gateway.core.canonical import Document
from gateway.core.canonical.stored import loaded
from gateway.core.intents import Beside
from gateway.store.sql import Database, Db


class BesideBook:
    """Looks kept fields up. Raises: StoreDown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, erp: str, object_: str, plant: str, keys: Iterable[str]) -> Mapping[str, Document]:
        """The kept fields of documents, by the ERP's own numbers; those without any are left out."""
        wanted = sorted(keys)

        async def work(db: Db) -> Mapping[str, Document]:
            found = await db.rows(
                "SELECT key, field, value FROM beside WHERE erp = ? AND object = ? AND plant = ? AND key IN (??)",
                erp, object_, plant, wanted,
            )  # fmt: skip
            made: dict[str, Document] = {}
            for key, field, value in found:
                made.setdefault(key, {})[field] = loaded(value)
            return made

        return await self._database.read(work) if wanted else {}


async def save_beside(db: Db, kept: Sequence[Beside]) -> None:
    """Keep fields in the caller's transaction. A create that is settled late takes no later change back."""
    rows = [
        (each.erp, each.object, each.plant, each.key, name, value, each.said_us, each.lane, each.lane_seq)
        for each in kept
        for name, value in each.fields
    ]
    await db.many(
        "INSERT INTO beside (erp, object, plant, key, field, value, said_us, lane, lane_seq) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (erp, object, plant, key, field) DO UPDATE SET "
        "value = excluded.value, said_us = excluded.said_us, lane = excluded.lane, lane_seq = excluded.lane_seq "
        "WHERE CASE WHEN beside.lane = excluded.lane THEN beside.lane_seq <= excluded.lane_seq "
        "ELSE beside.said_us <= excluded.said_us END",
        rows,
    )
