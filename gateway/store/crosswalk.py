"""The crosswalk in SQL: legacy number <-> canonical id <-> cloud number, and the one that clients are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.core.crosswalk import SHOWN, Named, Number, erp_space
from gateway.store.sql import Database, Db


class Crosswalk:
    """Looks numbers up. Raises: StoreDown."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def to_erp(self, erp: str, shown: Iterable[Number]) -> Mapping[Number, str]:
        """The ERP's own numbers for those that clients are shown; those without one are left out."""
        return await self._across(SHOWN, erp_space(erp), shown)

    async def to_shown(self, erp: str, own: Iterable[Number]) -> Mapping[Number, str]:
        """What clients are shown for an ERP's own numbers."""
        return await self._across(erp_space(erp), SHOWN, own)

    async def _across(self, from_space: str, to_space: str, numbers: Iterable[Number]) -> Mapping[Number, str]:
        wanted = sorted(numbers)
        if not wanted:
            return {}

        async def work(db: Db) -> Mapping[Number, str]:
            found = await db.rows(
                "SELECT a.object, a.key, b.key FROM crosswalk a JOIN crosswalk b ON b.object = a.object "
                "AND b.canonical = a.canonical AND b.space = ? "
                "WHERE a.object IN (??) AND a.space = ? AND a.key IN (??)",
                to_space, sorted({object_ for object_, _ in wanted}), from_space, sorted({key for _, key in wanted}),
            )  # fmt: skip
            known = set(wanted)
            return {(row[0], row[1]): row[2] for row in found if (row[0], row[1]) in known}

        return await self._database.read(work)

    async def named(self, erp: str, numbers: Iterable[Number]) -> Mapping[Number, Named]:
        """What is known of numbers that clients wrote, towards one ERP; those of which nothing is known are left out."""
        wanted, own = set(numbers), erp_space(erp)
        if not wanted:
            return {}

        async def work(db: Db) -> Mapping[Number, Named]:
            rows = await db.rows(
                "SELECT a.object, a.key, a.space, b.space, b.key FROM crosswalk a JOIN crosswalk b ON b.object = a.object "
                "AND b.canonical = a.canonical AND b.space IN (??) WHERE a.object IN (??) AND a.space IN (??) AND a.key IN (??)",
                [SHOWN, own], sorted({of for of, _ in wanted}), [SHOWN, own], sorted({key for _, key in wanted}),
            )  # fmt: skip
            found: dict[Number, Named] = {}
            for object_, key, space, to_space, to_key in rows:
                number = (object_, key)
                if number in wanted:
                    now = found.get(number, Named())
                    if space == SHOWN:
                        now = now._replace(shown=True, own=to_key if to_space == own else now.own)
                    elif to_space == SHOWN:
                        now = now._replace(other=to_key)
                    found[number] = now
            return found

        return await self._database.read(work)

    async def canonical(self, shown: Iterable[Number]) -> Mapping[Number, str]:
        """The canonical ids behind shown numbers."""
        wanted = set(shown)
        if not wanted:
            return {}

        async def work(db: Db) -> Mapping[Number, str]:
            found = await db.rows(
                "SELECT object, key, canonical FROM crosswalk WHERE object IN (??) AND space = ? AND key IN (??)",
                sorted({object_ for object_, _ in wanted}), SHOWN, sorted({key for _, key in wanted}),
            )  # fmt: skip
            return {(row[0], row[1]): row[2] for row in found if (row[0], row[1]) in wanted}

        return await self._database.read(work)

    async def of(self, object_: str, canonical: str) -> Mapping[str, str]:
        """All names of one canonical id: space -> number."""

        async def work(db: Db) -> Mapping[str, str]:
            found = await db.rows(
                "SELECT space, key FROM crosswalk WHERE object = ? AND canonical = ?", object_, canonical
            )
            return {row[0]: row[1] for row in found}

        return await self._database.read(work)

    async def holder(self, object_: str, space: str, key: str) -> str | None:
        """The canonical id that a number stands for."""

        async def work(db: Db) -> str | None:
            found = await db.rows(
                "SELECT canonical FROM crosswalk WHERE object = ? AND space = ? AND key = ?", object_, space, key
            )
            return found[0][0] if found else None

        return await self._database.read(work)
