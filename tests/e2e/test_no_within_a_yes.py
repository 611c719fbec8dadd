"""An ERP whose services wrap BAPIs answers 200 and says no within: its client hears the no, in the ERP's words, and nothing is doubled."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.e2e.calls import Json, Plant, good, order, refused
from tests.e2e.moves import orders, settled
from tests.e2e.test_dual_writes import BOTH, ORDERS
from tests.support.gateway import Deployment, RunningGateway
from tests.support.simulated import Pair, SimErp

WORDS = {"code": "CO/471", "message": "Plan quantity is over the limit", "field": "TOTAL_PLORD_QTY"}
SAID = {"erp_message": WORDS["message"], "erp_code": WORDS["code"], "field": WORDS["field"]}
CREATED = {"method": "POST", "match": "ProductionOrder"}
PLACES = pytest.mark.parametrize("action", ["bapi_return", "sap_message"])


@pytest.fixture(scope="module")
def gateway(dual: Deployment) -> Iterator[RunningGateway]:
    """Plant 1000 is in dual_legacy, plant 2000 in dual_cloud; both dialects say where orders carry RETURN."""
    for dialect, key in (("sap-ecc", "ManufacturingOrder"), ("sap-s4", "ProductionOrder")):
        named = f"  key: [{key}]\n"
        dual.edit(f"translators/{dialect}/production_order.yaml", named, f"{named}  return: Return\n")
    dual.environment["CHANGEOVER_WRITE_CALL_S"] = "3"
    with dual.running() as started:
        yield started


def told(problem: Json) -> Json:
    return {name: problem[name] for name in SAID}


@BOTH
@PLACES
@pytest.mark.parametrize("kind", ["E", "A"])
def test_a_new_document_that_is_refused_within_a_200_is_refused_and_stands_nowhere(
    plant: Plant, leader: SimErp, erps: Pair, code: str, action: str, kind: str
) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    with erps.untouched():
        with leader.fault(action, **CREATED, type=kind, **WORDS):
            problem = refused(plant.create(ORDERS, order(), **headers), 422, "erp-refused")
        again = refused(plant.create(ORDERS, order(), **headers), 422, "erp-refused")
    assert told(problem) == told(again) == SAID
    assert again["replayed"]


@BOTH
@PLACES
def test_what_a_function_refuses_within_a_200_is_refused(
    plant: Plant, leader: SimErp, erps: Pair, code: str, action: str
) -> None:
    """RETURN is all that such a function returns."""
    made = plant.ordered()
    key = good(made, 201)["id"]
    settled(plant, made)
    with erps.untouched(), leader.fault(action, match="ReleaseOrder", member="", **WORDS):
        problem = refused(plant.act(ORDERS, key, "release"), 422, "erp-refused")
    assert told(problem) == SAID
    assert good(plant.read(ORDERS, key))["status"] == "created"
    assert good(plant.act(ORDERS, key, "release"))["status"] == "released"


@BOTH
def test_a_change_that_is_refused_in_a_header_is_refused(plant: Plant, leader: SimErp, erps: Pair, code: str) -> None:
    made = plant.ordered()
    key = good(made, 201)["id"]
    settled(plant, made)
    patch, etag = {"quantity": {"value": "12"}}, made.headers["etag"]
    with erps.untouched(), leader.fault("sap_message", method="PATCH", **WORDS):
        assert told(refused(plant.change(ORDERS, key, patch, etag), 422, "erp-refused")) == SAID
    assert good(plant.change(ORDERS, key, patch, etag))["quantity"]["value"] == "12.000"


@BOTH
@PLACES
@pytest.mark.parametrize("kind", ["S", "W", "I"])
def test_what_the_erp_says_beside_a_success_leaves_it_a_success(
    plant: Plant, leader: SimErp, follower: SimErp, code: str, action: str, kind: str
) -> None:
    marks = leader.length, follower.length
    with (
        leader.fault(action, **CREATED, type=kind, **WORDS),
        follower.fault(action, **CREATED, type=kind, **WORDS),
    ):
        answer = plant.ordered()
        key = good(answer, 201)["id"]
        assert settled(plant, answer)["document"] == key
    assert [len(orders(erp, mark)) for erp, mark in zip((leader, follower), marks, strict=True)] == [1, 1]
    assert good(plant.read(ORDERS, key)) == answer.json()


@BOTH
def test_a_return_that_nobody_understands_is_found_out_and_the_write_happens_once(
    plant: Plant, leader: SimErp, follower: SimErp, code: str
) -> None:
    marks = leader.length, follower.length
    with leader.fault("bapi_return", **CREATED, type="?", **WORDS):
        answer = plant.ordered()
        shown = settled(plant, answer)
    assert [len(orders(erp, mark)) for erp, mark in zip((leader, follower), marks, strict=True)] == [1, 1]
    assert good(plant.read(ORDERS, shown["document"]))["status"] == "created"


@BOTH
@PLACES
def test_what_the_other_erp_refuses_within_a_200_is_a_persons(
    plant: Plant, follower: SimErp, code: str, action: str
) -> None:
    mark = follower.length
    with follower.fault(action, **CREATED, **WORDS):
        answer = plant.ordered()
        good(answer, 201)
        shown = settled(plant, answer, "parked")
    assert [leg["state"] for leg in shown["legs"]] == ["done", "parked"]
    assert shown["legs"][1]["error"] == WORDS["message"]
    assert orders(follower, mark) == []
