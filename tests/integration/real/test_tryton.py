"""What is particular to Tryton: its warnings, its locks, its errors inside `200`, and references by code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from tests.e2e.calls import fields_of
from tests.integration.real.samples_tryton import cycle, movement, order, purchase, receipt, works
from tests.support.deployment import Site, installed, tryton_rest, tryton_rpc
from tests.support.erp_contract import MERGE_PATCH, Door, Json, System, good, refused
from tests.support.fault_proxy import DelayResponse, FaultProxy, LoseResponse, Pass
from tests.support.gateway import RunningGateway
from tests.support.tryton import TrytonServer

BOTH = pytest.mark.parametrize("name", ["tryton-old", "tryton-new"])
FUTURE = "2031-01-20"


@dataclass(frozen=True, slots=True)
class Behind:
    """A gateway, and the Tryton it writes to."""

    door: Door
    server: TrytonServer


@pytest.fixture
def behind(
    name: str, systems: Callable[[str], System], tryton_legacy: TrytonServer, tryton_cloud: TrytonServer
) -> Behind:
    return Behind(systems(name).door, tryton_legacy if name == "tryton-old" else tryton_cloud)


def shipments(server: TrytonServer, reference: str) -> list[str]:
    """The states of the shipments with a reference."""
    rows = server.truth("select state from stock_shipment_internal where reference = %s order by id", reference)
    return [row["state"] for row in rows]


@BOTH
def test_a_field_that_the_state_locks_is_refused_in_trytons_words(behind: Behind) -> None:
    key = good(behind.door.create("production_order", order("LOCKED")), 201)["id"]
    etag = behind.door.act("production_order", key, "release").headers["etag"]
    patch = {"quantity": {"value": "14.000"}}
    problem = refused(behind.door.change("production_order", key, patch, etag), 422, "erp-refused")
    assert 'You are not allowed to modify the field "Quantity"' in problem["erp_message"]
    (row,) = behind.server.truth("select quantity from production where id = %s::int", key)
    assert row["quantity"] == 10


@BOTH
def test_a_changed_quantity_reaches_the_move_of_the_product_too(behind: Behind) -> None:
    created = behind.door.create("production_order", order("MORE"))
    key = created.json()["id"]
    good(behind.door.change("production_order", key, {"quantity": {"value": "13.000"}}, created.headers["etag"]))
    moves = behind.server.truth("select quantity from stock_move where production_output = %s::int", key)
    assert [row["quantity"] for row in moves] == [13]


@BOTH
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"item": "NO-SUCH"}, "product"),
        ({"components": [{**order("")["components"][0], "item": "NO-SUCH"}]}, "inputs.0.product"),
    ],
    ids=["item", "component"],
)
def test_a_code_nobody_knows_is_refused_and_named_before_anything_is_written(
    behind: Behind, change: Json, field: str
) -> None:
    before = behind.server.count("production")
    problem = refused(behind.door.create("production_order", order("UNKNOWN", **change)), 422, "erp-refused")
    assert problem["field"] == field
    assert "NO-SUCH" in problem["detail"]
    assert behind.server.count("production") == before


@BOTH
def test_stock_of_another_plant_cannot_be_moved_through_this_one(behind: Behind) -> None:
    theft = movement("THEFT", from_location="P200-STO", to_location="P200-A1")
    problem = refused(behind.door.act("movement", None, "post", theft), 422, "erp-refused")
    assert problem["field"] == "moves.0.from_location"
    assert shipments(behind.server, "THEFT") == []


@BOTH
def test_a_document_of_another_plant_is_not_there(behind: Behind) -> None:
    other = replace(behind.door, plant="P200")
    for object_, made in (
        ("movement", behind.door.act("movement", None, "post", movement("MINE"))),
        ("production_order", behind.door.create("production_order", order("MINE"))),
    ):
        key = good(made, 201)["id"]
        refused(other.read(object_, key), 404, "no-such-document")
        assert key in [row["id"] for row in behind.door.rows(object_, 200, None)]
        assert key not in [row["id"] for row in other.rows(object_, 200, None)]


@BOTH
def test_places_that_differ_between_lines_are_refused_before_anything_is_written(behind: Behind) -> None:
    document = movement("SPLIT")
    document["lines"].append({**document["lines"][0], "to_location": "P100-B1"})
    problem = refused(behind.door.act("movement", None, "post", document), 422, "erp-refused")
    assert problem["field"] == "moves.to_location"
    assert shipments(behind.server, "SPLIT") == []


@BOTH
def test_a_line_of_another_plant_is_refused_and_not_booked_for_this_one(behind: Behind) -> None:
    """Tryton buys and makes for one warehouse per document."""
    bought = purchase("MINE")
    assert {row["plant"] for row in good(behind.door.create("purchase_order", bought), 201)["lines"]} == {"P100"}
    strange = bought | {"lines": [bought["lines"][0], bought["lines"][1] | {"plant": "P200"}]}
    count = "select count(*) as n from purchase_purchase"
    before = behind.server.truth(count)
    assert fields_of(refused(behind.door.create("purchase_order", strange), 422, "invalid-document")) == {
        "lines.1.plant"
    }
    made = order("ELSEWHERE")
    made["components"][0]["plant"] = "P200"
    told = refused(behind.door.create("production_order", made), 422, "invalid-document")
    assert fields_of(told) == {"components.0.plant"}
    assert behind.server.truth(count) == before


@BOTH
def test_stock_that_is_not_there_leaves_a_draft_and_says_so(behind: Behind) -> None:
    lot = movement("TOO-MUCH", quantity={"value": "99999.000", "unit": "H87"}, from_location="P100-B1")
    problem = refused(behind.door.act("movement", None, "post", lot), 422, "erp-refused")
    assert "The first 3 step(s) were carried out" in problem["detail"]
    assert 'You can not call "do"' in problem["detail"]
    assert shipments(behind.server, "TOO-MUCH") == ["waiting"]


def lying(server: TrytonServer) -> dict[str, str]:
    """What lies at the places of P100 as its moves add up, under the gateway's words."""
    rows = server.truth(
        """select l.code || '~' || p.code as id, sum(case when m.to_location = l.id then 1 else -1 end * m.internal_quantity)
           from stock_move m join product_product p on p.id = m.product
           join stock_location l on l.id in (m.to_location, m.from_location)
           where m.state = 'done' and l.type = 'storage' and l.code like 'P100-%%'
           group by 1 having sum(case when m.to_location = l.id then 1 else -1 end * m.internal_quantity) <> 0"""
    )
    return {row["id"]: f"{row['sum']:.3f}" for row in rows}


