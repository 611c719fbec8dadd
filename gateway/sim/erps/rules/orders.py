"""Production orders: create with bill and routing, change, release, technically complete."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from gateway.sim.erps.declare import Key, Row
from gateway.sim.erps.ledger import Unit
from gateway.sim.erps.masters import ONE_OPERATION
from gateway.sim.erps.refusal import ErpRefusal, bad_request, business
from gateway.sim.erps.rules.business import Business, Draft, amount, fill, inherit, put
from gateway.sim.erps.rules.lines import insert_line

GRAIN = Decimal("0.001")


def create(b: Business, unit: Unit, draft: Draft) -> Key:
    """An order; what was not sent below it is exploded from routing and bill of material."""
    row = b.drafted(draft)
    b.check_item_at_plant(row)
    row["order"] = b.numbered("order", row["order"], "order")
    b.check_new_key("order", row)
    _complete(b, unit, row)
    key = unit.insert("order", row)
    sent = {child.role for child in draft.children}
    if "operation" not in sent:
        _explode_routing(b, unit, row)
    if "component" not in sent:
        _explode_bill(b, unit, row)
    for child in draft.children:
        insert_line(b, unit, child, row)
    return key


def _complete(b: Business, unit: Unit, row: Row) -> None:
    plant = b.plant(row["plant"])
    today = b.today(unit, plant.plant)
    fill(row, unit=b.base_unit(row), location=plant.locations[0], planning_plant=plant.plant, mrp_area=plant.plant)
    fill(row, category="10", order_type="PP01", company_code=plant.company_code, scheduling_type="1")
    fill(row, planned_start=today)
    if not row.get("planned_end"):
        put(row, planned_end=row.get("planned_start"), planned_end_time=row.get("planned_start_time"))
    fill(row, start_at=_midnight(unit), end_at=_midnight(unit) + timedelta(days=1))
    fill(row, due_at=row.get("end_at"))
    put(row, unit_iso=b.masters.units[str(row["unit"])], is_created=True, is_scheduled=True)
    put(row, status="Created", remaining=row["qty"])
    _schedule(row)
    b.stamp(row, unit)


def _midnight(unit: Unit) -> datetime:
    return datetime.combine(unit.now.date(), time(0), UTC)


def _schedule(row: Row) -> None:
    for name in ("start", "start_time", "end", "end_time"):
        if f"sched_{name}" in row:
            row[f"sched_{name}"] = row[f"planned_{name}"]


def _explode_routing(b: Business, unit: Unit, order: Row) -> None:
    steps = b.masters.routings.get(str(order["item"]), ONE_OPERATION)
    entity = b.type_of("operation")
    begin = _planned(order)
    for index, (words, center, setup, run) in enumerate(steps):
        row = entity.blank()
        inherit(b.type_of("order"), order, row)
        put(row, sequence="0", op_text=words, work_center=center, control_key="PP01", plant=order["plant"])
        put(row, setup_min=Decimal(setup), run_min=Decimal(run), qty=order["qty"], unit=order["unit"])
        put(row, group=b.ledger.next_number("group"))
        begin = _planned_at(row, begin)
        b.number_line("operation", row, index)
        unit.insert("operation", row, origin="derived")


def _planned(order: Row) -> datetime | None:
    """When the order is to begin, in the plant's own time."""
    day, at = order.get("planned_start"), order.get("planned_start_time")
    return datetime.combine(day, at) if isinstance(day, date) and isinstance(at, time) else None


def _planned_at(operation: Row, begin: datetime | None) -> datetime | None:
    """Plan an operation from a moment on. Gives when the next one begins."""
    if begin is None or "start" not in operation:
        return None
    minutes = amount(operation["setup_min"]) + amount(operation["run_min"]) * amount(operation["qty"])
    end = begin + timedelta(minutes=float(minutes))
    put(operation, start=begin.date(), start_time=begin.time(), end=end.date(), end_time=end.time())
    return end


def _replan(b: Business, unit: Unit, key: Key, order: Row) -> None:
    """Operations and components follow the order's planned start."""
    begin, entity = _planned(order), b.type_of("operation")
    for operation in b.ledger.children("operation", key):
        row = dict(operation)
        begin = _planned_at(row, begin)
        changed = {name: value for name, value in row.items() if value != operation[name]}
        if changed:
            unit.update("operation", entity.key_of(operation), changed, origin="derived")
    for part in b.ledger.children("component", key):
        if "required_on" in part and part["required_on"] != order["planned_start"]:
            day: Row = {"required_on": order["planned_start"]}
            unit.update("component", b.type_of("component").key_of(part), day, origin="derived")


