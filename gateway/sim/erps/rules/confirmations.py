"""Confirmations: what was made at an operation. They move the order on and derive its goods movements.

Components and the receipt of the product are posted by the confirmation of the order's last operation.
"""

from __future__ import annotations

from decimal import Decimal

from gateway.sim.erps.declare import Key, Row
from gateway.sim.erps.ledger import Unit
from gateway.sim.erps.refusal import business
from gateway.sim.erps.rules.business import Business, Draft, amount, day_of, fill, put, whole
from gateway.sim.erps.rules.movements import record, reverse
from gateway.sim.erps.rules.orders import GRAIN, last_operation, released

_SHOWN = (
    "document", "document_year", "line", "item", "plant", "location", "batch", "movement_type", "qty", "unit",
)  # fmt: skip


def post(b: Business, unit: Unit, draft: Draft) -> Key:
    row = b.drafted(draft)
    order_key = b.document_key(row, row["order"])
    if b.ledger.get("order", order_key) is None:
        raise business("RU/505", f"Order {row['order']} does not exist", "OrderID")
    order = released(b, order_key)
    operation = _operation(b, order_key, row)
    _complete(b, unit, row, order, operation)
    if row["yield_qty"] == 0 and row["scrap_qty"] == 0 and not row["is_final"]:
        raise business("RU/180", "Enter a quantity, or confirm finally")
    last = last_operation(b, order_key) is operation
    _move_operation(b, unit, operation, row)
    _move_order(b, unit, order_key, row, last=last, sign=1)
    moved = (amount(row["yield_qty"]) * b.config.derived_share).quantize(GRAIN)
    if last and moved:
        _derive_movement(b, unit, order_key, row, moved)
    return _kept(b, unit, row)


def _kept(b: Business, unit: Unit, row: Row) -> Key:
    """The confirmation, with the lines of the movement that it derived."""
    key = unit.insert("confirmation", row)
    if row["document"] and "confirmed_movement" in b.ledger.model.types:
        entity = b.type_of("confirmed_movement")
        for line in b.ledger.children("movement_item", (str(row["document"]), str(row["document_year"]))):
            shown = entity.blank()
            put(shown, group=row["group"], count=row["count"])
            put(shown, **{name: line[name] for name in _SHOWN})
            unit.insert("confirmed_movement", shown, origin="derived")
    return key


def _operation(b: Business, order_key: Key, row: Row) -> Row:
    wanted = row.get("operation")
    if not wanted:
        return last_operation(b, order_key)
    for operation in b.ledger.children("operation", order_key):
        if operation["operation"] == wanted:
            return operation
    raise business("RU/504", f"Operation {wanted} of order {row['order']} does not exist", "OrderOperation")


def _complete(b: Business, unit: Unit, row: Row, order: Row, operation: Row) -> None:
    today = b.today(unit, order["plant"])
    fill(row, posting_date=today, posted_at=unit.now, start=today, end=today)
    b.check_period(day_of(row.get("posting_date") or row.get("posted_at")) or today)
    fill(row, unit=order["unit"], plant=order["plant"], work_center=operation.get("work_center", ""))
    if row.get("unit", order["unit"]) != order["unit"]:
        message = f"Unit {row['unit']} differs from the order's unit {order['unit']}"
        raise business("RU/261", message, "ConfirmationUnit")
    count = whole(operation["counter"]) + 1
    put(row, sequence="0", operation=operation.get("operation", ""), group=operation["group"])
    put(row, count=str(count).zfill(8) if b.face == "legacy" else str(count))
    if "journal" in row:
        row["journal"] = b.ledger.next_number("group")
    b.stamp(row, unit)


def _move_operation(b: Business, unit: Unit, operation: Row, row: Row) -> None:
    done = amount(operation["yield_qty"]) + amount(row["yield_qty"])
    values: Row = {
        "yield_qty": done,
        "scrap_qty": amount(operation["scrap_qty"]) + amount(row["scrap_qty"]),
        "is_confirmed": bool(row["is_final"]) or done >= amount(operation["qty"]),
        "counter": whole(operation["counter"]) + 1,
    }
    unit.update("operation", b.type_of("operation").key_of(operation), values, origin="derived")


