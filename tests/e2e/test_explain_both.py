"""`changeover explain` where two ERPs are written: each one's call, and what an Idempotency-Key would be answered with."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.calls import Json, Plant, good, order, purchase
from tests.e2e.moves import awaited, operation
from tests.support.gateway import Deployment, RunningGateway
from tests.support.simulated import Pair

ORDERS = "/api/v2/plants/1000/production-orders"


@pytest.fixture(scope="module")
def gateway(dual: Deployment) -> Iterator[RunningGateway]:
    """Plant 1000 is in dual_legacy, plant 2000 in dual_cloud."""
    with dual.running() as started:
        yield started


def explained(gateway: RunningGateway, *arguments: str) -> tuple[int, dict[str, Json]]:
    done = gateway.deployment.cli("explain", *arguments, "--client", "admin", "-o", "json")
    return done.exit_code, {row["stage"]: row for row in json.loads(done.stdout)}


def both(plant: Plant, **changes: object) -> str:
    """The number of an order that both ERPs have."""
    answer = plant.ordered(**changes)
    awaited(lambda: operation(plant, answer)["state"] == "done")
    return str(good(answer, 201)["id"])


def test_each_erps_call_is_shown_in_the_order_in_which_they_go(gateway: RunningGateway, erps: Pair) -> None:
    with erps.untouched():
        code, rows = explained(gateway, "POST", ORDERS, "--data", json.dumps(order()))
        turned = explained(gateway, "POST", ORDERS.replace("1000", "2000"), "--data", json.dumps(order()))[1]
    assert code == 0
    assert rows["execute"]["decides"].endswith("API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2")
    assert rows["execute, then cloud"]["decides"].endswith("/api_production_order/0001/ProductionOrder")
    assert rows["execute, then cloud"]["why"].startswith("s4 {")
    assert turned["execute"]["decides"].endswith("/ProductionOrder")
    assert turned["execute, then legacy"]["why"].startswith("ecc {")
    assert list(rows)[-1] == "render"


def test_the_other_erp_is_asked_under_its_own_number(gateway: RunningGateway, hamburg: Plant, erps: Pair) -> None:
    key = both(hamburg)
    names = json.loads(
        gateway.deployment.cli("crosswalk", "show", "production_order", key, "-o", "json", content=False).stdout
    )
    own = {row["space"]: row["number"] for row in names}["erp:s4"]
    with erps.untouched():
        rows = explained(gateway, "POST", f"{ORDERS}/{key}:release")[1]
    assert f"'{key.zfill(12)}'" in rows["execute"]["decides"].replace("%27", "'")
    assert f"'{own}'" in rows["execute, then cloud"]["decides"].replace("%27", "'")


def test_what_would_be_a_case_is_no_refusal(gateway: RunningGateway, erps: Pair) -> None:
    seeded = next(iter(erps.legacy.app.erp.ledger.stored["order"].rows))[0]
    code, rows = explained(gateway, "POST", f"{ORDERS}/{str(seeded).lstrip('0')}:release")
    assert code == 0
    assert rows["execute, then cloud"]["decides"] == "opens a case: unmapped"


def test_a_key_that_was_used_is_answered_from_the_journal(gateway: RunningGateway, hamburg: Plant, erps: Pair) -> None:
    body = order(reference="KEYED")
    used = ("--idempotency-key", "explain-1")
    fresh = explained(gateway, "POST", ORDERS, "--data", json.dumps(body), *used)[1]
    assert fresh["recall"]["why"].startswith("the Idempotency-Key is new")
    answer = hamburg.create("production-orders", body, **{"Idempotency-Key": "explain-1"})
    good(answer, 201)
    with erps.untouched():
        code, rows = explained(gateway, "POST", ORDERS, "--data", json.dumps(body), *used)
        assert (code, list(rows)[-1]) == (0, "recall")
        assert rows["recall"]["decides"] == f"answers what operation {answer.headers['x-op-id']} came to"
        other = json.dumps(purchase("1000"))
        code, rows = explained(gateway, "POST", "/api/v2/plants/1000/purchase-orders", "--data", other, *used)
    assert (code, rows["recall"]["decides"]) == (1, "refuses: 422 idempotency-key-reused")