def _explode_bill(b: Business, unit: Unit, order: Row) -> None:
    parts = b.masters.bills.get(str(order["item"]), ())
    reservation = b.ledger.next_number("reservation") if parts else ""
    last = last_operation(b, b.type_of("order").key_of(order))
    for index, (part, per) in enumerate(parts):
        row = b.type_of("component").blank()
        inherit(b.type_of("order"), order, row)
        put(row, item=part, plant=order["plant"], location=order["location"], reservation=reservation)
        put(row, qty=_times(per, order), operation=last.get("operation", ""), backflush=True)
        put(row, required_on=order.get("planned_start"))
        put(row, unit=b.base_unit(row))
        b.number_line("component", row, index)
        unit.insert("component", row, origin="derived")


def _times(per: Decimal, order: Row) -> Decimal:
    return (per * amount(order["qty"])).quantize(GRAIN)


def last_operation(b: Business, order_key: Key) -> Row:
    rows = b.ledger.children("operation", order_key)
    return max(rows, key=b.type_of("operation").key_of) if rows else {}


def change(b: Business, unit: Unit, role: str, key: Key, values: Row) -> None:
    """Change an order. Raises: locked, completed, or a field that is fixed once the order is released."""
    before = b.row(role, key)
    _check_open(b, key, before)
    b.check_change(role, before, values)
    _check_early(b, before, values)
    after = {**before, **values}
    _schedule(after)
    changed = {k: v for k, v in after.items() if v != before[k]}
    if "qty" in changed:
        changed["remaining"] = amount(after["qty"]) - amount(before.get("started_qty"))
        _rescale(b, unit, key, amount(after["qty"]) / amount(before["qty"]))
    unit.update(role, key, b.touched(unit, changed))
    if changed.keys() & {"planned_start", "planned_start_time", "qty"}:
        _replan(b, unit, key, after)


def _check_open(b: Business, key: Key, order: Row) -> None:
    b.check_unlocked("order", key)
    if order["is_locked"]:
        raise ErpRefusal(423 if b.face != "d365" else 409, "CO/469", f"Order {order['order']} is locked")
    if order["is_completed"] or order["is_closed"]:
        raise business("CO/680", f"Order {order['order']} is technically completed")


def _check_early(b: Business, before: Row, values: Row) -> None:
    entity = b.type_of("order")
    for name, value in values.items():
        if before["is_released"] and entity.by_field[name].has("early") and value != before[name]:
            wire = entity.by_field[name].name
            raise bad_request(f"Property '{wire}' cannot be changed: order {before['order']} is released", wire)


def _rescale(b: Business, unit: Unit, key: Key, factor: Decimal) -> None:
    for role in ("operation", "component"):
        entity = b.type_of(role)
        for row in b.ledger.children(role, key):
            qty = (amount(row["qty"]) * factor).quantize(GRAIN)
            unit.update(role, entity.key_of(row), {"qty": qty}, origin="derived")


def release(b: Business, unit: Unit, key: Key, arguments: Row) -> Key:
    row = b.row("order", key)
    _check_open(b, key, row)
    if row["is_released"]:
        raise business("CO/688", f"Order {row['order']} is already released")
    values: Row = {"is_released": True, "is_created": False, "actual_release": b.today(unit, row["plant"])}
    values |= {"status": "Released", "released_at": unit.now}
    unit.update("order", key, b.touched(unit, values))
    return key


def complete(b: Business, unit: Unit, key: Key, arguments: Row) -> Key:
    row = b.row("order", key)
    _check_open(b, key, row)
    if not row["is_released"]:
        raise business("CO/681", f"Order {row['order']} is not released")
    values: Row = {"is_completed": True, "status": "Ended", "ended_at": unit.now}
    unit.update("order", key, b.touched(unit, values))
    return key


def released(b: Business, key: Key) -> Row:
    """The order, which must be open for postings."""
    row = b.row("order", key)
    _check_open(b, key, row)
    if not row["is_released"]:
        raise business("RU/013", f"Order {row['order']} is not released; confirmation is not possible")
    return row