def _move_order(b: Business, unit: Unit, key: Key, row: Row, *, last: bool, sign: int) -> None:
    order = b.row("order", key)
    yielded = amount(order.get("yield_qty", order.get("started_qty")))
    yielded += sign * amount(row["yield_qty"]) if last else 0
    final = sign > 0 and last and (bool(row["is_final"]) or yielded >= amount(order["qty"]))
    values: Row = {
        "yield_qty": yielded,
        "started_qty": yielded,
        "remaining": amount(order["qty"]) - yielded,
        "scrap_qty": amount(order.get("scrap_qty")) + sign * amount(row["scrap_qty"]),
        "is_confirmed": final,
        "is_part_confirmed": not final and (sign > 0 or yielded > 0),
        "status": "ReportedAsFinished" if final else "StartedUp",
    }
    values |= _actuals(b, unit, order, final=final)
    unit.update("order", key, b.touched(unit, values), origin="derived")


def _actuals(b: Business, unit: Unit, order: Row, *, final: bool) -> Row:
    values: Row = {}
    if not order.get("actual_start") and not order.get("started_at"):
        here = order["plant"]
        values |= {
            "actual_start": b.today(unit, here),
            "actual_start_time": b.clock(unit, here),
            "started_at": unit.now,
        }
    if final:
        values |= {"actual_end": b.today(unit, order["plant"]), "finished_at": unit.now}
    return values


def _derive_movement(b: Business, unit: Unit, order_key: Key, row: Row, moved: Decimal) -> None:
    """Receipt of the product (101) and withdrawal of the components (261), in one document."""
    order = b.row("order", order_key)
    share = moved / amount(order["qty"])
    lines = [_line(b, order, order, "101", moved)]
    for part in b.ledger.children("component", order_key):
        if part["backflush"]:
            lines.append(_line(b, order, part, "261", (amount(part["qty"]) * share).quantize(GRAIN)))
    header = b.type_of("movement").blank()
    put(header, company=order.get("company", ""), movement_code="02", header_text=f"Confirmation {row['order']}"[:25])
    put(header, posting_date=row.get("posting_date"), posted_at=row.get("posted_at"))
    key = record(b, unit, header, lines, origin="derived")
    put(row, document=str(key[0]), document_year=str(key[1]))
    if b.face == "d365":
        put(row, document=str(key[1]), document_year=str(key[0]))


def _line(b: Business, order: Row, source: Row, movement_type: str, qty: Decimal) -> Row:
    row = b.type_of("movement_item").blank()
    put(row, company=order.get("company", ""), item=source["item"], plant=source["plant"], location=source["location"])
    put(row, movement_type=movement_type, order=order["order"], qty=qty, unit=source["unit"])
    put(row, batch=source.get("batch", ""))
    return row


def report_finished(b: Business, unit: Unit, key: Key, arguments: Row) -> Key:
    """D365's action on the order: the same as a confirmation of its last operation."""
    order = b.row("order", key)
    post(b, unit, Draft("confirmation", {"company": order["company"], "order": order["order"], **arguments}))
    return key


def cancel(b: Business, unit: Unit, key: Key, arguments: Row) -> Key:
    """A second confirmation that takes the first one back, and the reversal of its movement."""
    original = b.row("confirmation", key)
    if original["is_reversed"] or original["reverses"]:
        raise business("RU/187", f"Confirmation {key[0]}/{key[1]} is already cancelled")
    order_key = b.document_key(original, original["order"])
    operation = _operation(b, order_key, original)
    b.check_unlocked("order", order_key)
    row = _counterpart(b, unit, original, operation)
    unit.update("confirmation", key, b.touched(unit, {"is_reversed": True}), origin="derived")
    _take_back(b, unit, operation, original)
    last = last_operation(b, order_key)["operation"] == operation["operation"]
    _move_order(b, unit, order_key, original, last=last, sign=-1)
    if original["document"]:
        document = reverse(b, unit, (str(original["document"]), str(original["document_year"])), origin="derived")
        put(row, document=document[0], document_year=document[1])
    return _kept(b, unit, row)


def _counterpart(b: Business, unit: Unit, original: Row, operation: Row) -> Row:
    count = whole(operation["counter"]) + 1
    row = dict(original)
    put(row, count=str(count).zfill(8) if b.face == "legacy" else str(count), reverses=original["count"])
    put(row, created_on=None, entered_on=None, document="", document_year="")
    b.stamp(row, unit)
    return row


def _take_back(b: Business, unit: Unit, operation: Row, original: Row) -> None:
    values: Row = {
        "yield_qty": amount(operation["yield_qty"]) - amount(original["yield_qty"]),
        "scrap_qty": amount(operation["scrap_qty"]) - amount(original["scrap_qty"]),
        "is_confirmed": False,
        "counter": whole(operation["counter"]) + 1,
    }
    unit.update("operation", b.type_of("operation").key_of(operation), values, origin="derived")
