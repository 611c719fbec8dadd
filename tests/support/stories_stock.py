"""The life of movements, purchase orders, receipts and stock in Tryton, step by step, for both of its interfaces."""

from __future__ import annotations

from tests.support.record_tryton import Ids, JsonRpc, Story, Values, Wire, date, decimal

TRANSFER = "stock.shipment.internal"
TRANSFER_FIELDS = [
    "number",
    "reference",
    "state",
    "planned_start_date",
    "planned_date",
    "effective_start_date",
    "effective_date",
    "from_location.code",
    "to_location.code",
    "transit_location.name",
    "moves.product.code",
    "moves.quantity",
    "moves.unit.symbol",
    "moves.state",
    "moves.from_location.code",
    "moves.to_location.code",
    "create_date",
    "write_date",
    "_timestamp",
]
MOVE = "stock.move"
MOVE_FIELDS = [
    "product.code",
    "quantity",
    "unit.symbol",
    "from_location.code",
    "to_location.code",
    "state",
    "planned_date",
    "effective_date",
    "unit_price",
    "currency.code",
    "origin",
    "shipment",
    "create_date",
    "write_date",
    "_timestamp",
]
ORDER = "purchase.purchase"
ORDER_FIELDS = [
    "number",
    "reference",
    "state",
    "party.code",
    "currency.code",
    "warehouse.code",
    "purchase_date",
    "invoice_address",
    "total_amount",
    "shipment_state",
    "invoice_state",
    "lines.sequence",
    "lines.product.code",
    "lines.quantity",
    "lines.unit.symbol",
    "lines.unit_price",
    "lines.amount",
    "lines.delivery_date",
    "create_date",
    "write_date",
    "_timestamp",
]
RECEIPT = "stock.shipment.in"
RECEIPT_FIELDS = [
    "number",
    "reference",
    "state",
    "supplier.code",
    "warehouse.code",
    "effective_date",
    "incoming_moves.product.code",
    "incoming_moves.quantity",
    "incoming_moves.unit.symbol",
    "incoming_moves.state",
    "incoming_moves.purchase.id",
    "incoming_moves.to_location.code",
    "inventory_moves.product.code",
    "inventory_moves.quantity",
    "inventory_moves.state",
    "inventory_moves.to_location.code",
    "create_date",
    "write_date",
    "_timestamp",
]


def movement(wire: Wire, ids: Ids) -> None:
    """A transfer inside a plant, one between plants, one that cannot be covered, and a correction."""
    wire.find(
        "find_places", "stock.location", [["parent", "child_of", [ids.place("P100")]]], ["code", "type", "parent.code"]
    )
    inside = transfer(ids, "WMS-0001", "P100-STO", "P100-A1", 7)
    made = wire.create("create", TRANSFER, inside, TRANSFER_FIELDS)
    for action in ("wait", "assign_try", "do"):
        wire.act(action, TRANSFER, made, action, TRANSFER_FIELDS)
    wire.act("do_again", TRANSFER, made, "do", TRANSFER_FIELDS)
    wire.find("find_by_reference", TRANSFER, [["reference", "=", "WMS-0001"]], TRANSFER_FIELDS)
    away = transfer(ids, "WMS-0002", "P100-STO", "P200-STO", 3)
    between = wire.create("between_create", TRANSFER, away, TRANSFER_FIELDS)
    for action in ("wait", "assign_try", "pack", "ship", "do"):
        wire.act(f"between_{action}", TRANSFER, between, action, TRANSFER_FIELDS)
    too_much = transfer(ids, "WMS-0003", "P100-A1", "P100-STO", 5000)
    short = wire.create("short_create", TRANSFER, too_much, TRANSFER_FIELDS)
    for action in ("wait", "assign_try"):
        wire.act(f"short_{action}", TRANSFER, short, action, TRANSFER_FIELDS)
    corrections(wire, ids)


def transfer(ids: Ids, reference: str, start: str, end: str, quantity: float) -> Values:
    moves = [ids.move("RM-200", "u", quantity, start, end)]
    return {
        "reference": reference,
        "company": 1,
        "from_location": ids.place(start),
        "to_location": ids.place(end),
        "moves": [["create", moves]],
    }


