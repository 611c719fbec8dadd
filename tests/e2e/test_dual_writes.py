"""While a plant moves, every accepted write reaches both ERPs, once each, and the client sees one ERP and one number."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from uuid import uuid4

import pytest

from tests.e2e.calls import Plant, good, order, refused
from tests.e2e.changes import SWITCH
from tests.e2e.moves import awaited, operation, orders, settled
from tests.support.gateway import DUAL, TWO_SIDED, Deployment, RunningGateway
from tests.support.simulated import Entry, Pair, SimErp

ORDERS = "production-orders"
LEADS = {"1000": "legacy", "2000": "cloud", "3000": "cloud"}
EACH = pytest.mark.parametrize("code", sorted(TWO_SIDED))
BOTH = pytest.mark.parametrize("code", sorted(DUAL))
"""For other modules, whose gateways have no plant in standby."""


@pytest.fixture(scope="module")
def gateway(separate: Deployment) -> Iterator[RunningGateway]:
    """Plant 1000 is in dual_legacy, plant 2000 in dual_cloud, plant 3000 in standby."""
    separate.begin_in(TWO_SIDED)
    separate.environment["CHANGEOVER_WRITE_CALL_S"] = "3"
    with separate.running() as started:
        yield started


def quantity(entry: Entry) -> Decimal:
    after = entry["after"]
    return Decimal(after.get("TotalQuantity") or after["OrderPlannedTotalQty"])


@EACH
def test_an_order_is_made_in_both_erps_and_the_client_gets_the_number_of_the_one_in_charge(
    plant: Plant, leader: SimErp, follower: SimErp, code: str
) -> None:
    marks = leader.length, follower.length
    answer = plant.ordered()
    made = good(answer, 201)
    assert answer.headers["x-route"] == f"{LEADS[code]}; epoch=1; phase={TWO_SIDED[code]}"
    (first,) = orders(leader, marks[0])
    assert made["id"] in [key.lstrip("0") for key in first["key"].values()]
    shown = settled(plant, answer)
    assert [leg["state"] for leg in shown["legs"]] == ["done", "done"]
    (second,) = orders(follower, marks[1])
    assert quantity(first) == quantity(second) == Decimal(made["quantity"]["value"])


@EACH
def test_a_change_follows_into_the_other_erp_under_that_ones_own_number(
    plant: Plant, leader: SimErp, follower: SimErp
) -> None:
    made = plant.ordered()
    key, marks = good(made, 201)["id"], (leader.length, follower.length)
    changed = plant.change(ORDERS, key, {"quantity": {"value": "77"}}, made.headers["etag"])
    assert Decimal(good(changed)["quantity"]["value"]) == 77
    settled(plant, changed)
    for erp, mark in ((leader, marks[0]), (follower, marks[1])):
        (entry,) = orders(erp, mark, "update")
        assert quantity(entry) == 77


@EACH
def test_writes_to_one_order_reach_the_other_erp_in_their_order(plant: Plant, follower: SimErp) -> None:
    made, mark = plant.ordered(), follower.length
    key = good(made, 201)["id"]
    last = made
    for number in range(11, 16):
        last = plant.change(ORDERS, key, {"quantity": {"value": str(number)}}, last.headers["etag"])
        good(last)
    settled(plant, last)
    assert [quantity(e) for e in orders(follower, mark, "update")] == [11, 12, 13, 14, 15]


@EACH
def test_when_the_other_erp_is_down_the_client_never_hears_of_it_and_it_catches_up(
    plant: Plant, follower: SimErp
) -> None:
    mark = follower.length
    with follower.fault("drop_before", method="POST", count=0), follower.fault("status", status=503, count=0):
        answer = plant.ordered()
        made = good(answer, 201)
        assert operation(plant, answer)["state"] in ("replicating", "pending")
    settled(plant, answer)
    (entry,) = orders(follower, mark)
    assert quantity(entry) == Decimal(made["quantity"]["value"])


@EACH
@pytest.mark.parametrize("fault", ["commit_then_drop", "truncate"])
def test_an_answer_lost_on_the_way_makes_no_second_order_anywhere(
    plant: Plant, leader: SimErp, follower: SimErp, fault: str
) -> None:
    marks = leader.length, follower.length
    with leader.fault(fault, method="POST", match="Order"), follower.fault(fault, method="POST", match="Order"):
        answer = plant.ordered()
        assert answer.status_code in (201, 202)
        settled(plant, answer)
    assert len(orders(leader, marks[0])) == 1
    assert len(orders(follower, marks[1])) == 1


@EACH
def test_what_the_leading_erp_refuses_goes_nowhere_and_its_operation_says_so(plant: Plant, erps: Pair) -> None:
    with erps.untouched():
        answer = plant.ordered(item="NO-SUCH-ITEM")
        refused(answer, 422, "erp-refused")
        shown = operation(plant, answer)
    assert (shown["state"], [leg["state"] for leg in shown["legs"]]) == ("refused", ["refused", "voided"])


@EACH
def test_what_only_the_other_erp_refuses_is_a_case_and_the_client_keeps_its_answer(
    plant: Plant, leader: SimErp, follower: SimErp
) -> None:
    with follower.fault("status", status=400, message="Period closed", method="POST", match="Order"):
        answer = plant.ordered()
        good(answer, 201)
        shown = settled(plant, answer, "parked")
    assert [leg["state"] for leg in shown["legs"]] == ["done", "parked"]
    assert "Period closed" in shown["legs"][1]["error"]


@EACH
def test_a_request_sent_twice_under_one_key_is_done_once_and_answered_alike(plant: Plant, leader: SimErp) -> None:
    mark, key = leader.length, {"Idempotency-Key": str(uuid4())}
    first, second = plant.ordered(), None
    first = plant.create(ORDERS, order(), **key)
    second = plant.create(ORDERS, order(), **key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["idempotent-replayed"] == "true"
    assert second.content == first.content
    assert second.headers["x-op-id"] == first.headers["x-op-id"]
    assert second.headers["x-route"] == f"{first.headers['x-route']}; replayed"
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["location"] == first.headers["location"]
    assert len(orders(leader, mark)) == 2  # one without a key, one with


@EACH
def test_a_key_stands_for_one_request_only(plant: Plant, erps: Pair) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    settled(plant, plant.create(ORDERS, order(), **key))
    with erps.untouched():
        refused(
            plant.create(ORDERS, order(quantity={"value": "3", "unit": "H87"}), **key), 422, "idempotency-key-reused"
        )


@EACH
def test_a_refusal_is_the_same_the_second_time(plant: Plant, erps: Pair) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    first = plant.create(ORDERS, order(item="NO-SUCH-ITEM"), **key)
    said = refused(first, 422, "erp-refused")["erp_message"]
    with erps.untouched():
        again = plant.create(ORDERS, order(item="NO-SUCH-ITEM"), **key)
    assert refused(again, 422, "erp-refused")["erp_message"] == said
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-op-id"] == first.headers["x-op-id"]
    assert again.headers["x-route"] == f"{first.headers['x-route']}; replayed"
    shown = operation(plant, first)
    assert [leg["state"] for leg in shown["legs"]] == ["refused", "voided"]


@EACH
@pytest.mark.parametrize(
    ("fault", "status", "state"),
    [(409, 409, "refused"), (412, 412, "refused"), (400, 422, "refused"), (503, 503, "voided")],
)
def test_a_change_that_came_to_nothing_says_which_operation_it_was(
    plant: Plant, leader: SimErp, fault: int, status: int, state: str
) -> None:
    made = plant.ordered()
    key = good(made, 201)["id"]
    settled(plant, made)
    with leader.fault("status", status=fault, message="Period closed", method="PATCH", count=1):
        answer = plant.change(ORDERS, key, {"quantity": {"value": "12"}}, made.headers["etag"])
    assert answer.status_code == status, answer.text
    shown = operation(plant, answer)
    assert (shown["verb"], shown["document"], shown["state"]) == ("change", key, state)


@EACH
def test_what_is_refused_before_it_is_written_down_is_no_operation(plant: Plant, erps: Pair) -> None:
    with erps.untouched():
        answer = plant.ordered(quantity={"value": "many", "unit": "H87"})
    refused(answer, 422, "invalid-document")
    assert "x-op-id" not in answer.headers


def test_a_key_that_is_none_is_refused(gateway: RunningGateway, erps: Pair) -> None:
    plant = Plant(gateway.client("admin"), "1000")
    with erps.untouched():
        refused(plant.create(ORDERS, order(), **{"Idempotency-Key": "x" * 300}), 400, "malformed")


@EACH
def test_nobody_sees_another_callers_operation(plant: Plant, gateway: RunningGateway, code: str) -> None:
    answer = plant.ordered()
    other = gateway.client("mes")
    refused(other.get(f"/api/v2/operations/{answer.headers['x-op-id']}"), 404, "no-such-operation")


@EACH
def test_an_order_released_here_is_released_there(plant: Plant, follower: SimErp) -> None:
    made = plant.ordered()
    key, mark = good(made, 201)["id"], follower.length
    released = plant.act(ORDERS, key, "release")
    assert released.status_code in (200, 204)
    settled(plant, released)
    assert any(e["after"]["OrderIsReleased"] for e in orders(follower, mark, "update"))


@EACH
def test_work_that_is_confirmed_is_booked_in_both_erps(plant: Plant, leader: SimErp, follower: SimErp) -> None:
    key = good(plant.ordered(), 201)["id"]
    settled(plant, plant.act(ORDERS, key, "release"))
    marks = leader.length, follower.length
    answer = plant.act(ORDERS, key, "confirm", {"operation": "20", "quantity": {"value": "4", "unit": "H87"}})
    assert good(answer, 201)["order"] == key
    settled(plant, answer)
    for erp, mark in ((leader, marks[0]), (follower, marks[1])):
        sent = [entry for entry in erp.since(mark, origin="api") if "onf" in entry["entity"]]
        assert [entry["verb"] for entry in sent] == ["create"]


def test_an_order_made_before_the_plant_moved_is_confirmed_under_its_old_number(own: Deployment) -> None:
    """The new ERP calls it otherwise; what hangs on it by its URL is looked for under that number there."""
    own.begin_in({"1000": "dual_legacy"})
    with own.running() as gateway:
        plant = Plant(gateway.client("admin"), "1000")
        said = {"Idempotency-Key": str(uuid4())}
        made = plant.create(ORDERS, order(), **said)
        key = good(made, 201)["id"]
        settled(plant, made)
        settled(plant, plant.act(ORDERS, key, "release"))
        moved_to_the_cloud(own, plant, key)
        again = plant.create(ORDERS, order(), **said)
        assert (good(again, 201), again.headers["x-op-id"]) == (made.json(), made.headers["x-op-id"])
        assert again.headers["x-route"] == "legacy; epoch=1; replayed"  # in which phase that was nobody wrote down
        mark = own.erps.cloud.length
        answer = plant.act(ORDERS, key, "confirm", {"operation": "20", "quantity": {"value": "4", "unit": "H87"}})
        assert good(answer, 201)["order"] == key
        settled(plant, answer)
        sent = own.erps.cloud.since(mark, origin="api")
    assert [entry["verb"] for entry in sent if "onf" in entry["entity"]] == ["create"]


def moved_to_the_cloud(own: Deployment, plant: Plant, key: str) -> None:
    own.edit("routes/waves.yaml", "    phase: dual_legacy\n", "    phase: dual_cloud\n")
    moved = own.cli(*SWITCH, "--wait", "30")
    assert moved.exit_code == 0, moved.output
    awaited(lambda: plant.read(ORDERS, key).headers["x-route"].startswith("cloud"))


def test_an_order_has_one_number_and_the_new_erps_own_is_not_another(own: Deployment) -> None:
    """It would be a second line of writes to one order, past the first."""
    own.begin_in({"1000": "dual_legacy"})
    with own.running() as gateway:
        plant, mark = Plant(gateway.client("admin"), "1000"), own.erps.cloud.length
        made = plant.ordered()
        key = good(made, 201)["id"]
        settled(plant, made)
        (there,) = orders(own.erps.cloud, mark)
        theirs = there["key"]["ProductionOrder"].lstrip("0")
        moved_to_the_cloud(own, plant, key)
        etag = plant.read(ORDERS, key).headers["etag"]
        with own.erps.untouched():
            for answer in (
                plant.read(ORDERS, theirs),
                plant.change(ORDERS, theirs, {"quantity": {"value": "7"}}, etag),
                plant.act(ORDERS, theirs, "release"),
            ):
                assert f"its number is {key!r}" in refused(answer, 404, "no-such-document")["detail"]
        good(plant.change(ORDERS, key, {"quantity": {"value": "7"}}, etag))


def test_what_the_new_erp_never_got_is_not_there_under_a_strangers_number(own: Deployment) -> None:
    """The old number may be another order's there, and a confirmation would be booked on that one."""
    own.begin_in({"1000": "dual_legacy"})
    with own.running() as gateway:
        plant = Plant(gateway.client("admin"), "1000")
        before = good(plant.listed(ORDERS))["items"]  # made while the plant had one ERP
        old, confirmed = [each["id"] for each in before if each["status"] == "released"][:2]
        etag = plant.read(ORDERS, old).headers["etag"]
        settled(plant, plant.change(ORDERS, old, {"recipient": "GATE 3"}, etag), "parked")
        answer = plant.act(ORDERS, confirmed, "confirm", {"operation": "20", "quantity": {"value": "1", "unit": "H87"}})
        good(answer, 201)
        settled(plant, answer, "parked")
        found = {c["operation"]: c for c in gateway.admin("/admin/v1/cases?kind=unmapped").json()["cases"]}
        assert f"production_order {confirmed}" in found[answer.headers["x-op-id"]]["reason"]
        for case in sorted(c["case"] for c in found.values()):
            closed = own.cli("case", "close", str(case), "--reason", "gone", "--actor", "anna", content=False)
            assert closed.exit_code == 0, closed.output
        own.edit("routes/waves.yaml", "    phase: dual_legacy\n", "    phase: dual_cloud\n")
        assert own.cli(*SWITCH, "--wait", "30").exit_code == 0
        told = awaited(lambda: a if (a := plant.read(ORDERS, old)).status_code == 404 else None)
        assert "Nobody knows under which number s4 has" in refused(told, 404, "no-such-document")["detail"]


