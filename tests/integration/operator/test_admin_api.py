"""The admin port shows and mends writes like the commands do."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.calls import Json, good
from tests.integration.operator.site import Desk

BY = {"actor": "anna", "reason": "the planner said so"}


@pytest.fixture
def desk(desk_1000: Desk) -> Desk:
    return desk_1000


@pytest.fixture
def answer(desk: Desk) -> httpx.Response:
    """An order that the other ERP refused."""
    return desk.plant.ordered(item=desk.unknown_to("cloud"))


@pytest.fixture
def case(desk: Desk, answer: httpx.Response) -> Json:
    return desk.case_of(answer)


def problem(answer: httpx.Response, status: int, code: str) -> Json:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body: Json = answer.json()
    assert body["code"] == code
    return body


def test_cases_are_listed_and_shown(desk: Desk, case: Json) -> None:
    listed = good(desk.admin("GET", "cases?state=undecided&plant=1000&kind=split"))["cases"]
    assert case in listed
    assert good(desk.admin("GET", f"cases/{case['case']}")) == desk.shown(case)
    assert good(desk.admin("GET", "cases?plant=3000"))["cases"] == []


def test_the_journal_is_listed_by_lane_erp_and_state(desk: Desk, case: Json) -> None:
    shown = good(desk.admin("GET", f"journal/{case['operation']}"))
    assert [leg["state"] for leg in shown["legs"]] == ["done", "parked"]
    assert shown == desk.json("journal", "show", case["operation"])
    (line,) = good(desk.admin("GET", f"journal?lane={shown['lane']}"))["operations"]
    assert line["operation"] == case["operation"]
    parked = good(desk.admin("GET", "journal?state=parked&erp=s4&limit=1"))["operations"]
    assert [line["operation"] for line in parked] == [case["operation"]]
    assert parked == desk.json("journal", "show", "--state", "parked", "--erp", "s4", "--limit", "1")
    assert any(row["state"] == "parked" and row["legs"] > 0 for row in desk.json("journal", "backlog"))


def test_a_documents_numbers_are_told_to_an_operator_and_stand_in_no_answer_to_a_client(desk: Desk) -> None:
    answer = desk.plant.ordered()
    desk.done(answer)
    made = good(answer, 201)
    names = good(desk.admin("GET", f"crosswalk/production_order?number={made['id']}"))["names"]
    assert names == desk.json("crosswalk", "show", "production_order", made["id"])
    spaces = {row["space"]: row["number"] for row in names}
    assert spaces.keys() == {"shown", "erp:ecc", "erp:s4"}
    assert spaces["shown"] == spaces["erp:ecc"] == made["id"]
    own = spaces["erp:s4"]
    assert good(desk.admin("GET", f"crosswalk/production_order?number={own}&erp=s4"))["names"] == names
    assert own not in desk.plant.read("production-orders", made["id"]).text
    problem(desk.admin("GET", "crosswalk/production_order?number=nobody"), 404, "no-such-document")
    problem(desk.admin("GET", "crosswalk/production_order"), 400, "malformed")
    problem(desk.admin("GET", "crosswalk/production_order?number=1&colour=red"), 400, "malformed")


def test_a_replay_is_audited_as_done_through_the_admin_port(desk: Desk, answer: httpx.Response, case: Json) -> None:
    desk.make_item("cloud", desk.shown(case)["write"]["document"]["item"])
    done = good(desk.admin("POST", f"cases/{case['case']}:replay", **BY))
    assert done["leg"] == "sent again"
    desk.done(answer)
    (row,) = desk.audited(case)
    assert (row["actor"], row["through"]) == ("anna", "admin-api")


def test_a_repair_and_a_close_do_what_the_commands_do(desk: Desk, answer: httpx.Response, case: Json) -> None:
    body = problem(
        desk.admin("POST", f"cases/{case['case']}:repair", patch={"quantity": "x"}, **BY), 422, "invalid-document"
    )
    assert [e["field"] for e in body["errors"]] == ["quantity"]
    good(desk.admin("POST", f"cases/{case['case']}:repair", patch={"item": "PUMP-100"}, **BY))
    desk.done(answer)
    other = desk.case_of(desk.plant.ordered(item=desk.unknown_to("cloud")))
    with desk.erps.untouched():
        good(desk.admin("POST", f"cases/{other['case']}:close", dry_run=True, **BY))
        good(desk.admin("POST", f"cases/{other['case']}:close", **BY))
        problem(desk.admin("POST", f"cases/{other['case']}:close", **BY), 409, "case-moved")
    assert desk.shown(other)["closed_by"] == "anna"


def test_what_is_wrong_is_told_as_a_problem_and_changes_nothing(desk: Desk, case: Json) -> None:
    place = f"cases/{case['case']}"
    problem(desk.admin("GET", "cases/999999"), 404, "no-such-case")
    problem(desk.admin("GET", "journal/nothing"), 404, "no-such-operation")
    problem(desk.admin("GET", "cases?colour=red"), 400, "malformed")
    problem(desk.admin("GET", "cases?limit=many"), 400, "malformed")
    problem(desk.admin("POST", f"{place}:frobnicate", **BY), 404, "unknown-resource")
    problem(desk.admin("POST", f"{place}:replay", actor="anna"), 422, "invalid-document")
    problem(desk.admin("POST", f"{place}:replay", reason="because"), 422, "invalid-document")
    problem(desk.admin("POST", f"{place}:replay", patch={}, **BY), 422, "invalid-document")
    problem(desk.admin("POST", f"{place}:repair", **BY), 422, "invalid-document")
    problem(desk.admin("POST", f"{place}:close", happened="yes", **BY), 422, "invalid-document")
    form = httpx.post(f"{desk.gateway.admin_url}/admin/v1/{place}:replay", data=BY)
    problem(form, 415, "unsupported-media-type")
    assert desk.shown(case)["state"] == "open"
    assert desk.audited(case) == []


def test_a_number_that_no_case_can_have_is_no_case(desk: Desk) -> None:
    for number in ("0", "2147483648", "9" * 40):
        problem(desk.admin("GET", f"cases/{number}"), 404, "no-such-case")
        problem(desk.admin("POST", f"cases/{number}:replay", **BY), 404, "no-such-case")
    assert "no-such-case" in desk.run("case", "show", "9" * 40, exit_code=1)


@pytest.mark.parametrize(
    "query",
    [
        "cases?state=opne",
        "journal?state=opne",
        "cases?limit=0",
        "audit?limit=0",
        f"audit?limit={'1' * 5000}",
        "cases?plant=%00",
        "audit?actor=a%00",
        "journal?lane=%00",
        "journal/%00",
        "crosswalk/item?number=%00",
    ],
)
def test_a_question_that_means_nothing_is_no_empty_list(desk: Desk, query: str) -> None:
    assert problem(desk.admin("GET", query), 400, "malformed")["detail"]


def test_cases_of_every_state_are_listed_by_its_name(desk: Desk, case: Json) -> None:
    desk.run("case", "close", str(case["case"]), "--reason", "not needed", "--actor", "anna")
    for state, there in (("any", True), ("closed", True), ("open", False), ("retrying", False), ("undecided", False)):
        listed = good(desk.admin("GET", f"cases?state={state}&limit=1000"))["cases"]
        assert (case["case"] in {row["case"] for row in listed}) is there, state


@pytest.mark.parametrize(
    "command",
    [
        ("journal", "show", "--state", "opne"),
        ("journal", "show", "\udcff"),
        ("case", "list", "--plant", "\udcff"),
        ("case", "close", "1", "--reason", "\udcff"),
        ("case", "repair", "1", "--reason", "x", "--patch", '{"item": "\udcff"}'),
        ("case", "repair", "1", "--reason", "x", "--file", "nothing.json"),
        ("store", "prune", "--keep-days", "99999999999", "--dry-run"),
        ("store", "restore", "copy.db", "--reason", "x", "--quiet", "inf"),
    ],
)
def test_a_command_that_means_nothing_is_a_wrong_call(desk: Desk, command: tuple[str, ...]) -> None:
    """Neither a traceback nor a store that cannot be reached; bytes that are no UTF-8 come as half surrogates."""
    before = desk.json("audit", "list")
    said = desk.run(*command, exit_code=2)
    assert said.strip()
    assert "Traceback" not in said
    assert desk.json("audit", "list") == before
