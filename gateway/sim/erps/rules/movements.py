"""Goods movements: each is a document that changes stock, and perhaps an order or a purchase order."""

from __future__ import annotations

from decimal import Decimal

from gateway.sim.erps.declare import Key, Row, Value
from gateway.sim.erps.ledger import Unit
from gateway.sim.erps.refusal import bad_request, business
from gateway.sim.erps.rules.business import Business, Draft, amount, belong, day_of, fill, inherit, put
from gateway.sim.erps.tables.inventory import REVERSAL, SIGN, TRANSFERS
from gateway.sim.erps.truth import Origin


def post(b: Business, unit: Unit, draft: Draft) -> Key:
    """A movement a caller sent, with its lines."""
    header = b.drafted(draft)
    if not draft.children:
        raise business("M7/011", "A material document needs at least one item")
    rows = [_line(b, child, header) for child in draft.children]
    return record(b, unit, header, rows, origin=None)


def _line(b: Business, draft: Draft, header: Row) -> Row:
    belong(b.type_of("movement"), header, draft)
    row = b.drafted(draft)
    if row["movement_type"] not in SIGN:
        raise business("M7/120", f"Movement type {row['movement_type']} is not supported", "GoodsMovementType")
    b.check_item_at_plant(row)
    fill(row, unit=b.base_unit(row), location=b.plant(row["plant"]).locations[0])
    return row


def record(b: Business, unit: Unit, header: Row, lines: list[Row], *, origin: Origin | None) -> Key:
    """Number and store the document, then move the stock. Derived documents may drive stock below zero."""
    _complete(b, unit, header, lines[0]["plant"])
    key = unit.insert("movement", header, origin=origin)
    for index, row in enumerate(lines):
        inherit(b.type_of("movement"), header, row)
        b.number_line("movement_item", row, index)
        unit.insert("movement_item", row, origin=origin)
        _move(b, unit, row, strict=origin is None)
        _update_purchase(b, unit, row)
        _update_order(b, unit, row)
    return key


def _complete(b: Business, unit: Unit, header: Row, plant: Value) -> None:
    today = b.today(unit, plant)
    fill(header, document_date=today, posting_date=today, posted_at=unit.now)
    day = day_of(header.get("posting_date") or header.get("posted_at")) or today
    b.check_period(day)
    number = b.ledger.next_number("movement")
    put(header, document=number, document_year=str(day.year), journal=number)
    b.stamp(header, unit, plant)


def _move(b: Business, unit: Unit, row: Row, *, strict: bool) -> None:
    sign = SIGN[str(row["movement_type"])]
    change_stock(b, unit, row, sign * amount(row["qty"]), strict=strict)
    if row["movement_type"] in TRANSFERS:
        target, plant = str(row.get("to_location") or ""), str(row.get("to_plant") or row["plant"])
        if target not in b.plant(plant).locations:
            raise business("M7/091", f"Storage location {target} does not exist in plant {plant}")
        change_stock(b, unit, {**row, "plant": plant, "location": target}, amount(row["qty"]), strict=strict)


def change_stock(b: Business, unit: Unit, row: Row, delta: Decimal, *, strict: bool) -> None:
    """Put stock where a row says, or take it there."""
    entity = b.type_of("stock")
    stock = entity.blank()
    put(stock, company=row.get("company", ""), item=row["item"], plant=row["plant"], location=row["location"])
    put(stock, batch=row.get("batch", ""), stock_type="01", unit=b.base_unit(row))
    key = entity.key_of(stock)
    held = b.ledger.get("stock", key)
    qty = (amount(held["qty"]) if held else Decimal(0)) + delta
    if strict and qty < 0:
        lack = f"Deficit of BA unrestricted-use {-qty} {stock['unit']} : {row['item']} {row['plant']} {row['location']}"
        raise business("M7/021", lack)
    if held is None:
        unit.insert("stock", {**stock, "qty": qty, **_available(stock, qty)}, origin="derived")
    else:
        unit.update("stock", key, {"qty": qty, "available": qty}, origin="derived")


