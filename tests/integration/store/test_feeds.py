"""Who reads a change feed, what is kept of it, and what the journal says of a document: the same on both databases."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.core.canonical.stored import dumped
from gateway.core.crosswalk import SHOWN, canonical_id, erp_space
from gateway.core.intents import Accept, Accepted, Intent, LaneMoved, Move, Names, NewCase, NewLeg, StepRecord
from gateway.core.waves import Cell, Plan, WaveTable
from gateway.store.engine import Store
from gateway.store.feeds import FeedBook, Image, Line, Looked
from gateway.store.journal import Journal
from gateway.store.sql import Database
from gateway.store.waves import AuditEntry, commit

FEED = ("ecc", "production_order", "1000")
CELL = Cell("1000", "production", "ecc", "s4", phase="dual_legacy")
ENTRY = AuditEntry(1, "lead", "apply", "go-live", {})
LANE = "d" * 32
US = 1_000_000


@pytest.fixture
async def journal(store: Store, database: Database) -> Journal:
    await commit(store, Plan(0, "c1", ()), WaveTable(1, {CELL.id: CELL}), b"", ENTRY)
    return Journal(database)


def accept(id_: str, verb: str, document: object, *, here: bool = False, expects: int | None = None) -> Accept:
    """A write in charge of the legacy side, or somebody's edit there."""
    intent = Intent(
        id=id_ * 32, lane=LANE, plant="1000", domain="production", object="production_order", verb=verb, epoch=1, term=1,
        side="legacy", content="c1", created_us=5, client="mes", subject="mes", origin="erp" if here else "client",
        document=dumped(document),
    )  # fmt: skip
    legs = (NewLeg("legacy", "ecc", there=here, starts=not here), NewLeg("cloud", "s4"))
    names = (
        Names("production_order", LANE, erp_space("ecc"), "100"),
        Names("production_order", LANE, SHOWN, "100"),
    )
    return Accept(intent, legs, "me", 5, names=names, expects=expects)


async def finished(journal: Journal, accepted: object, **more: str) -> None:
    assert isinstance(accepted, Accepted)
    assert accepted.started is not None
    await journal.do(Move(accepted.started, "finish", 6, **more))  # type: ignore[arg-type]  # texts only


async def line(book: FeedBook) -> Line:
    return (await book.lines(FEED, ["100"], [erp_space("ecc")], "ecc"))["100"]


async def test_a_feed_has_one_reader_and_another_one_when_that_is_gone(journal: Journal) -> None:
    book = FeedBook(journal.database)
    await journal.beat("a", 60 * US)
    assert set(await book.claim("a", [FEED])) == {FEED}
    assert await book.claim("b", [FEED]) == {}
    assert await book.save("a", FEED, Looked("2026-11-22T08:00:00+00:00", complete=True, edits=2), 7 * US)
    assert not await book.save("b", FEED, Looked(None, complete=True), 8 * US)
    await journal.leave("a")
    taken = (await book.claim("b", [FEED]))[FEED]
    assert (taken.cursor, taken.read_us) == ("2026-11-22T08:00:00+00:00", 7 * US)
    assert not await book.save("a", FEED, Looked("2099-01-01T00:00:00+00:00", complete=True), 9 * US)
    (row,) = await book.rows()
    assert (row.cursor, row.owner, row.edits) == ("2026-11-22T08:00:00+00:00", "b", 2)


async def test_a_look_that_did_not_reach_the_end_moves_the_cursor_and_says_what_was_wrong(journal: Journal) -> None:
    book = FeedBook(journal.database)
    await journal.beat("a", 60 * US)
    await book.claim("a", [FEED])
    await book.save("a", FEED, Looked("2026-11-22", complete=True, derived=3), 7 * US)
    await book.save("a", FEED, Looked(None, complete=False, error="ecc is down"), 9 * US)
    (row,) = await book.rows()
    assert (row.cursor, row.read_us, row.derived, row.error) == ("2026-11-22", 7 * US, 3, "ecc is down")