@BOTH
def test_stock_is_listed_at_each_place_of_the_plant_as_its_moves_add_up(behind: Behind) -> None:
    moved = movement("COUNTED", from_location="P100-STO", to_location="P100-B1", item="RM-300")
    moved["lines"][0]["quantity"] = {"value": "1.250", "unit": "KGM"}
    good(behind.door.act("movement", None, "post", moved), 201)
    shown = behind.door.rows("inventory_position", 2, None)
    assert {row["id"]: row["quantity"]["value"] for row in shown} == lying(behind.server)
    assert {row["plant"] for row in shown} == {"P100"}


@BOTH
@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("storage_location eq 'P100-STO' and item eq 'FG-100'", ["P100-STO~FG-100"]),
        ("item eq 'FG-100'", ["P100-STO~FG-100"]),
        ("item eq 'FG-100' and not (storage_location eq 'P100-STO')", []),
        ("storage_location eq 'P200-STO'", []),
        ("item eq 'NO-SUCH' or storage_location eq 'P100-OUT'", []),
    ],
)
def test_stock_is_found_by_item_and_by_place(behind: Behind, where: str, ids: list[str]) -> None:
    assert [row["id"] for row in behind.door.rows("inventory_position", 200, where)] == ids


def bought(door: Door) -> str:
    """A released order of 5 housings and 5 seals."""
    order: str = good(door.create("purchase_order", purchase("BOUGHT")), 201)["id"]
    good(door.act("purchase_order", order, "release"))
    return order


def posted(door: Door, document: Json) -> str:
    key: str = good(door.act("receipt", None, "post", document), 201)["id"]
    return key


