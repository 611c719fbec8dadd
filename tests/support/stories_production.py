"""The life of production orders, confirmations and items in Tryton, step by step, for both of its interfaces."""

from __future__ import annotations

from tests.support.record_tryton import Ids, JsonRpc, Rest, Story, Values, Wire, date, decimal

PRODUCTION = "production"
PRODUCTION_FIELDS = [
    "number",
    "reference",
    "state",
    "type",
    "quantity",
    "unit.symbol",
    "product.code",
    "warehouse.code",
    "location.code",
    "planned_start_date",
    "planned_date",
    "effective_start_date",
    "effective_date",
    "bom.code",
    "routing.name",
    "inputs.product.code",
    "inputs.quantity",
    "inputs.unit.symbol",
    "inputs.state",
    "inputs.from_location.code",
    "outputs.product.code",
    "outputs.quantity",
    "outputs.unit.symbol",
    "outputs.state",
    "outputs.to_location.code",
    "works.sequence",
    "works.operation.name",
    "works.work_center.name",
    "works.state",
    "create_date",
    "write_date",
    "_timestamp",
]
CYCLE = "production.work.cycle"
CYCLE_FIELDS = [
    "state",
    "duration",
    "cost",
    "work.state",
    "work.sequence",
    "work.operation.name",
    "work.work_center.name",
    "work.production.number",
    "work.production.reference",
    "create_date",
    "write_date",
    "_timestamp",
]
TEMPLATE = "product.template"
TEMPLATE_FIELDS = [
    "code",
    "name",
    "type",
    "default_uom.symbol",
    "list_price",
    "purchasable",
    "producible",
    "active",
    "account_category.name",
    "products.code",
    "products.cost_price",
    "products.active",
    "create_date",
    "write_date",
    "_timestamp",
]
ITEM_FIELDS = ["code", "name", "type", "default_uom.symbol", "list_price", "cost_price", "template.code", "active"]
MISSING_ID = 999_999


def production_order(wire: Wire, ids: Ids) -> None:
    wire.find(
        "find_plant",
        "stock.location",
        [["code", "=", "P100"], ["type", "=", "warehouse"]],
        ["code", "production_location.code", "storage_location.code"],
    )
    wire.find(
        "find_item",
        "product.product",
        [["code", "=", "FG-100"]],
        ["code", "default_uom.symbol", "boms.bom.code", "boms.routing.name"],
    )
    wire.find(
        "find_bom",
        "production.bom",
        [["code", "=", "BOM-FG-100"]],
        [
            "code",
            "inputs.product.code",
            "inputs.quantity",
            "inputs.unit.symbol",
            "outputs.product.code",
            "outputs.quantity",
        ],
    )
    if isinstance(wire, JsonRpc):
        explode_bom(wire, ids)
    wire.create("create_least", PRODUCTION, least_production(ids), PRODUCTION_FIELDS)
    made = wire.create("create", PRODUCTION, production_values(ids, "MES-0001"), PRODUCTION_FIELDS)
    wire.find("find_by_reference", PRODUCTION, [["reference", "=", "MES-0001"]], ["number", "reference", "state"])
    stale = wire.read("read", PRODUCTION, made, PRODUCTION_FIELDS)["_timestamp"]
    wire.write("write", PRODUCTION, made, {"planned_start_date": date(2026, 12, 2)}, PRODUCTION_FIELDS)
    wire.write(
        "write_stale",
        PRODUCTION,
        made,
        {"planned_start_date": date(2026, 12, 3)},
        PRODUCTION_FIELDS,
        _timestamp={f"{PRODUCTION},{made}": stale},
    )
    wire.act("do_too_early", PRODUCTION, made, "do", PRODUCTION_FIELDS)
    for action in ("wait", "assign_try", "run"):
        wire.act(action, PRODUCTION, made, action, PRODUCTION_FIELDS)
    wire.write("write_locked_field", PRODUCTION, made, {"quantity": 99}, ["quantity"])
    wire.act("do_unfinished", PRODUCTION, made, "do", PRODUCTION_FIELDS)
    production_refusals(wire, ids)


def explode_bom(rpc: JsonRpc, ids: Ids) -> None:
    """What the ERP would need as inputs and outputs: only a question, nothing is stored."""
    values = {**production_values(ids, "MES-0000"), "inputs": [], "outputs": [], "id": -1}
    rpc.call("explode_bom", f"{PRODUCTION}.on_change", values, ["quantity"])


def least_production(ids: Ids) -> Values:
    return {
        "product": ids.item("FG-100"),
        "quantity": 1,
        "warehouse": ids.place("P100"),
        "location": ids.place("P100-PROD"),
        "company": 1,
    }


def production_values(ids: Ids, reference: str) -> Values:
    output = {
        **ids.move("FG-100", "u", 10, "P100-PROD", "P100-STO"),
        "unit_price": decimal("20"),
        "currency": ids.currency("USD"),
    }
    inputs = [
        ids.move("RM-200", "u", 20, "P100-STO", "P100-PROD"),
        ids.move("RM-300", "kg", 5, "P100-STO", "P100-PROD"),
    ]
    return {
        **least_production(ids),
        "reference": reference,
        "quantity": 10,
        "unit": ids.unit("u"),
        "bom": ids.bom("BOM-FG-100"),
        "routing": ids.named("production_routing", "Gear pump"),
        "work_center": ids.named("production_work_center", "P100 line"),
        "planned_start_date": date(2026, 12, 1),
        "inputs": [["create", inputs]],
        "outputs": [["create", [output]]],
    }