async def test_what_a_document_should_say_follows_from_the_journal(journal: Journal) -> None:
    book = FeedBook(journal.database)
    before = await line(book)
    assert (before.named, before.last, before.done) == (False, 0, ())
    assert before.canonical == canonical_id("production_order", "ecc", "100")
    made = await journal.do(accept("1", "create", {"quantity": Decimal(10)}))
    assert (await line(book)).busy
    await finished(journal, made, shown=dumped({"OrderQty": "10"}))
    now = await line(book)
    assert (now.named, now.canonical, now.busy, now.last, now.settled) == (True, LANE, False, 1, 1)
    assert [(d.verb, d.text, d.shown, d.here) for d in now.done] == [
        ("create", dumped({"quantity": Decimal(10)}), dumped({"OrderQty": "10"}), False)
    ]


async def test_an_edit_is_taken_once_however_many_noticed_it(journal: Journal) -> None:
    book = FeedBook(journal.database)
    await finished(journal, await journal.do(accept("1", "create", {})))
    patch = {"patch": {"quantity": Decimal(7)}, "before": {"quantity": Decimal(10)}}
    first = await journal.do(accept("2", "change", patch, here=True, expects=1))
    second = await journal.do(accept("3", "change", patch, here=True, expects=1))
    assert isinstance(first, Accepted)
    assert second == LaneMoved(LANE)
    now = await line(book)
    assert [(d.verb, d.edit, d.here) for d in now.done] == [("create", False, False), ("change", True, True)]
    assert not now.busy
    assert await book.open_in(LANE)  # the other ERP is owed it


async def test_what_is_remembered_of_a_document_stands_for_the_writes_before_it(journal: Journal) -> None:
    book = FeedBook(journal.database)
    await journal.beat("a", 60 * US)
    await book.claim("a", [FEED])
    await finished(journal, await journal.do(accept("1", "create", {})))
    await book.save(
        "a", FEED, Looked(None, complete=False, images=[Image(LANE, 1, {"quantity": Decimal("10.0")}, "c")]), 7
    )
    now = await line(book)
    assert (now.image, now.seq, now.done) == ({"quantity": Decimal("10.0")}, 1, ())


async def test_a_create_under_way_is_known_until_it_has_ended(journal: Journal) -> None:
    book = FeedBook(journal.database)
    made = await journal.do(accept("1", "create", {}))
    assert isinstance(made, Accepted)
    assert made.started is not None
    assert await book.creating("production_order", "ecc") == {}
    step = StepRecord(0, "sending", "t" * 32, 5, 99)
    await journal.do(Move(made.started, "begin", 6, next_step=step))
    assert await book.creating("production_order", "ecc") == {"1" * 32: ("sending", 99)}
    assert await book.creating("production_order", "s4") == {}
    await finished(journal, made)
    assert await book.creating("production_order", "ecc") == {}


async def test_a_create_that_waits_for_a_person_with_its_document_there_is_a_write_that_the_erp_has(
    journal: Journal,
) -> None:
    book = FeedBook(journal.database)
    made = await journal.do(accept("1", "create", {"quantity": Decimal(10)}))
    assert isinstance(made, Accepted)
    assert made.started is not None
    first, second = (StepRecord(n, "sending", str(n) * 32, 5, 99) for n in (0, 1))
    await journal.do(Move(made.started, "begin", 6, next_step=first))
    done, refused = first._replace(state="done"), second._replace(state="refused")
    await journal.do(Move(made.started, "advance", 7, step=done, next_step=second, key='{"OrderID":"100"}'))
    assert await book.creating("production_order", "ecc") == {}
    assert (await line(book)).done == ()
    case = NewCase("half-done", "the second step was refused")
    await journal.do(Move(made.started, "park", 8, step=refused, case=case))
    now = await line(book)
    assert (now.busy, [(d.verb, d.text, d.content) for d in now.done]) == (
        False,
        [("create", dumped({"quantity": Decimal(10)}), "c1")],
    )
