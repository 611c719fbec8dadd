"""Somebody works in an ERP itself: it reaches the other ERP once, comes back never, and a conflict is a case."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.calls import Json, Plant, good
from tests.e2e.moves import awaited, operation
from tests.support.gateway import DUAL, Deployment, RunningGateway
from tests.support.simulated import Entry, SimErp

ORDERS = "production-orders"
SETS = ("A_ProductionOrder_2", "ProductionOrder")
LEADS = {"1000": "legacy", "2000": "cloud"}
BOTH = pytest.mark.parametrize("code", ["1000", "2000"])
WHERE = pytest.mark.parametrize("edited", ["leader", "follower"])


def followed(made: Deployment) -> Deployment:
    """Plant 1000 in dual_legacy, plant 2000 in dual_cloud, and feeds that are looked at all the time."""
    made.begin_in(DUAL)
    made.environment |= {"CHANGEOVER_WRITE_CALL_S": "3", "CHANGEOVER_FEED_POLL_S": "0.2"}
    return made


@contextmanager
def following(made: Deployment) -> Iterator[RunningGateway]:
    """It runs, and has read every feed once."""
    with made.running() as started:
        awaited(lambda: all(feed["lag_s"] is not None for feed in feeds(started).values()))
        yield started


@pytest.fixture(scope="module")
def gateway(separate: Deployment) -> Iterator[RunningGateway]:
    with following(followed(separate)) as started:
        yield started


def feeds(gateway: RunningGateway) -> Json:
    found: Json = gateway.admin("/readyz").json()["feeds"]
    return found


def looked(gateway: RunningGateway, erp: str = "", *, may_wait: bool = False) -> None:
    """Wait until every feed, or every one of an ERP, was read to its end once more, and nothing of it waits that may not."""
    start_s = time.monotonic()
    awaited(
        lambda: all(
            feed["lag_s"] is not None
            and feed["lag_s"] < time.monotonic() - start_s - 0.2
            and (may_wait or not feed["waiting"])
            for name, feed in feeds(gateway).items()
            if name.startswith(erp)
        )
    )


def verdicts(gateway: RunningGateway, *kinds: str) -> int:
    """How many records were of these kinds, in all feeds."""
    lines = gateway.admin("/metrics").text.splitlines()
    found = [line for line in lines if line.startswith("changeover_feed_records{")]
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in found if any(f'verdict="{k}"' in line for k in kinds)))


def cases(gateway: RunningGateway, kind: str) -> list[Json]:
    found: list[Json] = gateway.admin(f"/admin/v1/cases?state=open&kind={kind}&limit=1000").json()["cases"]
    return found


def changed(erp: SimErp, mark: int, verb: str = "update") -> list[Entry]:
    """What the gateway did to order headers."""
    return [e for e in erp.since(mark, origin="api") if e["verb"] == verb and e["entity"] in SETS]


def sides(edited: str, leader: SimErp, follower: SimErp) -> tuple[SimErp, SimErp]:
    """The ERP that somebody works in, and the other one."""
    return (leader, follower) if edited == "leader" else (follower, leader)


def legacy(erp: SimErp) -> bool:
    return erp.app.erp.config.face == "legacy"


def said(erp: SimErp, value: Any) -> Any:
    """A value as the ERP's JSON has it: the old one writes numbers as text."""
    return f"{value}.000" if isinstance(value, int) and legacy(erp) else value


def on_screen(erp: SimErp, key: Json, **values: Any) -> None:
    """Somebody changes an order in the ERP's own screens."""
    names = {"quantity": ("TotalQuantity", "OrderPlannedTotalQty"), "recipient": ("GoodsRecipientName",) * 2}
    given = {names[name][not legacy(erp)]: said(erp, value) for name, value in values.items()}
    erp.screen(SETS[not legacy(erp)], key=key, values=given)


def quantity(row: Json) -> Decimal:
    return Decimal(row.get("TotalQuantity") or row["OrderPlannedTotalQty"])


class Order:
    """An order that both ERPs have, with its number in each."""

    def __init__(self, plant: Plant, leader: SimErp, follower: SimErp, **members: Any) -> None:
        marks = leader.length, follower.length
        answer = plant.ordered(**members)
        self.number, self.etag = good(answer, 201)["id"], answer.headers["etag"]
        awaited(lambda: operation(plant, answer)["state"] == "done")
        self.keys: dict[str, Json] = {}
        for erp, mark in zip((leader, follower), marks, strict=True):
            (entry,) = changed(erp, mark, "create")
            self.keys[erp.url] = entry["key"]

    def key(self, erp: SimErp) -> Json:
        found: Json = self.keys[erp.url]
        return found

    def now(self, erp: SimErp) -> Json:
        """The order's header as the ERP has it."""
        entries = [e for e in erp.since(0) if e["entity"] in SETS and e["key"] == self.key(erp)]
        found: Json = entries[-1]["after"]
        return found


