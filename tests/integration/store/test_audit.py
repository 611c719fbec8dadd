"""The audit is found again by when, by whom and what, and by the case it is about, on both databases."""

from __future__ import annotations

import json

import pytest

from gateway.store.audit import Asked, audit, audit_of_case
from gateway.store.sql import Database
from gateway.store.working_set import audited

ROWS = (
    (10, "serve", "apply", {"plan": "p1"}),
    (20, "anna", "case.replay", {"case": 1, "after": {}, "intent": "a"}),
    (30, "bert", "case.close", {"case": 12, "after": {"document": '{"case": 1, }'}, "intent": "b"}),
    (40, "anna", "case.repair", {"case": 1, "after": {"document": {"text": '"case": 12,'}}, "intent": "a"}),
    (50, "anna", "casement", {"case": 1}),
)


@pytest.fixture
async def database(database: Database) -> Database:
    for at_us, actor, action, detail in ROWS:
        text = json.dumps(detail, sort_keys=True)
        await database.transaction(lambda db, a=at_us, b=actor, c=action, d=text: audited(db, a, b, c, "why", d))
    return database


async def times(database: Database, asked: Asked) -> list[int]:
    return [line.at_us for line in await audit(database, asked)]


async def test_rows_come_newest_first_and_go_on_where_a_page_ended(database: Database) -> None:
    page = await audit(database, Asked(limit=2))
    assert [line.at_us for line in page] == [50, 40]
    assert await times(database, Asked(before=page[-1].id)) == [30, 20, 10]


async def test_rows_are_found_by_time_person_action_and_family_of_actions(database: Database) -> None:
    assert await times(database, Asked(since_us=40)) == [50, 40]
    assert await times(database, Asked(actor="anna", since_us=20)) == [50, 40, 20]
    assert await times(database, Asked(action="case.close")) == [30]
    assert await times(database, Asked(action="case")) == [40, 30, 20]
    assert await times(database, Asked(action="case", actor="bert")) == [30]
    assert await times(database, Asked(action="cas_")) == []


async def test_a_cases_rows_are_its_own_whatever_texts_other_rows_hold(database: Database) -> None:
    assert [line.at_us for line in await audit_of_case(database, 1)] == [20, 40]
    assert [line.at_us for line in await audit_of_case(database, 12)] == [30]
    assert await audit_of_case(database, 2) == []
