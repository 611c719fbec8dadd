"""What one ERP refuses waits for a person, who sends it again, mends it or lets it be, with a reason that is kept."""

from __future__ import annotations

import json
from decimal import Decimal

from typer.testing import CliRunner

from gateway.cli.main import app
from tests.e2e.calls import good
from tests.integration.operator.site import ITEM, QUANTITY, Desk

BY = ("--reason", "the planner said so", "--actor", "anna")


def test_a_refused_write_is_listed_and_shown_with_all_that_is_needed_to_decide(desk: Desk) -> None:
    item = desk.unknown_to(desk.sides[1])
    answer = desk.plant.ordered(item=item)
    made = good(answer, 201)
    case = desk.case_of(answer)
    assert (case["kind"], case["plant"], case["object"]) == ("split", desk.plant.plant, "production_order")
    shown = desk.shown(case)
    assert item in shown["reason"]
    assert shown["names"]["shown"] == made["id"]
    assert shown["write"]["document"]["item"] == item
    states = {leg["erp"]: leg["state"] for leg in shown["write"]["legs"]}
    assert sorted(states.values()) == ["done", "parked"]
    other = "2000" if desk.plant.plant == "1000" else "1000"
    assert case in desk.cases("--plant", desk.plant.plant, "--object", "production_order", "--erp", case["erp"])
    assert case not in desk.cases("--plant", other)
    assert case not in desk.cases("--kind", "doubt")
    assert case not in desk.cases("--state", "closed")


def test_once_the_erp_is_mended_a_replay_makes_both_erps_equal_and_closes_the_case(desk: Desk) -> None:
    side = desk.sides[1]
    item, mark = desk.unknown_to(side), desk.follower.length
    answer = desk.plant.ordered(item=item)
    made, case = good(answer, 201), desk.case_of(answer)
    desk.make_item(side, item)
    desk.run("case", "replay", str(case["case"]), *BY)
    desk.done(answer)
    (entry,) = desk.orders(side, mark)
    assert entry["after"][ITEM[side]] == item
    assert Decimal(entry["after"][QUANTITY[side]]) == Decimal(made["quantity"]["value"])
    closed = desk.closed(case)
    assert "the planner said so" in closed["note"]
    (row,) = desk.audited(case)
    assert (row["actor"], row["action"], row["reason"]) == ("anna", "case.replay", "the planner said so")
    assert (row["before"]["leg"], row["after"]["leg"]) == ("parked", "sent again")


def test_a_replay_that_is_refused_again_is_the_same_case_again(desk: Desk) -> None:
    answer = desk.plant.ordered(item=desk.unknown_to(desk.sides[1]))
    case = desk.case_of(answer)
    desk.run("case", "replay", str(case["case"]), *BY)
    again = desk.case_of(answer)
    assert (again["case"], again["state"]) == (case["case"], "open")
    assert again["opened_at"] > case["opened_at"]
    assert len([c for c in desk.cases("--state", "any", "--limit", "9999") if c["operation"] == case["operation"]]) == 1


def test_a_repair_changes_what_this_erp_gets_and_nothing_else(desk: Desk) -> None:
    side = desk.sides[1]
    mark = desk.follower.length, desk.leader.length
    answer = desk.plant.ordered(item=desk.unknown_to(side))
    made, case = good(answer, 201), desk.case_of(answer)
    patch = '{"item": "PUMP-100", "quantity": "7.5", "reference": null}'
    desk.run("case", "repair", str(case["case"]), "--patch", patch, *BY)
    desk.done(answer)
    (entry,) = desk.orders(side, mark[0])
    assert (entry["after"][ITEM[side]], Decimal(entry["after"][QUANTITY[side]])) == ("PUMP-100", Decimal("7.5"))
    assert len(desk.orders(desk.sides[0], mark[1])) == 1
    read = good(desk.plant.read("production-orders", made["id"]))
    assert (read["item"], Decimal(read["quantity"]["value"])) == (made["item"], Decimal(made["quantity"]["value"]))
    shown = desk.closed(case)
    assert shown["write"]["document"]["item"] == made["item"]
    (row,) = desk.audited(case)
    assert row["action"] == "case.repair"
    assert row["before"]["document"]["item"] == made["item"]
    assert row["after"]["document"]["item"] == "PUMP-100"


def test_a_repair_that_no_model_or_dialect_takes_is_refused_and_the_case_stays(desk: Desk) -> None:
    answer = desk.plant.ordered(item=desk.unknown_to(desk.sides[1]))
    case = desk.case_of(answer)
    for patch, field in (
        ('{"quantity": "many"}', "quantity"),
        ('{"colour": "red"}', "colour"),
        ('{"unit": null}', "unit"),
        ('{"plant": "3000"}', "plant"),
        ('{"quantity": "1.23456"}', "quantity"),
        ('{"planned_start": "0001-01-01T00:00:00+23:00"}', "planned_start"),
    ):
        text = desk.run("case", "repair", str(case["case"]), "--patch", patch, *BY, exit_code=1)
        assert field in text
    desk.run("case", "repair", str(case["case"]), "--patch", "[1]", *BY, exit_code=2)
    desk.run("case", "repair", str(case["case"]), *BY, exit_code=2)
    assert desk.shown(case)["state"] == "open"
    assert desk.audited(case) == []