def shown_order(gateway: RunningGateway, plant: Plant, leader: SimErp, follower: SimErp) -> Order:
    """An order that both ERPs have, and both feeds have shown."""
    made = Order(plant, leader, follower)
    looked(gateway)
    return made


@pytest.fixture
def order(plant: Plant, leader: SimErp, follower: SimErp) -> Order:
    return Order(plant, leader, follower)


@BOTH
@WHERE
def test_what_somebody_changes_in_one_erp_reaches_the_other_once_and_never_comes_back(
    gateway: RunningGateway, order: Order, leader: SimErp, follower: SimErp, edited: str
) -> None:
    here, there = sides(edited, leader, follower)
    marks = here.length, there.length
    on_screen(here, order.key(here), quantity=77)
    awaited(lambda: changed(there, marks[1]))
    looked(gateway)
    looked(gateway)
    assert [quantity(e["after"]) for e in changed(there, marks[1])] == [77]
    assert changed(here, marks[0]) == []
    assert quantity(order.now(here)) == quantity(order.now(there)) == 77


@BOTH
@WHERE
def test_a_field_that_no_client_ever_set_is_carried_over_too(
    order: Order, leader: SimErp, follower: SimErp, edited: str
) -> None:
    here, there = sides(edited, leader, follower)
    mark = there.length
    on_screen(here, order.key(here), recipient="GATE 3")
    awaited(lambda: changed(there, mark))
    assert [entry["after"]["GoodsRecipientName"] for entry in changed(there, mark)] == ["GATE 3"]


@BOTH
def test_what_the_gateway_writes_itself_is_known_again_as_its_own(
    gateway: RunningGateway, plant: Plant, order: Order, leader: SimErp, follower: SimErp
) -> None:
    before = verdicts(gateway, "edit", "new")
    answer = plant.change(ORDERS, order.number, {"quantity": {"value": "12"}}, order.etag)
    good(answer)
    awaited(lambda: operation(plant, answer)["state"] == "done")
    good(plant.act(ORDERS, order.number, "release"))
    marks, echoes = (leader.length, follower.length), verdicts(gateway, "echo")
    looked(gateway)
    looked(gateway)
    assert verdicts(gateway, "edit", "new") == before
    assert verdicts(gateway, "echo") >= echoes
    assert quantity(order.now(follower)) == 12
    assert len(changed(follower, marks[1])) <= 1  # the release, if it was still on its way


@BOTH
def test_edits_by_hand_and_by_clients_meet_in_one_lane(
    plant: Plant, gateway: RunningGateway, order: Order, leader: SimErp, follower: SimErp
) -> None:
    on_screen(leader, order.key(leader), recipient="GATE 7")
    fresh = plant.read(ORDERS, order.number)
    good(plant.change(ORDERS, order.number, {"quantity": {"value": "31"}}, fresh.headers["etag"]))
    awaited(lambda: order.now(follower)["GoodsRecipientName"] == "GATE 7" and quantity(order.now(follower)) == 31)
    looked(gateway)
    assert quantity(order.now(leader)) == 31
    assert order.now(leader)["GoodsRecipientName"] == "GATE 7"


@BOTH
def test_an_order_changed_differently_in_both_erps_is_a_case_and_neither_is_overwritten(
    gateway: RunningGateway, order: Order, leader: SimErp, follower: SimErp
) -> None:
    on_screen(leader, order.key(leader), quantity=21)
    on_screen(follower, order.key(follower), quantity=22)
    found = awaited(lambda: [c for c in cases(gateway, "direct-edit") if c["reason"].startswith("The fields")])
    looked(gateway)
    looked(gateway)
    assert {c["verb"] for c in found} == {"change"}
    assert quantity(order.now(leader)) == 21
    assert quantity(order.now(follower)) == 22


@BOTH
@WHERE
def test_an_order_released_by_hand_is_released_in_the_other_erp(
    order: Order, gateway: RunningGateway, leader: SimErp, follower: SimErp, edited: str
) -> None:
    here, there = sides(edited, leader, follower)
    here.screen(SETS[not legacy(here)], key=order.key(here), action="ReleaseOrder")
    awaited(lambda: order.now(there)["OrderIsReleased"])
    mark = here.length
    looked(gateway)
    assert changed(here, mark) == []