def corrections(wire: Wire, ids: Ids) -> None:
    """Single moves: found stock is booked at once; a receipt without an order needs an acknowledged warning."""
    found = wire.create("found_create", MOVE, ids.move("RM-200", "u", 1, "P100-LOST", "P100-STO"), MOVE_FIELDS)
    wire.act("found_do", MOVE, found, "do", MOVE_FIELDS)
    bought = {
        **ids.move("RM-200", "u", 4, "SUP", "P100-STO"),
        "unit_price": decimal("5"),
        "currency": ids.currency("USD"),
        "effective_date": date(2026, 11, 2),
    }
    receipt = wire.create("unordered_create", MOVE, bought, MOVE_FIELDS)
    wire.act("unordered_do_warned", MOVE, receipt, "do", MOVE_FIELDS)
    acknowledge_and_do(wire, receipt)
    taken = wire.create("taken_create", MOVE, ids.move("RM-200", "u", 1, "P100-STO", "P100-LOST"), MOVE_FIELDS)
    wire.act("taken_do_unassigned", MOVE, taken, "do", MOVE_FIELDS)
    wire.create("refused_same_place", MOVE, ids.move("RM-200", "u", 1, "P100-STO", "P100-STO"), MOVE_FIELDS)
    wire.create("refused_fraction", MOVE, ids.move("RM-200", "u", 1.5, "P100-STO", "P100-A1"), MOVE_FIELDS)


def acknowledge_and_do(wire: Wire, move: int) -> None:
    if isinstance(wire, JsonRpc):
        # The warning's name is a hash over the records, and comes with the warning.
        name = wire.last()["error"][1][0]
        wire.call("unordered_acknowledge", "res.user.warning.skip", name, False)
        wire.act("unordered_do", MOVE, move, "do", MOVE_FIELDS)
    else:
        wire.act("unordered_do", MOVE, move, "do", MOVE_FIELDS, _skip_warnings=True)


def purchase_order(wire: Wire, ids: Ids) -> None:
    wire.find(
        "find_supplier",
        "party.party",
        [["code", "=", "S-1000"]],
        ["code", "name", "addresses.invoice", "addresses.city"],
    )
    wire.find("find_currency", "currency.currency", [["code", "=", "USD"]], ["code", "digits"])
    wire.create("create_least", ORDER, {"party": ids.party("S-1000"), "company": 1}, ORDER_FIELDS)
    made = wire.create("create", ORDER, purchase_values(ids, "PLAN-0001"), ORDER_FIELDS)
    wire.find("find_by_reference", ORDER, [["reference", "=", "PLAN-0001"]], ORDER_FIELDS)
    first = ids.order_line(made)
    another = purchase_line(ids, 30, "0000004711", {"quantity": 100, "unit": ids.unit("u")}, "0.1250")
    change = {"lines": [["write", [first], {"quantity": 12}], ["create", [another]]]}
    wire.write("write_lines", ORDER, made, change, ORDER_FIELDS)
    wire.act("quote", ORDER, made, "quote", ORDER_FIELDS)
    wire.write("write_locked_field", ORDER, made, {"warehouse": ids.place("P200")}, ["warehouse.code"])
    wire.act("draft", ORDER, made, "draft", ORDER_FIELDS)
    wire.act("quote_again", ORDER, made, "quote", ORDER_FIELDS)
    wire.act("confirm", ORDER, made, "confirm", ORDER_FIELDS)
    wire.read("read_after_confirm", ORDER, made, ORDER_FIELDS)
    wire.find(
        "list", ORDER, [["warehouse.code", "=", "P100"]], ORDER_FIELDS[:6], order=[["id", "DESC"]], offset=0, limit=1
    )
    wire.create("refused_without_supplier", ORDER, {"company": 1}, ORDER_FIELDS)
    no_address = {**purchase_values(ids, "PLAN-0002"), "invoice_address": None}
    other = wire.create("no_address_create", ORDER, no_address, ["number"])
    for action in ("quote", "confirm"):
        wire.act(f"no_address_{action}", ORDER, other, action, ["state"])
    wire.act("no_address_cancel", ORDER, other, "cancel", ["state"])