def test_a_patch_is_read_from_a_file_or_from_standard_input(desk: Desk) -> None:
    case = desk.case_of(desk.plant.ordered(item=desk.unknown_to(desk.sides[1])))
    made = desk.gateway.deployment
    patch = made.folder / "patch.json"
    patch.write_text('{"quantity": "7.5"}', "utf-8")
    for place in (str(patch), "-"):
        asked = ["case", "repair", str(case["case"]), "--file", place, "--dry-run", *BY, "-o", "json"]
        done = CliRunner(env=made.environ()).invoke(app, asked, input=patch.read_text("utf-8"))
        assert json.loads(done.stdout)["after"]["document"]["quantity"] == {"$decimal": "7.5"}


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(desk: Desk) -> None:
    answer = desk.plant.ordered(item=desk.unknown_to(desk.sides[1]))
    case = desk.case_of(answer)
    with desk.erps.untouched():
        text = desk.run("case", "repair", str(case["case"]), "--patch", '{"item": "PUMP-100"}', "--dry-run", *BY)
        told = desk.run("case", "close", str(case["case"]), "--dry-run", *BY)
        desk.run("case", "replay", str(case["case"]), "--dry-run", *BY)
    assert text.startswith(f"case {case['case']}: repair; the leg would be sent again, repaired\n")
    assert "PUMP-100" in text
    assert told == f"case {case['case']}: close; the leg would be given up\n"
    assert desk.shown(case)["state"] == "open"
    assert desk.audited(case) == []


def test_a_parked_change_holds_up_its_document_and_no_other_until_the_case_is_closed(desk: Desk) -> None:
    side = desk.sides[1]
    made, other = desk.plant.ordered(), desk.plant.ordered()
    key, other_key = good(made, 201)["id"], good(other, 201)["id"]
    desk.done(made)
    desk.done(other)
    with desk.follower.fault("status", status=400, message="Period closed", method="PATCH", count=1):
        first = desk.plant.change("production-orders", key, {"quantity": {"value": "11"}}, made.headers["etag"])
        case = desk.case_of(first)
    mark = desk.follower.length
    later = desk.plant.change("production-orders", key, {"recipient": "LATER"}, first.headers["etag"])
    beside = desk.plant.change("production-orders", other_key, {"quantity": {"value": "12"}}, other.headers["etag"])
    desk.done(beside)
    assert desk.state(later) == "replicating"
    desk.run("case", "close", str(case["case"]), *BY)
    desk.done(later)
    sent = desk.orders(side, mark, "update")
    assert [Decimal(e["after"][QUANTITY[side]]) for e in sent] == [Decimal(12), Decimal(10)]
    closed = desk.closed(case)
    assert closed["closed_by"] == "anna"
    assert [row["action"] for row in desk.audited(case)] == ["case.close"]


def test_a_case_is_decided_once(desk: Desk) -> None:
    answer = desk.plant.ordered(item=desk.unknown_to(desk.sides[1]))
    case = desk.case_of(answer)
    desk.run("case", "close", str(case["case"]), *BY)
    for action in ("replay", "close"):
        assert "case-moved" in desk.run("case", action, str(case["case"]), *BY, exit_code=1)
    assert len(desk.audited(case)) == 1


def test_every_act_needs_a_reason(desk: Desk) -> None:
    case = desk.case_of(desk.plant.ordered(item=desk.unknown_to(desk.sides[1])))
    desk.run("case", "close", str(case["case"]), exit_code=2)
    desk.run("case", "close", str(case["case"]), "--reason", " ", exit_code=2)
    assert desk.shown(case)["state"] == "open"


def test_an_order_that_was_entered_by_hand_is_taken_up_under_its_number(desk: Desk) -> None:
    side = desk.sides[1]
    item = desk.unknown_to(side)
    answer = desk.plant.ordered(item=item)
    made, case = good(answer, 201), desk.case_of(answer)
    number = desk.make_order(side, "PUMP-100")
    desk.run("case", "close", str(case["case"]), "--happened", "yes", *BY, exit_code=1)  # without its number
    desk.run("case", "close", str(case["case"]), "--happened", "yes", "--key", number, *BY)
    shown = desk.closed(case)
    assert shown["names"][f"erp:{case['erp']}"] == number.lstrip("0")
    mark = desk.follower.length
    changed = desk.plant.change("production-orders", made["id"], {"quantity": {"value": "14"}}, answer.headers["etag"])
    desk.done(changed)
    (entry,) = desk.orders(side, mark, "update")
    assert number in entry["key"].values()