@BOTH
def test_what_is_left_of_an_order_comes_with_a_second_receipt(behind: Behind) -> None:
    order = bought(behind.door)
    posted(behind.door, receipt("FIRST", order))
    rest = receipt("SECOND", order, quantity={"value": "2.000", "unit": "H87"})
    seals = {"purchase_order": {"number": order, "line": "20"}, "quantity": {"value": "5.000", "unit": "H87"}}
    rest["lines"].append({**rest["lines"][0], **seals, "item": "0000004711"})
    shown = good(behind.door.read("receipt", posted(behind.door, rest)))
    assert sorted(row["purchase_order"]["line"] for row in shown["lines"]) == ["10", "20"]
    assert {row["purchase_order"]["number"] for row in shown["lines"]} == {order}
    expected = behind.server.truth(
        """select m.state, sum(m.quantity)::int as quantity from stock_move m
           join purchase_line l on m.origin = 'purchase.line,' || l.id where l.purchase = %s::int group by m.state""",
        order,
    )
    assert expected == [{"state": "done", "quantity": 10}]


@BOTH
def test_a_receipt_that_cannot_be_told_from_its_order_is_refused_before_anything_is_written(behind: Behind) -> None:
    order, other = bought(behind.door), bought(behind.door)
    draft = good(behind.door.create("purchase_order", purchase("NOT-RELEASED")), 201)["id"]
    before = behind.server.count("stock_shipment_in")
    twice, mixed = receipt("TWICE", order), receipt("MIXED", order)
    twice["lines"].append(twice["lines"][0])
    mixed["lines"].append(receipt("", other)["lines"][0])
    for document, words in (
        (twice, "Two lines speak of the same line of an order."),
        (mixed, "All lines of a document have the same purchase here."),
        (receipt("EARLY", draft), "no records with purchase.id"),
        (receipt("ELSEWHERE", order, storage_location="P100-A1"), ""),
    ):
        problem = behind.door.act("receipt", None, "post", document)
        assert (problem.status_code, words in problem.text) == (422, True), problem.text
    assert behind.server.count("stock_shipment_in") == before


@BOTH
def test_goods_that_are_only_announced_are_no_receipt_yet(behind: Behind) -> None:
    key = posted(behind.door, receipt("ARRIVED", bought(behind.door)))
    with behind.server.rpc() as rpc:
        rpc("model.stock.shipment.in.copy", [int(key)], {"reference": "ANNOUNCED", "moves": []})
    assert behind.server.truth("select state from stock_shipment_in where reference = 'ANNOUNCED'") == [
        {"state": "draft"}
    ]
    notes = {row["delivery_note"] for row in behind.door.rows("receipt", 200, None)}
    assert ("ARRIVED" in notes, "ANNOUNCED" in notes) == (True, False)


@BOTH
def test_more_than_was_ordered_is_not_received_and_leaves_a_draft_that_is_told_of(behind: Behind) -> None:
    much = receipt("TOO-MUCH", bought(behind.door), quantity={"value": "50.000", "unit": "H87"})
    problem = refused(behind.door.act("receipt", None, "post", much), 422, "erp-refused")
    assert "The first 1 step(s) were carried out" in problem["detail"]
    assert "in addition to" in problem["detail"]
    assert behind.server.truth("select state from stock_shipment_in where reference = 'TOO-MUCH'") == [
        {"state": "draft"}
    ]


@BOTH
def test_work_done_in_tryton_is_shown_as_the_time_it_took_and_work_begun_is_not(behind: Behind) -> None:
    with behind.server.rpc() as rpc:
        done = cycle(rpc, "WORKED", minutes=7.25)
        work, *_ = works(rpc, "BEGUN")
        (begun,) = rpc("model.production.work.cycle.create", [{"work": work}])
    (order_,) = behind.server.truth("select id::text from production where reference = 'WORKED'")
    shown = behind.door.rows("confirmation", 200, f"order eq '{order_['id']}'")
    assert [(row["id"], row["operation"], row["minutes"]) for row in shown] == [(str(done), "10", {"labour": "7.250"})]
    assert shown[0]["work_center"] == "P100 Assemble"
    assert str(begun) not in [row["id"] for row in behind.door.rows("confirmation", 200, None)]
    assert refused(replace(behind.door, plant="P200").read("confirmation", str(done)), 404, "no-such-document")