def purchase_values(ids: Ids, reference: str) -> Values:
    lines = [
        purchase_line(ids, 10, "RM-200", {"quantity": 10, "unit": ids.unit("u")}, "5.25"),
        purchase_line(ids, 20, "RM-300", {"quantity": 4.5, "unit": ids.unit("kg")}, "2"),
    ]
    return {
        "party": ids.party("S-1000"),
        "company": 1,
        "currency": ids.currency("USD"),
        "reference": reference,
        "warehouse": ids.place("P100"),
        "invoice_address": ids.address("S-1000"),
        "purchase_date": date(2026, 11, 20),
        "lines": [["create", lines]],
    }


def purchase_line(ids: Ids, sequence: int, code: str, amount: Values, price: str) -> Values:
    return {
        "sequence": sequence,
        "product": ids.item(code),
        **amount,
        "unit_price": decimal(price),
        "delivery_date_edit": True,
        "delivery_date_store": date(2026, 12, 10),
    }


def receipt_fields(wire: Wire) -> list[str]:
    """JSON-RPC follows a move to the line it comes from; REST cannot, and is asked for all lines of its order."""
    if isinstance(wire, JsonRpc):
        return [*RECEIPT_FIELDS, "incoming_moves.origin.sequence"]
    return [*RECEIPT_FIELDS, "incoming_moves.origin", "incoming_moves.purchase.lines.sequence"]


def receipt(wire: Wire, ids: Ids) -> None:
    """An order, then less than all of it arrives."""
    fields = receipt_fields(wire)
    order = wire.create("order_create", ORDER, purchase_values(ids, "PLAN-0003"), ["number"])
    for action in ("quote", "confirm"):
        wire.act(f"order_{action}", ORDER, order, action, ["state", "shipment_state"])
    expected = wire.find(
        "find_expected",
        MOVE,
        [["origin.purchase.reference", "=", "PLAN-0003", "purchase.line"]],
        MOVE_FIELDS,
        order=[["id", "ASC"]],
    )
    moves = [int(move["id"]) for move in expected]
    values = {
        "supplier": ids.party("S-1000"),
        "company": 1,
        "warehouse": ids.place("P100"),
        "reference": "DN-0001",
        "warehouse_input": ids.place("P100-IN"),
        "warehouse_storage": ids.place("P100-STO"),
        "incoming_moves": [["add", moves[:1]]],
    }
    made = wire.create("create", RECEIPT, values, fields)
    less = {"incoming_moves": [["write", moves[:1], {"quantity": 6}]]}
    wire.write("write_quantity", RECEIPT, made, less, fields)
    for action in ("receive", "do"):
        wire.act(action, RECEIPT, made, action, fields)
    wire.act("receive_again", RECEIPT, made, "receive", fields)
    wire.find("find_by_reference", RECEIPT, [["reference", "=", "DN-0001"]], fields)
    wire.read("order_afterwards", ORDER, order, ["state", "shipment_state", "moves"])
    wire.create("refused_without_input", RECEIPT, {**values, "warehouse_input": None}, ["number"])


def inventory_position(wire: Wire, ids: Ids) -> None:
    """On hand: one item in all places of a plant, or some items in one place; then a count that corrects it."""
    places = [["parent", "child_of", [ids.place("P100")]]]
    wire.find("item_in_all_places", "stock.location", places, ["code", "quantity"], product=ids.item("RM-200"))
    wire.find(
        "items_in_one_place",
        "product.product",
        [["code", "in", ["RM-200", "RM-300"]]],
        ["code", "quantity", "default_uom.symbol"],
        locations=[ids.place("P100-STO")],
    )
    wire.find(
        "items_on_a_day",
        "product.product",
        [["code", "in", ["RM-200", "RM-300"]]],
        ["code", "quantity"],
        locations=[ids.place("P100-STO")],
        stock_date_end=date(2026, 1, 1),
    )
    count = {
        "location": ids.place("P100-STO"),
        "company": 1,
        "lines": [["create", [{"product": ids.item("RM-300"), "quantity": 499.5}]]],
    }
    fields = [
        "number",
        "state",
        "location.code",
        "date",
        "lines.product.code",
        "lines.quantity",
        "lines.expected_quantity",
    ]
    made = wire.create("count_create", "stock.inventory", count, fields)
    wire.act("count_confirm", "stock.inventory", made, "confirm", fields)


STOCK_STORIES: dict[str, Story] = {
    "movement": movement,
    "purchase_order": purchase_order,
    "receipt": receipt,
    "inventory_position": inventory_position,
}