def new_order(erp: SimErp, plant: str) -> Json:
    """Somebody makes an order in the ERP's own screens."""
    if legacy(erp):
        item, amount, kind = "Material", "TotalQuantity", "ManufacturingOrderType"
    else:
        item, amount, kind = "Product", "OrderPlannedTotalQty", "ProductionOrderType"
    unit = "ST" if legacy(erp) else "PC"
    values = {item: "PUMP-100", "ProductionPlant": plant, "ProductionUnit": unit, amount: said(erp, 5), kind: "PP01"}
    return erp.screen(SETS[not legacy(erp)], values=values)


@BOTH
@WHERE
def test_an_order_made_by_hand_is_made_in_the_other_erp_once(
    gateway: RunningGateway, plant: Plant, leader: SimErp, follower: SimErp, edited: str
) -> None:
    here, there = sides(edited, leader, follower)
    marks = here.length, there.length
    key = new_order(here, plant.plant)
    (made,) = awaited(lambda: changed(there, marks[1], "create"))
    looked(gateway)
    looked(gateway)
    assert quantity(made["after"]) == 5
    assert len(changed(there, marks[1], "create")) == 1
    assert changed(here, marks[0], "create") == []
    (number,) = key.values()
    assert Decimal(good(plant.read(ORDERS, number.lstrip("0")))["quantity"]["value"]) == 5


@BOTH
def test_an_order_made_and_released_by_hand_is_both_in_the_other_erp(
    plant: Plant, leader: SimErp, follower: SimErp
) -> None:
    mark = follower.length
    key = new_order(leader, plant.plant)
    leader.screen(SETS[not legacy(leader)], key=key, action="ReleaseOrder")
    awaited(lambda: [e for e in changed(follower, mark) if e["after"]["OrderIsReleased"]])
    assert len(changed(follower, mark, "create")) == 1


@BOTH
def test_what_an_erp_derives_from_a_confirmation_is_compared_and_never_carried_over(
    gateway: RunningGateway, plant: Plant, order: Order, leader: SimErp, follower: SimErp
) -> None:
    good(plant.act(ORDERS, order.number, "release"))
    marks, before = (leader.length, follower.length), verdicts(gateway, "derived")
    document = {"operation": "20", "quantity": {"value": "1", "unit": "H87"}}
    answer = plant.act(ORDERS, order.number, "confirm", document)
    assert answer.status_code in (200, 201), answer.text
    awaited(lambda: operation(plant, answer)["state"] == "done")
    awaited(lambda: verdicts(gateway, "derived") >= before + 2)
    looked(gateway)
    for erp, mark in ((leader, marks[0]), (follower, marks[1])):
        made = [e for e in erp.since(mark) if e["verb"] == "create" and "MaterialDocument" in e["entity"]]
        assert {e["origin"] for e in made} == {"derived"}
        assert len({tuple(e["key"].items())[:2] for e in made}) == 1


@BOTH
def test_the_reader_leaves_an_erp_alone_that_is_down_and_misses_nothing_of_that_time(
    gateway: RunningGateway, order: Order, leader: SimErp, follower: SimErp
) -> None:
    mark = follower.length
    with leader.fault("status", status=503, method="GET", count=0):
        awaited(lambda: any(feed["error"] for feed in feeds(gateway).values()))
        on_screen(leader, order.key(leader), quantity=44)
    awaited(lambda: changed(follower, mark), within_s=90)
    assert [quantity(e["after"]) for e in changed(follower, mark)] == [44]


def test_the_feeds_are_shown_to_operators(gateway: RunningGateway) -> None:
    shown = gateway.deployment.cli("journal", "feeds", "-o", "json", content=False)
    assert shown.exit_code == 0, shown.output
    assert '"object": "production_order"' in shown.output
    rows = gateway.admin("/admin/v1/feeds").json()["feeds"]
    assert {(row["erp"], row["object"], row["plant"]) for row in rows} >= {("ecc", "production_order", "1000")}
    assert all(row["cursor"] for row in rows)


def test_an_edit_made_while_no_gateway_runs_is_carried_over_at_the_next_start(own: Deployment) -> None:
    followed(own)
    leader, follower = own.erps.legacy, own.erps.cloud
    with own.running() as first:
        awaited(lambda: feeds(first) and all(feed["lag_s"] is not None for feed in feeds(first).values()))
        order = Order(Plant(first.client("admin"), "1000"), leader, follower)
        looked(first)
    mark = follower.length
    on_screen(leader, order.key(leader), quantity=55)
    with own.running():
        awaited(lambda: changed(follower, mark))
    assert [quantity(e["after"]) for e in changed(follower, mark)] == [55]