def _available(stock: Row, qty: Decimal) -> Row:
    return {"available": qty} if "available" in stock else {}


def _update_purchase(b: Business, unit: Unit, row: Row) -> None:
    if not row.get("purchase"):
        return
    item = _purchase_item(b, row)
    received = amount(item["received"]) + SIGN[str(row["movement_type"])] * amount(row["qty"])
    if received > amount(item["qty"]):
        raise business("M7/022", f"PU ordered quantity exceeded by {received - amount(item['qty'])} {item['unit']}")
    values: Row = {"received": received, "is_complete": received == item["qty"]}
    unit.update("purchase_item", b.type_of("purchase_item").key_of(item), values, origin="derived")


def _purchase_item(b: Business, row: Row) -> Row:
    key = b.document_key(row, row["purchase"])
    if b.ledger.get("purchase", key) is None:
        raise business("M7/036", f"Purchase order {row['purchase']} does not exist", "PurchaseOrder")
    if b.row("purchase", key)["unreleased"]:
        raise business("M7/389", f"Purchase order {row['purchase']} is not released", "PurchaseOrder")
    for item in b.ledger.children("purchase_item", key):
        if item["item"] == row["item"] and row.get("purchase_item") in (None, "", item.get("purchase_item")):
            return item
    raise business("M7/036", f"Purchase order {row['purchase']} has no such item for {row['item']}")


def _update_order(b: Business, unit: Unit, row: Row) -> None:
    if not row.get("order"):
        return
    key = b.document_key(row, row["order"])
    order = b.ledger.get("order", key)
    if order is None:
        raise business("M7/112", f"Order {row['order']} does not exist", "ManufacturingOrder")
    sign = SIGN[str(row["movement_type"])]
    if row["item"] == order["item"]:
        delivered = amount(order["delivered"]) + sign * amount(row["qty"])
        done = delivered >= amount(order["qty"])
        values: Row = {"delivered": delivered, "is_delivered": done, "is_part_delivered": not done and delivered > 0}
        unit.update("order", key, b.touched(unit, values), origin="derived")
        return
    for part in b.ledger.children("component", key):
        if part["item"] == row["item"]:
            drawn = amount(part["withdrawn"]) - sign * amount(row["qty"])
            unit.update("component", b.type_of("component").key_of(part), {"withdrawn": drawn}, origin="derived")
            return


def cancel(b: Business, unit: Unit, key: Key, arguments: Row) -> Key:
    """The reversal of a document, as a document of its own."""
    return reverse(b, unit, key, origin=None)


def reverse(b: Business, unit: Unit, key: Key, *, origin: Origin | None) -> Key:
    original = b.row("movement", key)
    lines = b.ledger.children("movement_item", key)
    if any(line.get("is_cancelled") for line in lines):
        raise business("M7/142", f"Material document {'/'.join(map(str, key))} is already cancelled")
    header = b.type_of("movement").blank()
    put(header, company=original.get("company", ""), header_text="Cancellation")
    put(header, reference=original.get("reference", ""))
    undone = [_undone(line, original) for line in lines]
    for line in lines:
        unit.update("movement_item", b.type_of("movement_item").key_of(line), {"is_cancelled": True}, origin="derived")
    return record(b, unit, header, undone, origin=origin)


def _undone(line: Row, original: Row) -> Row:
    movement_type = str(line["movement_type"])
    row = dict(line)
    put(row, line="", line_no=0, reversed_doc=original.get("document", ""))
    put(row, reversed_year=original.get("document_year", ""), is_cancelled=False)
    if movement_type in TRANSFERS:
        put(row, location=line["to_location"], to_location=line["location"])
        return row
    if movement_type not in REVERSAL:
        raise bad_request(f"Movement type {movement_type} cannot be cancelled")
    put(row, movement_type=REVERSAL[movement_type])
    return row