@BOTH
def test_an_item_taken_out_of_use_is_still_found(behind: Behind) -> None:
    made = behind.door.create("item", {"id": "RETIRED", "name": "Old valve", "type": "goods", "base_unit": "H87"})
    good(made, 201)
    behind.server.truth("update product_template set active = false where code = 'RETIRED' returning id")
    assert good(behind.door.read("item", "RETIRED"))["status"] == "obsolete"


@BOTH
def test_an_old_number_that_tryton_has_no_field_for_is_kept_beside_it(behind: Behind) -> None:
    document = {"id": "BESIDE", "name": "Valve", "type": "goods", "base_unit": "H87", "old_number": "000047"}
    made = behind.door.create("item", document)
    assert good(made, 201)["old_number"] == "000047"
    stamp = "select write_date, name from product_template where code = 'BESIDE'"
    before = behind.server.truth(stamp)
    changed = behind.door.change("item", "BESIDE", {"old_number": "000048"}, made.headers["etag"])
    assert good(changed)["old_number"] == "000048"
    assert behind.server.truth(stamp) == before
    (row,) = [row for row in behind.door.rows("item", 200, None) if row["id"] == "BESIDE"]
    assert (row["old_number"], good(behind.door.read("item", "BESIDE"))["old_number"]) == ("000048", "000048")
    refused(behind.door.change("item", "BESIDE", {"name": "Ball valve"}, made.headers["etag"]), 412, "stale-etag")


@contextmanager
def tryton_gateway(folder: Path, site: Site, name: str, acknowledge: str = "") -> Iterator[RunningGateway]:
    """A gateway of its own before one of the two, with a new connection for every call to it."""
    limits = {"call_timeout_s": 10, "keep_alive_s": 0}
    made = installed(folder, site, "legacy" if name == "tryton-old" else "cloud", limits=limits)
    if acknowledge:
        dialect = "tryton" if name == "tryton-old" else "tryton-rest"
        step = f"{{do: call, name: do, acknowledge: [{acknowledge}]}}"
        made.edit(f"translators/{dialect}/movement.yaml", "{do: call, name: do}", step)
    with made.running() as gateway:
        yield gateway


@BOTH
def test_a_warning_nobody_may_answer_stops_the_write_and_says_where(behind: Behind) -> None:
    answer = behind.door.act("movement", None, "post", movement("FUTURE") | {"posting_date": FUTURE})
    problem = refused(answer, 422, "erp-refused")
    assert "have effective dates in the future" in problem["detail"]
    assert shipments(behind.server, "FUTURE") == ["assigned"]


@BOTH
def test_a_warning_is_answered_with_yes_where_the_step_says_so(
    name: str, behind: Behind, tryton_site: Site, tmp_path: Path
) -> None:
    with tryton_gateway(tmp_path, tryton_site, name, acknowledge="dates in the future") as gateway:
        door = Door(gateway.client(), "P100")
        made = good(door.act("movement", None, "post", movement("FORESEEN") | {"posting_date": FUTURE}), 201)
    assert made["status"] == "posted"
    assert shipments(behind.server, "FORESEEN") == ["done"]


@dataclass(slots=True)
class Proxied:
    """A gateway whose way to one Tryton leads through a proxy, with a new connection for every call."""

    proxy: FaultProxy
    client: httpx.AsyncClient

    async def ordered(self, reference: str) -> httpx.Response:
        return await self.client.post("/api/v2/plants/P100/production-orders", json=order(reference))

    async def changed(self, key: str, etag: str, patch: Json) -> httpx.Response:
        headers = {"If-Match": etag, "Content-Type": MERGE_PATCH}
        return await self.client.patch(f"/api/v2/plants/P100/production-orders/{key}", json=patch, headers=headers)


