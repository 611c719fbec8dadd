"""Where a contract wants an Idempotency-Key with every write, one without is refused before any ERP hears of it."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.e2e.calls import Plant, good, order, refused
from tests.e2e.changes import await_applied
from tests.support.gateway import RunningGateway
from tests.support.simulated import Pair

ORDERS = "production-orders"
CONFIRMED = {"operation": "20", "quantity": {"value": "4", "unit": "H87"}}


@pytest.fixture
def plant(changing: RunningGateway) -> Plant:
    """A plant whose orders want a key; its purchase orders do not."""
    head = f"  {ORDERS}:\n    object: production_order\n"
    changing.deployment.edit("routes/contracts/v2.yaml", head, f"{head}    idempotency_key: required\n")
    assert changing.deployment.cli("apply").exit_code == 0
    await_applied(changing)
    return Plant(changing.client("admin"), "1000")


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


def test_a_write_without_its_key_is_refused_and_no_erp_hears_of_it(plant: Plant, changing: RunningGateway) -> None:
    erps: Pair = changing.deployment.erps
    made = plant.create(ORDERS, order(), **key())
    number = good(made, 201)["id"]
    good(plant.act(ORDERS, number, "release", **key()))
    etag = plant.read(ORDERS, number).headers["etag"]
    with erps.untouched():
        for answer in (
            plant.create(ORDERS, order()),
            plant.change(ORDERS, number, {"quantity": {"value": "11"}}, etag),
            plant.act(ORDERS, number, "release"),
            plant.act(ORDERS, number, "confirm", CONFIRMED),
        ):
            assert refused(answer, 400, "idempotency-key-missing")["field"] == "Idempotency-Key"
            assert "x-op-id" not in answer.headers
    assert good(plant.act(ORDERS, number, "confirm", CONFIRMED, **key()), 201)["order"] == number


def test_reads_and_what_another_resource_writes_need_no_key(plant: Plant) -> None:
    good(plant.listed(ORDERS, limit=1))
    good(plant.bought(), 201)