def test_what_the_other_erp_has_no_place_for_is_taken_and_a_person_hears_of_it_at_once(own: Deployment) -> None:
    """The client never hears of it. Somebody enters it there by hand; or a dialect is written, for what comes after."""
    own.begin_in({"1000": "dual_legacy"})
    (own.content / "translators/sap-s4/confirmation.yaml").unlink()
    said = ("--reason", "entered by hand", "--actor", "anna")
    with own.running() as gateway:
        plant = Plant(gateway.client("admin"), "1000")
        key = good(plant.ordered(), 201)["id"]
        good(plant.act(ORDERS, key, "release"))
        mark, confirmed = own.erps.legacy.length, []
        for number, quantity in enumerate(("2", "3"), 1):
            confirmed.append(
                plant.act(ORDERS, key, "confirm", {"operation": "20", "quantity": {"value": quantity, "unit": "H87"}})
            )
            good(confirmed[-1], 201)
            (found,) = [c for c in gateway.admin("/admin/v1/cases").json()["cases"] if c["case"] == number]
            assert (found["kind"], found["reason"]) == ("untranslatable", "s4 has no confirmation.")
        assert len(own.erps.legacy.since(mark, origin="api")) == 2
        refused_ = own.cli("case", "replay", "1", *said, content=False)
        assert refused_.exit_code != 0
        assert "enter it there by hand" in " ".join(refused_.output.split())
        happened = own.cli("case", "close", "1", "--happened", "yes", "--key", "900", *said, content=False)
        given_up = own.cli("case", "close", "2", *said, content=False)
        assert (happened.exit_code, given_up.exit_code) == (0, 0), happened.output + given_up.output
        states = [[leg["state"] for leg in operation(plant, each)["legs"]] for each in confirmed]
        assert states == [["done", "done"], ["done", "voided"]]
