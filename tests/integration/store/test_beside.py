"""What is kept for an ERP commits with the outcome that says it, and is found by document: the same on both databases."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from gateway.core.canonical import Document
from gateway.core.canonical.stored import dumped
from gateway.core.intents import Beside
from gateway.store.beside import BesideBook, save_beside
from gateway.store.sql import Database


def kept(
    key: str, document: Document, *, plant: str = "1000", said_us: int = 5, lane: str = "first", lane_seq: int = 1
) -> Beside:
    fields = tuple((name, dumped(value)) for name, value in document.items())
    return Beside("ecc", "production_order", plant, key, fields, said_us, lane, lane_seq)


async def found(database: Database, *keys: str, plant: str = "1000") -> dict[str, Document]:
    return dict(await BesideBook(database).of("ecc", "production_order", plant, keys))


async def test_values_come_back_exactly_and_only_of_their_own_document(database: Database) -> None:
    first: Document = {"priority": Decimal("1.50"), "released_on": date(2026, 12, 1), "recipient": "GATE 3"}
    await database.transaction(
        lambda db: save_beside(db, [kept("1", first), kept("1", {"recipient": "B"}, plant="2000")])
    )
    assert await found(database, "1", "2") == {"1": first}
    assert await found(database, "1", plant="2000") == {"1": {"recipient": "B"}}
    assert await found(database) == {}


async def test_a_change_touches_its_own_fields_and_an_emptied_one_is_known_to_be_empty(database: Database) -> None:
    await database.transaction(lambda db: save_beside(db, [kept("1", {"recipient": "A", "planner": "P"})]))
    await database.transaction(lambda db: save_beside(db, [kept("1", {"recipient": None, "version": "2"})]))
    assert await found(database, "1") == {"1": {"planner": "P", "version": "2", "recipient": None}}


async def test_a_create_that_is_settled_late_takes_no_later_change_back(database: Database) -> None:
    """Its answer was lost, and a client who saw the document in a list changed it meanwhile, in a lane of its own."""
    await database.transaction(lambda db: save_beside(db, [kept("1", {"recipient": "B"}, said_us=7, lane="second")]))
    await database.transaction(lambda db: save_beside(db, [kept("1", {"recipient": "A", "planner": "P"}, said_us=5)]))
    assert await found(database, "1") == {"1": {"recipient": "B", "planner": "P"}}


async def test_a_new_document_under_an_old_number_shows_nothing_of_the_old_one(database: Database) -> None:
    await database.transaction(lambda db: save_beside(db, [kept("1", {"recipient": "A", "planner": "P"}, said_us=5)]))
    new = kept("1", {"recipient": "B", "planner": None}, said_us=9, lane="second")
    await database.transaction(lambda db: save_beside(db, [new]))
    assert await found(database, "1") == {"1": {"recipient": "B", "planner": None}}


async def test_the_write_that_stands_later_in_the_lane_was_said_later_whatever_the_clocks_say(
    database: Database,
) -> None:
    """A gateway that slept between its look at the clock and the journal says an old time."""
    first = kept("1", {"recipient": "A"}, said_us=9, lane_seq=5)
    second = kept("1", {"recipient": "B"}, said_us=7, lane_seq=6)
    for each in (first, second, first):
        await database.transaction(lambda db, each=each: save_beside(db, [each]))
    assert await found(database, "1") == {"1": {"recipient": "B"}}