def production_refusals(wire: Wire, ids: Ids) -> None:
    no_place = least_production(ids)
    del no_place["location"]
    wire.create("refused_without_location", PRODUCTION, no_place, ["number"])
    wire.create("refused_unknown_item", PRODUCTION, {**least_production(ids), "product": MISSING_ID}, ["number"])
    wire.create("refused_unknown_field", PRODUCTION, {**least_production(ids), "colour": "red"}, ["number"])
    wire.read("read_missing", PRODUCTION, MISSING_ID, ["number"])
    wire.read("read_unknown_field", PRODUCTION, 1, ["colour"])
    wire.find(
        "list",
        PRODUCTION,
        [["warehouse.code", "=", "P100"]],
        PRODUCTION_FIELDS[:6],
        order=[["id", "DESC"]],
        offset=0,
        limit=1,
    )
    wire.find(
        "list_second_page",
        PRODUCTION,
        [["warehouse.code", "=", "P100"]],
        PRODUCTION_FIELDS[:6],
        order=[["id", "DESC"]],
        offset=1,
        limit=1,
    )
    if isinstance(wire, Rest):
        wire.call("read_wrong_path", "GET", "no.such.model", [])


def confirmation(wire: Wire, ids: Ids) -> None:
    """Reporting what was done: the operations' cycles, then the yield, then the end of the order."""
    made = wire.create("order_create", PRODUCTION, production_values(ids, "MES-0002"), ["number"])
    for action in ("wait", "assign_try", "run"):
        wire.act(f"order_{action}", PRODUCTION, made, action, ["state", "works.sequence", "outputs.quantity"])
    order = wire.read("order_read", PRODUCTION, made, ["works.sequence", "outputs.quantity"])
    works = order.get("works.") or order.get("works")
    for work in sorted(works, key=lambda row: int(row["sequence"])):
        confirm_operation(wire, int(work["id"]), f"op{work['sequence']}")
    wire.find("list", CYCLE, [["work.production.reference", "=", "MES-0002"]], CYCLE_FIELDS, order=[["id", "ASC"]])
    outputs = order.get("outputs.") or order.get("outputs")
    less = {"outputs": [["write", [outputs[0]["id"]], {"quantity": 9}]]}
    wire.write("order_yield", PRODUCTION, made, less, ["quantity", "outputs.quantity"])
    wire.act("order_do", PRODUCTION, made, "do", PRODUCTION_FIELDS)


def confirm_operation(wire: Wire, work: int, name: str) -> None:
    cycle = wire.create(f"{name}_create", CYCLE, {"work": work}, CYCLE_FIELDS)
    wire.act(f"{name}_run", CYCLE, cycle, "run", CYCLE_FIELDS)
    duration = {"duration": {"__class__": "timedelta", "seconds": 5400}}
    wire.write(f"{name}_write_duration", CYCLE, cycle, duration, CYCLE_FIELDS)
    wire.act(f"{name}_do", CYCLE, cycle, "do", CYCLE_FIELDS)
    wire.act(f"{name}_do_again", CYCLE, cycle, "do", CYCLE_FIELDS)


def item(wire: Wire, ids: Ids) -> None:
    wire.find("find_by_code", "product.product", [["code", "=", "0000004711"]], ITEM_FIELDS)
    wire.find("find_template", TEMPLATE, [["code", "=", "FG-100"]], TEMPLATE_FIELDS)
    wire.find("list", TEMPLATE, [["type", "=", "goods"]], TEMPLATE_FIELDS, order=[["code", "ASC"]], offset=0, limit=2)
    wire.find("find_unit", "product.uom", [["symbol", "=", "kg"]], ["symbol", "name", "category.name", "digits"])
    values = {
        "code": "RM-500",
        "name": "Impeller",
        "type": "goods",
        "default_uom": ids.unit("u"),
        "purchasable": True,
        "purchase_uom": ids.unit("u"),
        "list_price": decimal("3.00"),
        "products": [["create", [{"cost_price": decimal("1.5")}]]],
    }
    made = wire.create("create", TEMPLATE, values, TEMPLATE_FIELDS)
    wire.create("create_duplicate_code", TEMPLATE, values, TEMPLATE_FIELDS)
    wire.create("create_without_unit", TEMPLATE, {"code": "RM-501", "name": "Shaft"}, TEMPLATE_FIELDS)
    wire.create("create_without_name", TEMPLATE, {"code": "RM-502", "default_uom": ids.unit("kg")}, TEMPLATE_FIELDS)
    least = {"code": "RM-503", "name": "Shaft", "default_uom": ids.unit("kg")}
    wire.create("create_least", TEMPLATE, least, TEMPLATE_FIELDS)
    sold = {**least, "code": "RM-504", "purchasable": True}
    wire.create("create_purchasable_without_purchase_unit", TEMPLATE, sold, TEMPLATE_FIELDS)
    wire.write("write", TEMPLATE, made, {"name": "Impeller, bronze", "list_price": decimal("3.50")}, TEMPLATE_FIELDS)
    wire.write("write_unit_of_used_item", TEMPLATE, ids.template("FG-100"), {"default_uom": ids.unit("kg")}, ["code"])
    wire.write("deactivate", TEMPLATE, made, {"active": False}, TEMPLATE_FIELDS)
    wire.find("find_inactive", TEMPLATE, [["code", "=", "RM-500"], ["active", "in", [True, False]]], TEMPLATE_FIELDS)


PRODUCTION_STORIES: dict[str, Story] = {
    "production_order": production_order,
    "confirmation": confirmation,
    "item": item,
}
