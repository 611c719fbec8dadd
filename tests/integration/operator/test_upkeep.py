"""Decisions, lanes and pruning in the journal itself, on both databases."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.core.intents import (
    Accept,
    Accepted,
    Decision,
    Fenced,
    Intent,
    LegRef,
    Move,
    NewCase,
    NewLeg,
    NoSuchMove,
    Replay,
)
from gateway.core.lanes import ANY_FENCE
from gateway.core.phases import Side
from gateway.core.waves import Cell, Plan, WaveTable
from gateway.settings import shipped
from gateway.store.audit import audit_of_case
from gateway.store.cases import CaseBook, CaseRow, Wanted
from gateway.store.crosswalk_bulk import Audit
from gateway.store.engine import Store
from gateway.store.feeds import FeedBook, Image, Looked
from gateway.store.journal import Journal
from gateway.store.schema import revisions
from gateway.store.sql import Database
from gateway.store.upkeep import Pruned, prune
from gateway.store.waves import AuditEntry, commit, files_of
from tests.support.databases import audited

DAY_US = 24 * 3600 * 1_000_000
NOW_US = 1_000 * DAY_US
CELL = Cell("1000", "production", "ecc", "s4", phase="dual_legacy")
MIGRATIONS = shipped() / "migrations"


@pytest.fixture
async def store(store: Store) -> Store:
    first = WaveTable(1, {CELL.id: CELL})
    await commit(store, Plan(0, "c1", ()), first, b"one", AuditEntry(1, "lead", "apply", None, {}))
    return store


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


async def accepted(journal: Journal, id_: str, lane: str = "", day: int = 0, **more: Any) -> None:
    """A write to both sides, done on the authoritative one."""
    parked, replay = more.pop("parked", None), more.pop("replay", None)
    at_us = NOW_US - day * DAY_US
    intent = Intent(
        id=id_, lane=lane or id_, plant="1000", domain="production", object="production_order", verb="create", epoch=1,
        term=1, side="legacy", content=more.pop("content", "c1"), created_us=at_us, client="mes", subject="mes", **more,
    )  # fmt: skip
    legs = (NewLeg("legacy", "ecc", starts=True), NewLeg("cloud", "s4", parked))
    verdict = await journal.do(Accept(intent, legs, "me", at_us, replay))
    assert isinstance(verdict, Accepted)
    await moved(journal, id_, "legacy", "finish", lane=lane, at_us=at_us)


async def moved(
    journal: Journal,
    id_: str,
    side: Side,
    event: Any,
    *,
    lane: str = "",
    at_us: int = NOW_US,
    fence: int = ANY_FENCE,
    **more: Any,
) -> Any:
    return await journal.do(Move(LegRef(id_, side, lane or id_, fence), event, at_us, **more))


async def refused(journal: Journal, id_: str, lane: str = "") -> None:
    """The other ERP says no."""
    ((claimed),) = [c for c in await journal.claim("me", "s4", NOW_US + DAY_US, 10) if c.ref.intent == id_]
    await moved(
        journal, id_, "cloud", "park", lane=lane, fence=claimed.ref.fence, case=NewCase("split", "no"), error="no"
    )


async def the_case(database: Database, id_: str) -> CaseRow:
    (case,) = [c for c in await CaseBook(database).list(Wanted()) if c.intent == id_]
    return case


def by(case: CaseRow, action: str = "replay") -> Decision:
    return Decision(case.id, action, "anna", "because", "{}")


async def state(journal: Journal, id_: str) -> str:
    view = await journal.operation(id_)
    assert view is not None
    return view.legs[1].state


async def test_a_leg_that_is_sent_again_takes_its_old_place_before_what_came_later(
    journal: Journal, database: Database, store: Store
) -> None:
    await accepted(journal, "a", "lane")
    await accepted(journal, "b", "lane")
    await refused(journal, "a", "lane")
    assert (await state(journal, "a"), await state(journal, "b")) == ("parked", "waiting")
    case = await the_case(database, "a")
    await moved(journal, "a", "cloud", "reopen", lane="lane", decision=by(case))
    assert (await state(journal, "a"), await state(journal, "b")) == ("ready", "waiting")
    assert (await the_case(database, "a")).state == "retrying"
    assert (await audited(store, 1))[0].action == "case.replay"
    await journal.claim("me", "s4", NOW_US, 10)
    await moved(journal, "a", "cloud", "finish", lane="lane")
    assert (await state(journal, "a"), await state(journal, "b")) == ("done", "ready")
    assert (await the_case(database, "a")).state == "closed"


async def test_a_leg_that_was_never_sent_still_waits_for_its_parent_when_it_is_reopened(
    journal: Journal, database: Database
) -> None:
    await accepted(journal, "order")
    await accepted(journal, "confirmation", parked="cannot say it", parents=("order",))
    case = await the_case(database, "confirmation")
    await moved(journal, "confirmation", "cloud", "reopen", decision=by(case), repaired="{}")
    assert await state(journal, "confirmation") == "waiting"
    await journal.claim("me", "s4", NOW_US, 10)
    await moved(journal, "order", "cloud", "finish")
    assert await state(journal, "confirmation") == "ready"
    (claimed,) = await journal.claim("me", "s4", NOW_US, 10)
    assert claimed.repaired == "{}"


async def test_a_leg_on_its_way_takes_no_decision_and_the_audit_says_nothing(
    journal: Journal, database: Database, store: Store
) -> None:
    await accepted(journal, "a")
    await refused(journal, "a")
    case = await the_case(database, "a")
    await moved(journal, "a", "cloud", "reopen", decision=by(case))
    said = len(await audited(store, 99))
    with pytest.raises(NoSuchMove):
        await moved(journal, "a", "cloud", "void", decision=by(case, "close"))
    assert len(await audited(store, 99)) == said
    assert await state(journal, "a") == "ready"


async def test_of_two_people_who_decide_at_once_one_does(journal: Journal, database: Database, store: Store) -> None:
    await accepted(journal, "a")
    await refused(journal, "a")
    case = await the_case(database, "a")
    verdicts = await asyncio.gather(
        *(moved(journal, "a", "cloud", event, decision=by(case)) for event in ("void", "reopen")),
        return_exceptions=True,
    )
    assert sum(not isinstance(v, Fenced | NoSuchMove) for v in verdicts) == 1
    assert [entry.action for entry in await audited(store, 99)].count("case.replay") == 1


async def test_only_what_ended_everywhere_and_nobody_asks_about_is_pruned(
    journal: Journal, database: Database, store: Store
) -> None:
    await commit(
        store, Plan(1, "c2", ()), WaveTable(2, {CELL.id: CELL}), b"two", AuditEntry(2, "lead", "apply", None, {})
    )
    for id_ in ("old", "new", "open", "case", "keyed", "earlier"):
        kept = Replay("mes", "key-1", "f", NOW_US + DAY_US) if id_ == "keyed" else None
        content = "c1" if id_ == "open" else "c2"
        await accepted(journal, id_, day=0 if id_ == "new" else 40, replay=kept, content=content)
    await refused(journal, "case")
    await journal.claim("me", "s4", NOW_US, 10)
    for id_ in ("old", "new", "keyed", "earlier"):
        await moved(journal, id_, "cloud", "finish", at_us=NOW_US if id_ == "earlier" else NOW_US - 35 * DAY_US)
    why = Audit(NOW_US, "anna", "retention")
    wanted = Pruned(intents=1, replays=0, contents=0)
    assert await prune(database, NOW_US - 30 * DAY_US, why, dry_run=True) == wanted
    assert await journal.operation("old") is not None
    assert await prune(database, NOW_US - 30 * DAY_US, why) == wanted
    assert await journal.operation("old") is None
    for id_ in ("new", "open", "case", "keyed", "earlier"):
        view = await journal.operation(id_)
        assert view is not None
        assert len(view.legs) == 2
    assert await files_of(store, "c1") == b"one"
    assert (await audited(store, 1))[0].action == "store.prune"


async def test_many_old_writes_go_in_batches_with_the_content_that_only_they_used(
    journal: Journal, database: Database, store: Store
) -> None:
    for n in range(1_100):
        await accepted(journal, f"w{n}", day=40, content="c1")
    for claimed in await journal.claim("me", "s4", NOW_US, 2_000):
        await moved(journal, claimed.ref.intent, "cloud", "finish", at_us=NOW_US - 39 * DAY_US)
    await commit(
        store, Plan(1, "c2", ()), WaveTable(2, {CELL.id: CELL}), b"two", AuditEntry(2, "lead", "apply", None, {})
    )
    done: list[int] = []
    gone = await prune(database, NOW_US - 30 * DAY_US, Audit(NOW_US, "anna", "retention"), progress=done.append)
    assert gone == Pruned(intents=1_100, replays=0, contents=1)
    assert done == [500, 1_000, 1_100]
    assert await files_of(store, "c1") is None
    assert await files_of(store, "c2") == b"two"
    # The lane goes on counting where it was.
    await accepted(journal, "later", "w7")
    view = await journal.operation("later")
    assert view is not None
    assert view.intent.lane_seq == 2


async def closed_long_ago(journal: Journal, database: Database, id_: str) -> CaseRow:
    """A write that the other ERP refused, given up by a person, and nobody asks about any more."""
    await accepted(journal, id_, day=40)
    await refused(journal, id_)
    case = await the_case(database, id_)
    await moved(journal, id_, "cloud", "void", at_us=NOW_US - 35 * DAY_US, decision=_told(case))
    return case


def _told(case: CaseRow) -> Decision:
    return Decision(case.id, "close", "anna", "not needed", json.dumps({"case": case.id, "intent": case.intent}))


async def test_a_new_case_never_has_the_number_of_one_that_was_pruned(journal: Journal, database: Database) -> None:
    """What somebody did about the old one would stand under the new one, and who remembers a number decides the wrong case."""
    before = [await closed_long_ago(journal, database, id_) for id_ in ("old", "older")]
    for n in (1, 2):
        await prune(database, NOW_US - 30 * DAY_US, Audit(NOW_US, "anna", "retention"))
        await accepted(journal, f"new-{n}", parked="cannot say it")
        case = await the_case(database, f"new-{n}")
        assert case.id not in {old.id for old in before}
        assert await audit_of_case(database, case.id) == []
    assert await journal.operation("old") is None
    assert await journal.operation("older") is None


async def test_of_a_prune_that_is_stopped_the_audit_says_what_went(
    journal: Journal, database: Database, store: Store
) -> None:
    for n in range(600):
        await accepted(journal, f"w{n}", day=40)
    for claimed in await journal.claim("me", "s4", NOW_US, 1_000):
        await moved(journal, claimed.ref.intent, "cloud", "finish", at_us=NOW_US - 39 * DAY_US)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await prune(database, NOW_US - 30 * DAY_US, Audit(NOW_US, "anna", "retention"), progress=stop)
    (said,) = [entry for entry in await audited(store, 99) if entry.action == "store.prune"]
    assert (said.actor, said.detail["intents"]) == ("anna", 500)
    await prune(database, NOW_US - 30 * DAY_US, Audit(NOW_US, "bert", "the rest"))
    assert (await audited(store, 1))[0].detail["intents"] == 100


async def test_a_dry_run_counts_in_pages_so_that_writes_go_on_in_between(journal: Journal, database: Database) -> None:
    for n in range(1_100):
        await accepted(journal, f"w{n}", day=40)
    for claimed in await journal.claim("me", "s4", NOW_US, 2_000):
        await moved(journal, claimed.ref.intent, "cloud", "finish", at_us=NOW_US - 39 * DAY_US)
    counted: list[int] = []
    why = Audit(NOW_US, "anna", "retention")
    found = await prune(database, NOW_US - 30 * DAY_US, why, dry_run=True, progress=counted.append)
    assert (found.intents, counted) == (1_100, [500, 1_000, 1_100])


async def test_keys_that_are_over_go_in_batches_and_those_in_their_seven_days_stay(
    journal: Journal, database: Database
) -> None:
    for n in range(1_200):
        until_us = NOW_US + (DAY_US if n < 100 else -DAY_US)
        await accepted(journal, f"w{n}", day=6, replay=Replay("mes", f"key-{n}", "f", until_us))
    gone = await prune(database, NOW_US - 30 * DAY_US, Audit(NOW_US, "anna", "retention"))
    assert gone == Pruned(intents=0, replays=1_100, contents=0)
    assert await journal.known("mes", "key-7", NOW_US) is not None


async def test_every_schema_revision_says_whether_older_programs_may_still_run(store: Store) -> None:
    found = await revisions(store, MIGRATIONS)
    assert all(r.applied for r in found)
    assert {r.kind for r in found} <= {"pre", "post"}


async def test_what_a_feed_needs_to_know_a_document_again_is_kept(
    journal: Journal, database: Database, store: Store
) -> None:
    """A client's change after the last look would be somebody's edit, if nobody knew of it any more."""
    for id_, lane in (("seen", "lane"), ("after", "lane"), ("other", "lane-2")):
        await accepted(journal, id_, lane, day=40, content="c2")
        await journal.claim("me", "s4", NOW_US, 10)
        await moved(journal, id_, "cloud", "finish", at_us=NOW_US - 35 * DAY_US, lane=lane)
    book, feed = FeedBook(database), ("s4", "production_order", "1000")
    await book.claim("me", [feed])
    image = Image("lane", 1, {"quantity": 1}, "c1")
    assert await book.save("me", feed, Looked(None, complete=True, images=[image]), NOW_US)
    gone = await prune(database, NOW_US - 30 * DAY_US, Audit(NOW_US, "anna", "retention"))
    assert gone == Pruned(intents=2, replays=0, contents=0)
    assert [await journal.operation(id_) is not None for id_ in ("seen", "after", "other")] == [False, True, False]
    assert await files_of(store, "c1") == b"one"