def through(proxy: FaultProxy, legacy: TrytonServer, cloud: TrytonServer, name: str) -> Site:
    """The site with the proxy before one of its ERPs."""
    old, new = ("", proxy.base_url) if name == "tryton-new" else (proxy.base_url, "")
    return Site(tryton_rpc(legacy, old), tryton_rest(cloud, new), {"P100": None, "P200": None})


@pytest.fixture
async def proxied(
    name: str, behind: Behind, tryton_legacy: TrytonServer, tryton_cloud: TrytonServer, tmp_path: Path
) -> AsyncIterator[Proxied]:
    async with FaultProxy("127.0.0.1", behind.server.port) as proxy:
        site = through(proxy, tryton_legacy, tryton_cloud, name)
        with tryton_gateway(tmp_path, site, name) as gateway:
            headers = {"X-API-Key": gateway.deployment.keys["admin"]}
            async with httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=60) as client:
                yield Proxied(proxy, client)


def ordered(server: TrytonServer, reference: str) -> int:
    return len(server.truth("select id from production where reference = %s", reference))


@BOTH
async def test_a_create_whose_answer_is_lost_and_that_has_a_reference_of_its_own_waits_for_a_person(
    proxied: Proxied, behind: Behind
) -> None:
    """The only field that could hold the gateway's id holds the client's: nothing tells, so nothing is sent again."""
    # The first one logs in and looks the ids up; the next one is a single call.
    assert (await proxied.ordered("ANSWERED")).status_code == 201
    seen = proxied.proxy.connections_seen
    proxied.proxy.rules = [LoseResponse()]
    answer = await proxied.ordered("ANSWER-LOST")
    assert answer.status_code == httpx.codes.ACCEPTED
    shown = (await proxied.client.get(answer.headers["location"])).json()
    assert (shown["state"], shown["legs"][0]["waits_for"]) == ("parked", "a person's decision")
    assert proxied.proxy.connections_seen == seen + 1
    assert b"200 OK" in proxied.proxy.lost_bytes
    assert ordered(behind.server, "ANSWER-LOST") == 1


@pytest.mark.parametrize("name", ["tryton-old"])
async def test_a_change_between_the_gateways_read_and_its_write_is_found_by_trytons_own_lock(
    proxied: Proxied, behind: Behind
) -> None:
    made = await proxied.ordered("RACE")
    key, etag = made.json()["id"], made.headers["etag"]

    # The gateway reads twice, the second time with nobody else's write in the lane: somebody works in the ERP after that.
    seen = proxied.proxy.connections_seen
    proxied.proxy.rules = [Pass(), DelayResponse(2.5), Pass()]
    writing = asyncio.create_task(proxied.changed(key, etag, {"quantity": {"value": "12.000"}}))
    while proxied.proxy.connections_seen < seen + 2:  # noqa: ASYNC110  # the proxy counts, and tells nobody
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    await asyncio.to_thread(_renamed, behind.server, int(key))
    problem = refused(await writing, 412, "stale-etag")
    assert problem["erp_code"] == "ConcurrencyException"
    (row,) = behind.server.truth("select quantity, reference from production where id = %s::int", key)
    assert (row["quantity"], row["reference"]) == (10, "SOMEBODY ELSE")


@BOTH
async def test_a_change_by_another_client_between_the_gateways_read_and_its_write_is_found(
    proxied: Proxied, behind: Behind
) -> None:
    """Tryton's REST interface keeps no lock: the gateway looks again once nobody else's write is under way."""
    made = await proxied.ordered("TWO-CLIENTS")
    key, etag = made.json()["id"], made.headers["etag"]

    proxied.proxy.rules = [DelayResponse(1.5), Pass()]
    slow = asyncio.create_task(proxied.changed(key, etag, {"quantity": {"value": "12.000"}}))
    await asyncio.sleep(0.5)
    assert (await proxied.changed(key, etag, {"quantity": {"value": "11.000"}})).status_code == httpx.codes.OK
    refused(await slow, 412, "stale-etag")
    (row,) = behind.server.truth("select quantity from production where id = %s::int", key)
    assert row["quantity"] == 11


def _renamed(server: TrytonServer, key: int) -> None:
    with server.rpc() as rpc:
        rpc("model.production.write", [key], {"reference": "SOMEBODY ELSE"})
