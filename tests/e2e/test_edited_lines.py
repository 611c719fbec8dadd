"""Somebody changes the lines of an order in an ERP itself: no call carries that over, so a person is told, and once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.calls import Json, Plant, good
from tests.e2e.moves import awaited, operation
from tests.e2e.test_direct_edits import (
    BOTH,
    ORDERS,
    WHERE,
    Order,
    cases,
    changed,
    followed,
    following,
    legacy,
    looked,
    on_screen,
    quantity,
    said,
    shown_order,
    sides,
)
from tests.support.gateway import Deployment, RunningGateway
from tests.support.simulated import Entry, SimErp

PARTS = ("A_ProductionOrderComponent_2", "ProductionOrderComponent")


@pytest.fixture(scope="module")
def gateway(separate: Deployment) -> Iterator[RunningGateway]:
    with following(followed(separate)) as started:
        yield started


@pytest.fixture
def order(gateway: RunningGateway, plant: Plant, leader: SimErp, follower: SimErp) -> Order:
    return shown_order(gateway, plant, leader, follower)


def parts(erp: SimErp, order: Order) -> list[Entry]:
    """The components of an order as an ERP has them."""
    number = order.key(erp).values()
    entries = [e for e in erp.since(0) if e["entity"] in PARTS and set(number) <= set(e["after"].values())]
    return list({str(e["key"]): e for e in entries}.values())


def told(gateway: RunningGateway) -> list[Json]:
    """The cases about lines that somebody changed."""
    return [c for c in cases(gateway, "direct-edit") if "no call changes lines" in c["reason"]]


@BOTH
@WHERE
def test_a_part_of_which_somebody_wants_more_is_one_case_and_the_other_erp_is_left_alone(
    gateway: RunningGateway, order: Order, leader: SimErp, follower: SimErp, edited: str
) -> None:
    here, there = sides(edited, leader, follower)
    before, mark = len(told(gateway)), there.length
    (part, *_) = parts(here, order)
    here.screen(PARTS[not legacy(here)], key=part["key"], values={"RequiredQuantity": said(here, 99)})
    awaited(lambda: len(told(gateway)) > before)
    looked(gateway)
    looked(gateway)
    assert len(told(gateway)) == before + 1
    assert there.since(mark) == []
    here.screen(PARTS[not legacy(here)], key=part["key"], values={"RequiredQuantity": said(here, 98)})
    awaited(lambda: len(told(gateway)) == before + 2)


@BOTH
@WHERE
def test_lines_that_follow_the_quantity_of_their_order_are_not_told(
    gateway: RunningGateway, order: Order, leader: SimErp, follower: SimErp, edited: str
) -> None:
    here, there = sides(edited, leader, follower)
    before, mark = len(told(gateway)), there.length
    on_screen(here, order.key(here), quantity=77)
    awaited(lambda: changed(there, mark))
    looked(gateway)
    looked(gateway)
    assert quantity(order.now(there)) == 77
    assert len(told(gateway)) == before


@BOTH
def test_lines_that_a_client_made_anew_by_changing_the_order_are_not_told(
    gateway: RunningGateway, plant: Plant, order: Order, leader: SimErp, follower: SimErp
) -> None:
    before = len(told(gateway))
    answer = plant.change(ORDERS, order.number, {"quantity": {"value": "12"}}, order.etag)
    good(answer)
    awaited(lambda: operation(plant, answer)["state"] == "done")
    good(plant.act(ORDERS, order.number, "release"))
    done = {"operation": "20", "quantity": {"value": "1", "unit": "H87"}}
    good(plant.act(ORDERS, order.number, "confirm", done), 201)
    looked(gateway)
    looked(gateway)
    assert len(told(gateway)) == before
