"""Derived documents in the store: seen again they are the same, told of once, and forgotten when nobody asks: on both databases."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from gateway.core.derived import Line, Record
from gateway.core.intents import NewCase
from gateway.store.derived import DerivedBook, DerivedRow, forget, noted
from gateway.store.sql import Database, Row

ORDER = "d" * 32
CASE = NewCase("derived", "they differ")


def row(erp: str, key: str, seen_us: int = 5, parent: str | None = ORDER) -> DerivedRow:
    lines = (Line("production_receipt", "PUMP-100", Decimal("4.000"), "H87"),)
    named = (("production_order", "100"),)
    return DerivedRow("movement", "1000", parent, named, Record(erp, key, seen_us, lines))


async def keep(database: Database, *rows: DerivedRow) -> None:
    await database.transaction(lambda db: noted(db, rows))


async def cases(database: Database) -> list[Row]:
    return list(await database.read(lambda db: db.rows("SELECT id, state, closed_by FROM case_ ORDER BY id")))


async def test_a_document_that_is_seen_again_is_the_same_one(database: Database) -> None:
    book = DerivedBook(database)
    await keep(database, row("ecc", "1"), row("s4", "9", parent=None))
    await keep(database, row("ecc", "1", seen_us=99))
    assert await book.groups("movement", "1000") == [row("ecc", "1")]
    assert await book.groups("movement", "2000") == []
    (unknown,) = await book.unresolved("movement", "1000")
    await book.resolved([(unknown, ORDER)])
    assert [each.record.key for each in await book.groups("movement", "1000")] == ["1", "9"]
    await book.settle([row("ecc", "1"), row("s4", "9")], "equal", 7)
    await keep(database, row("ecc", "1", seen_us=99))
    assert await book.groups("movement", "1000") == []


async def test_of_two_gateways_that_find_one_difference_one_opens_a_case(database: Database) -> None:
    book, both = DerivedBook(database), [row("ecc", "1"), row("s4", "9")]
    await keep(database, *both)
    found = await asyncio.gather(
        book.open_case(both, "i" * 32, "cloud", CASE, 6), book.open_case(both[::-1], "i" * 32, "cloud", CASE, 6)
    )
    assert sorted(found) == [False, True]
    assert [state for _, state, _ in await cases(database)] == ["open"]
    # Nothing new refers to the order: nobody looks at it again.
    assert await book.groups("movement", "1000") == []


async def test_a_case_is_closed_when_all_that_it_names_has_its_counterpart(database: Database) -> None:
    book, both = DerivedBook(database), [row("ecc", "1"), row("s4", "9")]
    await keep(database, *both)
    assert await book.open_case(both, "i" * 32, "cloud", CASE, 6)
    await keep(database, row("s4", "10"))
    known = {each.record.key: each for each in await book.groups("movement", "1000")}
    assert [known[key].case is None for key in ("1", "9", "10")] == [False, False, True]
    await book.settle([known["1"], known["10"]], "equal", 7)
    assert [state for _, state, _ in await cases(database)] == ["open"]
    await book.settle([known["9"]], "equal", 8)
    assert [(state, by) for _, state, by in await cases(database)] == [("closed", "gateway")]


async def test_a_later_difference_of_the_same_write_is_added_to_its_case(database: Database) -> None:
    book = DerivedBook(database)
    await keep(database, row("ecc", "1"), row("s4", "9"))
    assert await book.open_case([row("ecc", "1")], "i" * 32, "cloud", CASE, 6)
    ((id_, _, _),) = await cases(database)
    assert await book.add_to_case([row("s4", "9")], id_, "they differ more")
    assert not await book.add_to_case([row("s4", "9")], id_, "twice")
    reasons = await database.read(lambda db: db.rows("SELECT reason FROM case_"))
    assert [reason for (reason,) in reasons] == ["they differ more"]


async def test_what_was_seen_long_ago_is_forgotten_unless_a_person_still_has_to_decide(database: Database) -> None:
    book = DerivedBook(database)
    await keep(database, row("ecc", "1"), row("ecc", "2"), row("ecc", "3", seen_us=50))
    assert await book.open_case([row("ecc", "2")], "i" * 32, "cloud", CASE, 6)
    await database.transaction(lambda db: forget(db, 50))
    left = await database.read(lambda db: db.rows("SELECT key FROM derived ORDER BY key"))
    assert [key for (key,) in left] == ["2", "3"]
