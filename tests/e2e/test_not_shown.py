"""A write that was carried out and whose document cannot be shown is told as done, and not as failed or as a document there is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch
from uuid import uuid4

import httpx
import pytest

from gateway.sim.erps.wire.messages import Answer, Request
from tests.e2e.calls import Json, Plant, good, order, refused
from tests.e2e.moves import orders, settled
from tests.e2e.test_both_sides import transfer
from tests.e2e.test_dual_writes import BOTH, ORDERS
from tests.support.gateway import Deployment, RunningGateway
from tests.support.simulated import SimErp

CONFIRMED = {"operation": "20", "quantity": {"value": "1", "unit": "H87"}}
_UNIT = re.compile(rb'"((?:Production|Entry)Unit)":"[A-Z]+"')


@pytest.fixture(scope="module")
def gateway(dual: Deployment) -> Iterator[RunningGateway]:
    """Plant 1000 is in dual_legacy, plant 2000 in dual_cloud. Version 1 cannot say the types of orders, and shows no confirmation."""
    dual.edit(
        "translators/api-v1/production_order.yaml", "type: orderType", "type: {to: orderType, codec: text(max=3)}"
    )
    listed = "    object: confirmation\n    verbs: [list"
    dual.edit("routes/contracts/v1.yaml", f"{listed}, read]", f"{listed}]")
    with dual.running() as started:
        yield started


@contextmanager
def in_words_nobody_knows(erp: SimErp, *methods: str) -> Iterator[None]:
    """The ERP carries out what it is asked, and tells of it in a unit that its dialect does not have."""
    answered: Callable[[Request], Answer] = erp.app.erp.answer

    def told(request: Request) -> Answer:
        answer = answered(request)
        body = _UNIT.sub(rb'"\1":"ZZ"', answer.body) if request.method in methods else answer.body
        return Answer(answer.status, answer.headers, body, answer.content_type)

    with patch.object(erp.app.erp, "answer", told):
        yield


def done(plant: Plant, answer: httpx.Response) -> Json:
    """The operation of a write that is told as carried out, and not shown."""
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "done"
    assert answer.headers["location"] == answer.json()["status"]
    return settled(plant, answer)


@BOTH
def test_a_new_document_has_no_place_in_a_version_that_shows_none_of_its_kind(
    gateway: RunningGateway, plant: Plant, code: str
) -> None:
    key = good(plant.ordered(), 201)["id"]
    good(plant.act(ORDERS, key, "release"))
    old = Plant(gateway.client("admin"), code, "v1")
    answer = old.act(ORDERS, key, "confirm", {"stepNumber": "20", "goodQuantity": "1", "unit": "H87"})
    assert good(answer, 201)["orderNumber"] == key
    assert "location" not in answer.headers
    there = plant.act(ORDERS, key, "confirm", CONFIRMED).headers["location"]
    assert good(plant.http.get(there))["order"] == key


@BOTH
def test_a_document_that_only_the_answer_to_its_creation_garbles_is_read_once_more(
    plant: Plant, leader: SimErp, follower: SimErp, code: str
) -> None:
    mark = leader.length
    with in_words_nobody_knows(leader, "POST"):
        answer = plant.act("movements", None, "post", transfer(code))
    made = good(answer, 201)
    assert good(plant.read("movements", made["id"])) == made
    settled(plant, answer)
    made_there = [e for e in leader.since(mark, origin="api") if e["verb"] == "create" and "Item" not in e["entity"]]
    assert len(made_there) == 1


@BOTH
def test_a_new_document_that_nobody_can_read_is_done_and_its_operation_says_under_which_number(
    plant: Plant, leader: SimErp, follower: SimErp, code: str
) -> None:
    marks, headers = (leader.length, follower.length), {"Idempotency-Key": str(uuid4())}
    with in_words_nobody_knows(leader, "POST", "GET"):
        answer = plant.create(ORDERS, order(), **headers)
        shown = done(plant, answer)
        refused(plant.read(ORDERS, shown["document"]), 502, "dialect-broken")
    again = plant.create(ORDERS, order(), **headers)
    assert (again.status_code, again.content, again.headers["idempotent-replayed"]) == (202, answer.content, "true")
    assert good(plant.read(ORDERS, shown["document"]))["id"] == shown["document"]
    assert [len(orders(erp, mark)) for erp, mark in zip((leader, follower), marks, strict=True)] == [1, 1]


@BOTH
def test_what_the_clients_version_cannot_say_of_a_written_document_is_no_failure_of_the_write(
    gateway: RunningGateway, leader: SimErp, follower: SimErp, code: str
) -> None:
    old, new = Plant(gateway.client("admin"), code, "v1"), Plant(gateway.client("admin"), code)
    sent = {
        "itemNumber": "PUMP-100", "quantity": "10", "unit": "H87",
        "plannedStart": "2026-12-01T06:00:00Z", "plannedEnd": "2026-12-02T14:00:00Z",
    }  # fmt: skip
    mark = leader.length
    answer = old.create(ORDERS, sent)
    key = done(new, answer)["document"]
    refused(old.read(ORDERS, key), 502, "dialect-broken")
    etag = new.read(ORDERS, key).headers["etag"]
    changed = old.change(ORDERS, key, {"quantity": "11"}, etag)
    assert (changed.status_code, changed.content) == (204, b"")
    assert good(new.read(ORDERS, key))["quantity"]["value"] == "11.000"
    assert len(orders(leader, mark)) == 1
    assert gateway.events("write.not_shown", intent=changed.headers["x-op-id"])
