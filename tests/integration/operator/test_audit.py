"""Who decided what, when and why can be read by those who must know, by command and over the admin port."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from tests.e2e.calls import Json, good
from tests.integration.operator.site import Desk


@pytest.fixture
def desk(desk_1000: Desk) -> Desk:
    return desk_1000


@pytest.fixture
def anna() -> str:
    """A person whom no other test knows."""
    return f"anna-{uuid4().hex[:8]}"


def refused(desk: Desk) -> tuple[httpx.Response, Json]:
    """An order that the other ERP refused, and its case."""
    answer = desk.plant.ordered(item=desk.unknown_to("cloud"))
    return answer, desk.case_of(answer)


def page(desk: Desk, query: str) -> list[Json]:
    found: list[Json] = good(desk.admin("GET", f"audit?{query}"))["audit"]
    return found


def test_each_act_on_a_case_is_listed_with_who_when_and_why_newest_first(desk: Desk, anna: str) -> None:
    _, case = refused(desk)
    begun = datetime.now(UTC)
    desk.run("case", "replay", str(case["case"]), "--reason", "item is there now", "--actor", anna)
    case = desk.case_of(httpx.Response(200, headers={"x-op-id": case["operation"]}))
    desk.run("case", "close", str(case["case"]), "--reason", "not needed", "--actor", anna)

    rows = desk.json("audit", "list", "--actor", anna)
    assert [(row["action"], row["reason"]) for row in rows] == [
        ("case.close", "not needed"),
        ("case.replay", "item is there now"),
    ]
    assert all(begun <= datetime.fromisoformat(row["at"]) <= datetime.now(UTC) for row in rows)
    kept = [{"actor": r["actor"], "action": r["action"], "reason": r["reason"], **r["detail"]} for r in rows]
    assert kept[::-1] == desk.audited(case)
    assert page(desk, f"actor={anna}") == rows


def test_a_case_shows_what_people_did_about_it_the_oldest_first(desk: Desk, anna: str) -> None:
    answer, case = refused(desk)
    assert desk.shown(case)["audit"] == []
    desk.make_item("cloud", desk.shown(case)["write"]["document"]["item"])
    desk.run("case", "replay", str(case["case"]), "--reason", "item is there now", "--actor", anna)
    desk.done(answer)
    shown = desk.closed(case)["audit"]
    assert shown == desk.json("audit", "list", "--actor", anna)
    assert [(row["action"], row["reason"]) for row in shown] == [("case.replay", "item is there now")]
    assert good(desk.admin("GET", f"cases/{case['case']}"))["audit"] == shown
    text = desk.run("case", "show", str(case["case"]))
    assert "audit:" in text
    assert f"actor: {anna}" in text


def test_rows_are_found_by_action_family_and_time_and_come_in_pages(desk: Desk, anna: str) -> None:
    for reason in ("one", "two"):
        desk.run("suspend", "1000", "production", "--reason", reason)
        desk.run("resume", "1000", "production", "--reason", reason)
    _, case = refused(desk)
    desk.run("case", "close", str(case["case"]), "--reason", "three", "--actor", anna)

    acts = [(row["action"], row["reason"]) for row in desk.json("audit", "list", "--limit", "5")]
    assert acts == [
        ("case.close", "three"), ("resume", "two"), ("suspend", "two"), ("resume", "one"), ("suspend", "one"),
    ]  # fmt: skip
    newest, older = page(desk, "action=suspend&limit=1")[0], page(desk, "action=suspend&limit=2")[1]
    assert newest["detail"] == {"plant": "1000", "domain": "production"}
    assert page(desk, f"action=suspend&limit=1&before={newest['audit']}") == [older]
    assert desk.json("audit", "list", "--action", "suspend", "--before", str(newest["audit"]), "--limit", "1") == [
        older
    ]
    assert {row["action"] for row in page(desk, "action=case&limit=1000")} >= {"case.close"}
    assert all(row["action"].startswith("case.") for row in page(desk, "action=case&limit=1000"))
    since = newest["at"].replace("+00:00", "Z")
    assert [row["action"] for row in page(desk, f"since={since}")][-1] == "suspend"
    assert page(desk, "since=2099-01-01") == []
    assert desk.json("audit", "list", "--since", "1d", "--actor", anna) == page(desk, f"since=24h&actor={anna}") != []


def test_on_a_terminal_the_audit_is_a_table_with_a_line_for_each_act(desk: Desk, anna: str) -> None:
    _, case = refused(desk)
    desk.run("case", "close", str(case["case"]), "--reason", "the planner said so", "--actor", anna)
    head, line = desk.run("audit", "list", "--actor", anna).splitlines()
    assert head.split() == ["audit", "at", "actor", "action", "reason", "detail"]
    assert anna in line
    assert "the planner said so" in line
    assert f"case={case['case']} intent={case['operation']}" in line
    assert "no such rows" in desk.gateway.deployment.cli("audit", "list", "--actor", "nobody", content=False).stderr


def test_a_filter_that_makes_no_sense_is_told(desk: Desk) -> None:
    for query in ("colour=red", "limit=1001", "limit=many", "before=last", "since=yesterday", "since=7w", "since="):
        answer = desk.admin("GET", f"audit?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), query
    assert "90m, 12h, 7d" in desk.run("audit", "list", "--since", "yesterday", exit_code=2)
    desk.run("audit", "list", "--limit", "0", exit_code=2)


def test_whoever_has_no_name_on_the_machine_stands_in_the_audit_with_a_number(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may run under a number that no list of users holds."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_010_001)
    _, case = refused(desk)
    desk.run("case", "close", str(case["case"]), "--reason", "not needed")
    desk.run("suspend", "1000", "production", "--reason", "a look")
    desk.run("resume", "1000", "production", "--reason", "a look")
    rows = desk.json("audit", "list", "--limit", "3")
    assert [(row["action"], row["actor"]) for row in rows] == [
        ("resume", "uid 4010001"), ("suspend", "uid 4010001"), ("case.close", "uid 4010001"),
    ]  # fmt: skip


def test_a_name_that_the_audit_has_no_room_for_is_a_wrong_call(desk: Desk) -> None:
    for actor in ("a" * 201, " "):
        assert "--actor" in desk.run("case", "close", "1", "--reason", "not needed", "--actor", actor, exit_code=2)
