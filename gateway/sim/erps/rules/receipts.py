"""D365's product receipts: somebody posts what came in of a confirmed purchase order."""

from __future__ import annotations

from gateway.sim.erps.declare import Key, Row
from gateway.sim.erps.ledger import Unit
from gateway.sim.erps.refusal import business
from gateway.sim.erps.rules.business import Business, Draft, amount, fill, inherit, put, whole
from gateway.sim.erps.rules.movements import change_stock


def post(b: Business, unit: Unit, draft: Draft) -> Key:
    """What the lines name, or all that the order still expects."""
    header = b.drafted(draft)
    order_key = b.document_key(header, header["purchase"])
    if b.ledger.get("purchase", order_key) is None:
        raise business("PUR/1", f"Purchase order {header['purchase']} does not exist", "PurchaseOrderNumber")
    order = b.row("purchase", order_key)
    if order["unreleased"]:
        raise business("PUR/2", f"Purchase order {header['purchase']} is not confirmed", "PurchaseOrderNumber")
    b.check_unlocked("purchase", order_key)
    fill(header, received_at=unit.now)
    put(header, record=int(b.ledger.next_number("record")), supplier=order["supplier"])
    key = unit.insert("receipt", header)
    for number, (item, child) in enumerate(_expected(b, order_key, draft), start=1):
        _line(b, unit, header, item, child, number)
    rows = b.ledger.children("purchase_item", order_key)
    if all(amount(row["received"]) >= amount(row["qty"]) for row in rows):
        unit.update("purchase", order_key, b.touched(unit, {"status": "Received"}), origin="derived")
    return key


def _expected(b: Business, order_key: Key, draft: Draft) -> list[tuple[Row, Row]]:
    items = {whole(row["line_no"]): row for row in b.ledger.children("purchase_item", order_key)}
    if not draft.children:
        return [(row, {"qty": amount(row["qty"]) - amount(row["received"])}) for row in items.values()]
    asked = [(whole(child.values.get("purchase_line")), child.values) for child in draft.children]
    if unknown := [number for number, _ in asked if number not in items]:
        raise business("PUR/3", f"The purchase order has no line {unknown[0]}", "PurchaseOrderLineNumber")
    return [(items[number], values) for number, values in asked]


def _line(b: Business, unit: Unit, header: Row, item: Row, given: Row, number: int) -> None:
    qty, before = amount(given["qty"]), amount(item["received"])
    left = amount(item["qty"]) - before - qty
    if left < 0:
        raise business("PUR/4", f"The received quantity is {-left} more than was ordered", "ReceivedPurchaseQuantity")
    row = b.type_of("receipt_line").blank()
    inherit(b.type_of("receipt"), header, row)
    put(row, **{name: header[name] for name in ("receipt", "purchase", "received_at")})
    put(row, **{name: item[name] for name in ("item", "plant", "location", "unit")})
    put(row, line_no=number, purchase_line=item["line_no"], batch=given.get("batch", ""))
    put(row, qty=qty, ordered=item["qty"], remaining=left)
    unit.insert("receipt_line", row)
    unit.update("purchase_item", b.type_of("purchase_item").key_of(item), {"received": before + qty}, origin="derived")
    change_stock(b, unit, row, qty, strict=False)
