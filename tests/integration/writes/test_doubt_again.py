"""Trouble while a doubt is settled: the ERP cannot show the document for a moment, or does not have it any more."""

from __future__ import annotations

from contextlib import ExitStack
from uuid import uuid4

import pytest

from tests.e2e.calls import Plant, good, refused
from tests.e2e.moves import awaited, orders, settled
from tests.support.crashes import ORDERS, Site, dual_site
from tests.support.gateway import RunningGateway
from tests.support.simulated import Pair, SimErp

PLACES = {"sap-ecc": "A_ProductionOrder_2", "sap-s4": "ProductionOrder"}
RELEASE = {
    "sap-ecc": "{do: call, name: ReleaseOrder, arguments: {ManufacturingOrder: ManufacturingOrder}}",
    "sap-s4": "{do: call, name: ReleaseOrder, bound: true}",
}
LOST = {"action": "commit_then_drop", "method": "POST", "match": "ReleaseOrder"}


@pytest.fixture(scope="module")
def site(erps: Pair, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """ERPs without locks, in which a release takes two calls. What became of the first is seen in the order itself."""
    edits = []
    for dialect, entity in PLACES.items():
        name, call = f"translators/{dialect}/production_order.yaml", RELEASE[dialect]
        edits.append((name, f"  set: {entity}\n", f"  set: {entity}\n  lock: compare\n"))
        second = call.replace("ReleaseOrder", "TechnicallyCompleteOrder")
        edits.append((name, f"  release: [{call}]", f"  release: [{call}, {second}]"))
    for erp in ("ecc", "s4"):
        evidence = "evidence: {status: [released, started, confirmed, delivered, completed, closed]}"
        seen = "steps: {ReleaseOrder: {OrderIsReleased: ['True']}, TechnicallyCompleteOrder: {OrderIsTechnicallyCompleted: ['True']}}"
        edits.append((f"routes/manifests/{erp}.yaml", evidence, seen))
    edits.append(("routes/contracts/v2.yaml", "deadline_s: 20", "deadline_s: 2"))
    return dual_site(tmp_path_factory.mktemp("again"), erps, edits=edits)


def made(plant: Plant) -> str:
    answer = plant.ordered()
    key: str = good(answer, 201)["id"]
    settled(plant, answer)
    return key


def met(erp: SimErp) -> list[int]:
    """How often each fault in force acted."""
    return [rule["hits"] for rule in erp.door.get("/_faults").raise_for_status().json()]


def test_an_order_that_cannot_be_shown_for_a_moment_is_looked_at_again_and_each_call_is_made_once(
    plant: Plant, leader: SimErp
) -> None:
    """Not when the first call's trace is looked for, and not when the second call is prepared."""
    key, mark = made(plant), leader.length
    away = {"action": "status", "status": 503, "method": "GET", "match": key}
    with ExitStack() as faults:
        # The release itself reads once; then comes the first look, which fails, the second one, and the second call's own read.
        for rule in (LOST, away | {"skip": 1}, away | {"skip": 2}):
            faults.enter_context(leader.fault(**rule))
        answer = plant.act(ORDERS, key, "release")
        assert answer.status_code == 202, answer.text
        shown = settled(plant, answer)
        assert met(leader) == [1, 1, 1]
    assert [leg["state"] for leg in shown["legs"]] == ["done", "done"]
    released, completed = orders(leader, mark, "update")
    assert (released["after"]["OrderIsReleased"], released["after"]["OrderIsTechnicallyCompleted"]) == (True, False)
    assert completed["after"]["OrderIsTechnicallyCompleted"]


def test_an_order_that_is_gone_before_anybody_could_look_is_a_persons_to_decide(
    plant: Plant, leader: SimErp, site: Site
) -> None:
    key, mark = made(plant), leader.length
    with ExitStack() as faults:
        gone = {"action": "status", "status": 404, "method": "GET", "match": key, "skip": 1, "count": 0}
        for rule in (LOST, gone):
            faults.enter_context(leader.fault(**rule))
        answer = plant.act(ORDERS, key, "release")
        settled(plant, answer, "parked")
    (case,) = [case for case in site.cases() if case[0] == answer.headers["x-op-id"]]
    assert case[2] == "doubt"
    assert key in case[3]
    assert len(orders(leader, mark, "update")) == 1


def test_a_new_item_that_is_refused_when_it_is_sent_again_is_refused_once_the_erp_is_seen_not_to_have_it(
    gateway: RunningGateway, erps: Pair
) -> None:
    """The first call was lost: that the second is refused says nothing of it, that there is no such item does."""
    http, mark, item = gateway.client("steward"), erps.legacy.length, f"VALVE-{uuid4().hex[:6].upper()}"
    new = {"id": item, "type": "FERT", "name": "Valve, 9 mm", "base_unit": "H87", "group": "L001"}
    key = {"Idempotency-Key": str(uuid4())}
    with ExitStack() as faults:
        at = {"method": "POST", "match": "A_Product"}
        faults.enter_context(erps.legacy.fault("drop_before", **at))
        faults.enter_context(erps.legacy.fault("status", status=400, message="Group L001 is closed", count=0, **at))
        told = awaited(
            lambda: a if (a := http.post("/api/v2/items", json=new, headers=key)).status_code == 422 else None
        )
        lost, no = met(erps.legacy)
    assert "Group L001 is closed" in refused(told, 422, "erp-refused")["detail"]
    assert (lost, no > 1) == (1, True)
    assert erps.legacy.since(mark, entity="A_Product") == []
