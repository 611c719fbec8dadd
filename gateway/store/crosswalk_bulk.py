"""The crosswalk in bulk: what stands already for many numbers, all new names in one transaction, and ranges that overlap."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

import asyncpg  # type: ignore[import-untyped]  # ships no types

from gateway.core.intents import Names
from gateway.store.sql import Database, Db, ThreadedSqlite
from gateway.store.working_set import audited

T = TypeVar("T")
UNIQUE_VIOLATED = (sqlite3.IntegrityError, asyncpg.UniqueViolationError)
_CHUNK = 5_000
_ROOM = "PRAGMA cache_size = -200000"
"""200 MB for this connection: both indices stay in memory, which halves the time that others wait."""


@dataclass(frozen=True, slots=True)
class Audit:
    """Who does it, and why."""

    at_us: int
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the crosswalk says already: (object, space, key) -> canonical id, and (object, canonical id, space) -> key."""

    by_key: dict[tuple[str, str, str], str]
    by_id: dict[tuple[str, str, str], str]


@dataclass(frozen=True, slots=True)
class Clash:
    """A number that stands for one document in one ERP and for another in the other."""

    object: str
    key: str
    space: str
    other: str


@dataclass(frozen=True, slots=True)
class Span:
    """The numeric keys of an object in a space: how many, from where to where."""

    object: str
    space: str
    count: int
    first: int
    last: int


class Overtaken(Exception):
    """Somebody taught the crosswalk a contradicting number between the look and the write: nothing was written."""


async def standing_for(
    database: Database, keys: Iterable[tuple[str, str, str]], ids: Iterable[tuple[str, str]]
) -> Standing:
    """What stands for the given (object, space, key) and (object, canonical id). Read in short transactions. Raises: StoreDown."""
    found = Standing({}, {})
    for (object_, space), group in _grouped(list(keys)).items():
        for some in _chunks(group):
            await database.transaction(partial(_load_keys, found, object_, space, some))
    held = {(object_, canonical) for (object_, _, _), canonical in found.by_key.items()}
    for (object_,), group in _grouped(sorted({*ids, *held})).items():
        for some in _chunks(group):
            await database.transaction(partial(_load_ids, found, object_, some))
    return found


async def learn(database: Database, names: Sequence[Names], audit: Audit, detail: str) -> None:
    """Write new names, all or none. Raises: Overtaken, StoreDown."""

    async def work(db: Db) -> None:
        if isinstance(database, ThreadedSqlite):
            await db.rows(_ROOM)
        for part in _chunks(names):
            await db.many(
                "INSERT INTO crosswalk (object, canonical, space, key) VALUES (?, ?, ?, ?)",
                [(n.object, n.canonical, n.space, n.key) for n in part],
            )
        await audited(db, audit.at_us, audit.actor, "crosswalk.import", audit.reason, detail)
        # Another revision, and every gateway looks: from now on a number may be another one elsewhere.
        if names:
            await db.rows("UPDATE wave_table SET revision = revision + 1, numbered = ?", True)  # noqa: FBT003  # a value of a row

    try:
        # Little but the inserts: on SQLite the gateway's writes wait as long as this takes.
        await database.transaction(work)
    except UNIQUE_VIOLATED as err:
        raise Overtaken(str(err)) from err


async def _load_keys(found: Standing, object_: str, space: str, some: list[str], db: Db) -> None:
    rows = await db.rows(
        "SELECT key, canonical FROM crosswalk WHERE object = ? AND space = ? AND key IN (??)", object_, space, some
    )
    found.by_key.update({(object_, space, key): canonical for key, canonical in rows})


async def _load_ids(found: Standing, object_: str, some: list[str], db: Db) -> None:
    rows = await db.rows(
        "SELECT canonical, space, key FROM crosswalk WHERE object = ? AND canonical IN (??)", object_, some
    )
    found.by_id.update({(object_, canonical, space): key for canonical, space, key in rows})


def _grouped(rows: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], list[str]]:
    """The last member of each row, under the others."""
    found: dict[tuple[str, ...], list[str]] = {}
    for *head, last in rows:
        found.setdefault(tuple(head), []).append(last)
    return found


def _chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    left = iter(rows)
    while some := list(islice(left, _CHUNK)):
        yield some


async def clashes(database: Database, object_: str, space: str, other: str, limit: int) -> list[Clash]:
    """Numbers that two ERPs use for different documents of an object."""

    async def work(db: Db) -> list[Clash]:
        # Counted and not joined: a database without statistics yet, right after an import, joins everything with everything.
        rows = await db.rows(
            "SELECT key FROM crosswalk WHERE object = ? AND space IN (??) "
            "GROUP BY key HAVING MIN(canonical) <> MAX(canonical) ORDER BY key LIMIT ?",
            object_, [space, other], limit,
        )  # fmt: skip
        return [Clash(object_, row[0], space, other) for row in rows]

    return await database.transaction(work)


async def places(database: Database) -> list[tuple[str, str]]:
    """Every (object, ERP's space) that has numbers."""

    async def work(db: Db) -> list[tuple[str, str]]:
        rows = await db.rows(
            "SELECT DISTINCT object, space FROM crosswalk WHERE space LIKE 'erp:%' ORDER BY object, space"
        )
        return [(row[0], row[1]) for row in rows]

    return await database.transaction(work)


async def pages(database: Database, object_: str, space: str) -> AsyncIterator[list[str]]:
    """All numbers of an object in a space, in pages, each read in a short transaction."""
    after = ""

    async def page(db: Db) -> list[str]:
        rows = await db.rows(
            "SELECT key FROM crosswalk WHERE object = ? AND space = ? AND key > ? ORDER BY key LIMIT ?",
            object_, space, after, _CHUNK,
        )  # fmt: skip
        return [row[0] for row in rows]

    while keys := await database.transaction(page):
        yield keys
        after = keys[-1]


async def span_of(database: Database, object_: str, space: str) -> Span:
    """The numeric range of an object's numbers in a space."""
    numbers, first, last = 0, 0, 0
    async for keys in pages(database, object_, space):
        found = [int(key) for key in keys if key.isascii() and key.isdigit()]
        if found:
            first = min(found) if not numbers else min(first, *found)
            last = max(last, *found)
        numbers += len(found)
    return Span(object_, space, numbers, first, last)


async def elsewhere(database: Database, object_: str, space: str, numbers: Sequence[str]) -> frozenset[str]:
    """Those of a space's numbers that the same document has in another ERP too."""

    async def work(some: list[str], db: Db) -> list[str]:
        rows = await db.rows(
            "SELECT DISTINCT here.key FROM crosswalk here JOIN crosswalk there ON there.object = here.object "
            "AND there.canonical = here.canonical AND there.key = here.key AND there.space <> here.space "
            "AND there.space LIKE 'erp:%' WHERE here.object = ? AND here.space = ? AND here.key IN (??)",
            object_, space, some,
        )  # fmt: skip
        return [row[0] for row in rows]

    found = [await database.transaction(partial(work, some)) for some in _chunks(numbers)]
    return frozenset(number for part in found for number in part)
