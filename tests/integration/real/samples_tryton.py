"""What the contract suite sends to Tryton, and what Tryton's database must then hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import httpx

from tests.support.erp_contract import Door, Json, Lack, Lacks, Sample, good
from tests.support.tryton import TrytonRpc, TrytonServer

NO_PLANT_SEGMENT = "Tryton plans by rules of an item and a place, in a module of its own: an item has no plants"
ONLY_TIME = "a work cycle says how long an operation took, and nothing of what came out of it"
LACKS: Lacks = {
    ("item_plant", "*"): Lack(NO_PLANT_SEGMENT),
    ("confirmation", "create"): Lack(ONLY_TIME),
    ("confirmation", "refuse"): Lack(ONLY_TIME),
}
CHANGEABLE = {"items": ["name", "list_price"]}
"""What an operator with Tryton behind a plant lets clients change, beside what version 2 ships with: SAP keeps names in rows of
their own, which no change of an item reaches, and no list price."""


def order(tag: str, **more: Any) -> Json:
    """Days of the plant: Tryton plans by the day."""
    document: Json = {
        "reference": tag,
        "item": "FG-100",
        "quantity": {"value": "10.000", "unit": "H87"},
        "planned": {"start": "2026-11-30T23:00:00Z", "end": "2026-12-01T23:00:00Z"},
        "components": [
            {
                "line": "1",
                "item": "RM-200",
                "quantity": {"value": "20.000", "unit": "H87"},
                "storage_location": "P100-A1",
            },
            {
                "line": "2",
                "item": "RM-300",
                "quantity": {"value": "5.250", "unit": "KGM"},
                "storage_location": "P100-STO",
            },
        ],
    }
    return document | more


def purchase(tag: str, item: str = "RM-200") -> Json:
    line = {"line": "10", "item": item, "plant": "P100", "description": "Housing", "due_on": "2026-12-24"}
    amounts = {"quantity": {"value": "5.000", "unit": "H87"}, "price": {"amount": "2.5000", "per": "1"}}
    head = {"reference": tag, "supplier": "S-1000", "currency": "USD", "ordered_on": "2026-11-20"}
    return {**head, "lines": [{**line, **amounts}, {**line, **amounts, "line": "20", "item": "0000004711"}]}


def movement(tag: str, **more: Any) -> Json:
    line = {"type": "transfer", "item": "RM-200", "plant": "P100", "quantity": {"value": "5.000", "unit": "H87"}}
    places = {"from_location": "P100-STO", "to_location": "P100-A1"}
    return {"reference": tag, "posting_date": "2026-11-20", "lines": [{**line, **places, **more}]}


def receipt(tag: str, order: str = "", **more: Any) -> Json:
    """One line of an order; the tag is at its end, as delivery notes are short."""
    line = {"purchase_order": {"number": order, "line": "10"}, "item": "RM-200", "plant": "P100"}
    amount = {"quantity": {"value": "3.000", "unit": "H87"}}
    return {"delivery_note": tag[-16:], "posting_date": "2026-11-20", "lines": [{**line, **amount, **more}]}


def receive(door: Door, object_: str, document: Json) -> httpx.Response:
    """Post a receipt for an order of its own, where it names none."""
    order = document["lines"][0]["purchase_order"]
    if not order["number"]:
        order["number"] = good(door.create("purchase_order", purchase("BOUGHT")), 201)["id"]
        good(door.act("purchase_order", order["number"], "release"))
    return door.act(object_, None, "post", document)


def confirmation(tag: str) -> Json:
    """Of an order that does not say how it is made: it has no operations, and in Tryton nothing could be confirmed of it."""
    return {"operation": "10", "quantity": {"value": "9.000", "unit": "H87"}, "minutes": {"labour": "90.000"}}


def confirm(door: Door, object_: str, document: Json) -> httpx.Response:
    """Confirm an operation of a new order."""
    number = good(door.create("production_order", order("TO-CONFIRM")), 201)["id"]
    return door.act("production_order", number, "confirm", document)


def worked(server: TrytonServer) -> Callable[[Door, str], httpx.Response]:
    """How people confirm work in the ERP: a cycle of an operation is begun, its time written down, and it is done."""

    def work(door: Door, tag: str) -> httpx.Response:
        with server.rpc() as rpc:
            made = cycle(rpc, tag)
        return httpx.Response(httpx.codes.CREATED, json=good(door.read("confirmation", str(made))))

    return work


def cycle(rpc: TrytonRpc, tag: str, minutes: float = 90) -> int:
    """A cycle of operation 10 of a new order, done."""
    work, *_ = works(rpc, tag)
    (made,) = rpc("model.production.work.cycle.create", [{"work": work}])
    rpc("model.production.work.cycle.run", [made])
    rpc("model.production.work.cycle.write", [made], {"duration": {"__class__": "timedelta", "seconds": minutes * 60}})
    rpc("model.production.work.cycle.do", [made])
    return int(made)


def works(rpc: TrytonRpc, tag: str) -> list[int]:
    """The operations of a new order that waits to be made by its routing."""

    def found(model: str, field: str, value: str) -> int:
        return int(rpc(f"model.{model}.search", [[field, "=", value]], 0, 1, None)[0])

    plant = {
        "warehouse": found("stock.location", "code", "P100"),
        "location": found("stock.location", "code", "P100-PROD"),
    }
    routing = {
        "bom": found("production.bom", "code", "BOM-FG-100"),
        "routing": found("production.routing", "name", "Gear pump"),
    }
    what = {
        "product": found("product.product", "code", "FG-100"),
        "unit": found("product.uom", "symbol", "u"),
        "quantity": 10,
    }
    line = {"work_center": found("production.work.center", "name", "P100 line"), "reference": tag}
    day = {"planned_start_date": {"__class__": "date", "year": 2026, "month": 12, "day": 1}}
    (made,) = rpc("model.production.create", [{**plant, **routing, **what, **line, **day, "company": 1}])
    rpc("model.production.wait", [made])
    return list(rpc("model.production.work.search", [["production", "=", made]], 0, None, [["sequence", "ASC"]]))


def item(tag: str) -> Json:
    amounts = {"base_unit": "H87", "list_price": {"amount": "12.5000"}}
    return {"id": tag, "name": f"Valve {tag}", "type": "goods", "status": "active", **amounts}


def _twice(door: Door, sample: Sample) -> Any:
    return door.create("item", sample.new("FG-100"))


SAMPLES: Mapping[str, Sample] = {
    "production_order": Sample(
        order,
        held=lambda d: {"reference": d["reference"], "quantity": Decimal(d["quantity"]["value"]), "state": "draft",
                        "item": "FG-100", "comes_out": Decimal(d["quantity"]["value"]), "outputs": 1, "inputs": 2,
                        "plant": "P100"},
        lost={"components.0.line": "the ERP numbers the parts", "components.1.line": "the ERP numbers the parts"},
        where=lambda d: "item eq 'FG-100' and status eq 'created'",
        patch={"quantity": {"value": "12.000"}},
        bad=lambda door, s: door.create("production_order", order("BAD", quantity={"value": "5.500", "unit": "H87"})),
        says=(422, "The number of digits in the value"),
        act=("release", {"status": "released"}),
        acted={"state": "waiting"},
    ),
    "item": Sample(
        item,
        held=lambda d: {"name": d["name"], "price": Decimal(d["list_price"]["amount"]), "active": True, "products": 1},
        where=lambda d: "type eq 'goods'",
        patch={"name": "Valve, changed"},
        bad=_twice,
        says=(422, "Code of active product must be unique."),
        unknown="NO-SUCH-ITEM",
    ),
    "movement": Sample(
        movement,
        held=lambda d: {"reference": d["reference"], "state": "done", "moved": Decimal(5), "to": "P100-A1"},
        send=lambda door, object_, document: door.act(object_, None, "post", document),
        bad=lambda door, s: door.act("movement", None, "post", movement("BAD", to_location="P100-STO")),
        says=(422, "must be different"),
    ),
    "confirmation": Sample(confirmation, send=confirm),
    "inventory_position": Sample(),
    "receipt": Sample(
        receipt,
        held=lambda d: {"reference": d["delivery_note"], "state": "done", "came": Decimal(3), "lies_at": "P100-STO",
                        "supplier": "S-1000", "of": "10", "still_expected": Decimal(2)},
        send=receive,
        bad=lambda door, s: receive(door, "receipt", receipt("BAD", item="RM-300")),
        says=(422, "no records with"),
    ),
    "purchase_order": Sample(
        purchase,
        held=lambda d: {"reference": d["reference"], "state": "draft", "supplier": "S-1000", "lines": 2,
                        "amount": Decimal(25)},
        where=lambda d: "supplier eq 'S-1000'",
        patch={"reference": "CHANGED"},
        bad=lambda door, s: door.create("purchase_order", purchase("BAD", item="FG-100")),
        says=(422, "is not valid according to its domain"),
        act=("release", {"status": "released"}),
        acted={"state": "processing"},
    ),
}  # fmt: skip


def samples_at(server: TrytonServer) -> dict[str, Sample]:
    """The samples, with what only people make in this ERP."""
    return {**SAMPLES, "confirmation": replace(SAMPLES["confirmation"], fill=worked(server))}


TABLES = {
    "production_order": "production",
    "item": "product_template",
    "movement": "stock_shipment_internal",
    "purchase_order": "purchase_purchase",
    "receipt": "stock_shipment_in",
}
HELD = {
    "production_order": """
        select p.reference, p.quantity::numeric, p.state, i.code as item, w.code as plant,
               (select sum(quantity)::numeric from stock_move where production_output = p.id) as comes_out,
               (select count(*) from stock_move where production_output = p.id) as outputs,
               (select count(*) from stock_move where production_input = p.id) as inputs
        from production p join product_product i on i.id = p.product join stock_location w on w.id = p.warehouse
        where p.id = %s::int""",
    "item": """
        select t.name, (select list_price from product_list_price where template = t.id) as price, t.active,
               (select count(*) from product_product where template = t.id) as products
        from product_template t where t.code = %s""",
    "movement": """
        select s.reference, s.state, sum(m.quantity)::numeric as moved, max(l.code) as to
        from stock_shipment_internal s join stock_move m on m.shipment = 'stock.shipment.internal,' || s.id
        join stock_location l on l.id = m.to_location
        where s.id = %s::int group by s.reference, s.state""",
    "receipt": """
        select s.reference, s.state, p.code as supplier, l.sequence::text as of, c.quantity::numeric as came, at.code as lies_at,
               (select sum(e.quantity)::numeric from stock_move e where e.origin = c.origin and e.state = 'draft')
                   as still_expected
        from stock_shipment_in s join stock_move c on c.shipment = 'stock.shipment.in,' || s.id
        join purchase_line l on c.origin = 'purchase.line,' || l.id join party_party p on p.id = s.supplier
        join stock_move put on put.origin = 'stock.move,' || c.id and put.state = 'done' join stock_location at on at.id = put.to_location
        where s.id = %s::int""",
    "purchase_order": """
        select o.reference, o.state, p.code as supplier, count(*) as lines, sum(l.quantity * l.unit_price)::numeric as amount
        from purchase_purchase o join purchase_line l on l.purchase = o.id join party_party p on p.id = o.party
        where o.id = %s::int group by o.reference, o.state, p.code""",
}


@dataclass(frozen=True, slots=True)
class TrytonTruth:
    """Tryton's database."""

    server: TrytonServer

    def rows(self, object_: str) -> int:
        return self.server.count(TABLES[object_])

    def held(self, object_: str, key: str) -> Mapping[str, Any]:
        (row,) = self.server.truth(HELD[object_], key)
        return row
