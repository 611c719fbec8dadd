"""An ERP that takes a document without all its lines and says nothing of it: its lines are counted, and a person is asked."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.calls import Json, Plant, good, order, refused
from tests.e2e.moves import awaited, orders
from tests.support.crashes import ORDERS, Site, dual_site
from tests.support.simulated import Entry, Pair, SimErp

BY_ANNA = ("--reason", "the line is entered by hand", "--actor", "anna")
LINES = [
    {"line": "1", "item": "MOTOR-50", "quantity": {"value": "2", "unit": "H87"}},
    {"line": "2", "item": "SEAL-7", "quantity": {"value": "4", "unit": "H87"}},
]
SETS = {"A_ProductionOrder_2": "A_ProductionOrderComponent_2", "ProductionOrder": "ProductionOrderComponent"}


@pytest.fixture(scope="module")
def site(erps: Pair, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """ERPs of which nobody knows whether they take a document whole."""
    told = ("    create: {settle: ", "    create: {atomic_document: false, settle: ")
    first = "objects:\n  production_order:\n"
    edits = [
        ("routes/manifests/s4.yaml", first + told[0], first + told[1]),
        (
            "routes/manifests/ecc.yaml",
            "of its own, which is searchable.\n" + told[0],
            "of its own, which is searchable.\n" + told[1],
        ),
    ]
    return dual_site(tmp_path_factory.mktemp("lines"), erps, edits=edits)


class Short:
    """An order with two components, of which an ERP takes one."""

    def __init__(self, plant: Plant) -> None:
        self.plant, self.document = plant, order(components=LINES, quantity={"value": "10", "unit": "H87"})
        self.document.pop("reference")
        self.headers = {"Idempotency-Key": str(uuid4()), "Prefer": "wait=20"}

    def sent(self) -> httpx.Response:
        return self.plant.create(ORDERS, self.document, **self.headers)


def short_of(erp: SimErp) -> Any:
    return erp.fault("fewer_lines", method="POST", match="ProductionOrder")


def components(entry: Entry, erp: SimErp) -> list[Entry]:
    """What the ERP has of an order's components."""
    (number,) = entry["key"].values()
    wanted = SETS[entry["entity"]]
    return [e for e in erp.since(0) if e["entity"] == wanted and e["verb"] == "create" and number in e["key"].values()]


def case_of(site: Site, operation: str) -> tuple[Any, ...]:
    (row,) = awaited(
        lambda: site.rows(f"SELECT id, side, kind, reason FROM case_ WHERE intent = '{operation}' AND state = 'open'")
    )
    return row


def entered(erp: SimErp, entry: Entry) -> None:
    """Somebody enters the line that is missing."""
    (number,) = entry["key"].values()
    old = entry["entity"].startswith("A_")
    values: Json = {
        ("ProductionOrder", "ManufacturingOrder")[old]: number,
        ("Product", "Material")[old]: "SEAL-7",
        "RequiredQuantity": "4.000" if old else 4,
        "BaseUnit": "ST" if old else "PC",
        "Plant": entry["after"]["ProductionPlant"],
    }
    erp.screen(SETS[entry["entity"]], values=values)


def test_an_order_with_all_its_lines_is_made_as_ever(plant: Plant, leader: SimErp, follower: SimErp) -> None:
    marks = leader.length, follower.length
    good(Short(plant).sent(), 201)
    awaited(lambda: orders(follower, marks[1]))
    for erp, mark in zip((leader, follower), marks, strict=True):
        (made,) = orders(erp, mark)
        assert len(components(made, erp)) == 2


def test_the_client_hears_that_lines_are_missing_and_the_other_erp_gets_nothing_yet(
    site: Site, plant: Plant, leader: SimErp, follower: SimErp
) -> None:
    short, marks = Short(plant), (leader.length, follower.length)
    with short_of(leader):
        told = refused(short.sent(), 422, "erp-refused")
    assert "1 of 2 components" in told["detail"]
    id_, _, kind, reason = case_of(site, told["operation"])
    assert (kind, reason) == ("partial", told["detail"])
    (made,) = orders(leader, marks[0])
    assert len(components(made, leader)) == 1
    assert orders(follower, marks[1]) == []
    # Looked at again it is as it was; entered by hand it is whole, and the other ERP gets it too.
    assert site.made.cli("case", "replay", str(id_), *BY_ANNA, content=False).exit_code == 0
    assert case_of(site, told["operation"])[0] == id_
    entered(leader, made)
    assert site.made.cli("case", "replay", str(id_), *BY_ANNA, content=False).exit_code == 0
    (there,) = awaited(lambda: orders(follower, marks[1]))
    assert len(components(there, follower)) == 2
    assert len(orders(leader, marks[0])) == 1
    awaited(lambda: short.sent().status_code == 201)  # at first it is done, and not read yet


def test_lines_that_are_missing_in_the_other_erp_are_a_case_and_its_client_has_its_order(
    site: Site, plant: Plant, leader: SimErp, follower: SimErp
) -> None:
    short, mark = Short(plant), follower.length
    with short_of(follower):
        answer = short.sent()
        good(answer, 201)
        _, side, kind, reason = case_of(site, answer.headers["x-op-id"])
    assert (kind, "1 of 2 components" in reason) == ("partial", True)
    assert side == ("cloud" if plant.plant == "1000" else "legacy")
    (made,) = orders(follower, mark)
    assert len(components(made, follower)) == 1


def test_a_document_that_cannot_be_seen_yet_is_counted_once_it_can(
    plant: Plant, leader: SimErp, follower: SimErp
) -> None:
    short, mark = Short(plant), follower.length
    with leader.fault("status", status=503, method="GET", match="ProductionOrder", count=2):
        good(short.sent(), 201)
    (there,) = awaited(lambda: orders(follower, mark))
    assert len(components(there, follower)) == 2


def test_an_order_that_is_away_before_its_lines_were_counted_is_a_persons_to_look_for(
    site: Site, plant: Plant, leader: SimErp
) -> None:
    short, mark = Short(plant), leader.length
    with leader.fault("status", status=404, method="GET", match="ProductionOrder", count=0):
        told = refused(short.sent(), 422, "erp-refused")
    _, _, kind, reason = case_of(site, told["operation"])
    assert (kind, "nobody can see whether with all its lines" in reason) == ("partial", True)
    assert len(orders(leader, mark)) == 1


def test_a_document_that_is_there_is_mended_there_and_not_by_sending_another_copy(
    site: Site, plant: Plant, follower: SimErp
) -> None:
    short = Short(plant)
    with short_of(follower):
        answer = short.sent()
        good(answer, 201)
        id_, *_ = case_of(site, answer.headers["x-op-id"])
    mark = follower.length
    done = site.made.cli("case", "repair", str(id_), "--patch", '{"quantity": "20"}', *BY_ANNA, content=False)
    assert (done.exit_code, "mend it there" in done.stderr) == (1, True)
    assert case_of(site, answer.headers["x-op-id"])[0] == id_
    assert orders(follower, mark) == []
