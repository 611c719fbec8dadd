"""Purchase orders with items and schedule lines, and their release."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from gateway.sim.erps.declare import Key, Row
from gateway.sim.erps.ledger import Unit
from gateway.sim.erps.refusal import business
from gateway.sim.erps.rules.business import Business, Draft, belong, fill, inherit, put
from gateway.sim.erps.rules.lines import insert_line

LEAD_TIME = timedelta(days=14)


def create(b: Business, unit: Unit, draft: Draft) -> Key:
    row = b.drafted(draft)
    row["purchase"] = b.numbered("purchase", row["purchase"], "purchase")
    b.check_new_key("purchase", row)
    fill(row, order_type="NB", purchasing_group="001", language="EN", terms="0001", net_days=30)
    fill(row, order_date=unit.now.replace(hour=0, minute=0, second=0, microsecond=0))
    fill(row, company_code="1000", organisation=row.get("company_code") or "1000", currency=_currency(b, draft))
    put(row, proc_status="02", unreleased=True, status="Backorder")
    b.stamp(row, unit)
    key = unit.insert("purchase", row)
    for child in draft.children:
        add_item(b, unit, child, row)
    return key


def _currency(b: Business, draft: Draft) -> str:
    plants = [b.masters.plants.get(str(c.values.get("plant"))) for c in draft.children]
    return plants[0].currency if plants and plants[0] else "EUR"


def create_item(b: Business, unit: Unit, draft: Draft) -> Key:
    parent = b.type_of("purchase")
    header = b.row("purchase", tuple(str(draft.values.get(p.field, "")) for p in parent.keys))
    b.check_unlocked("purchase", parent.key_of(header))
    return add_item(b, unit, draft, header)


def add_item(b: Business, unit: Unit, draft: Draft, header: Row) -> Key:
    """One item, with a schedule line of its own if none was sent."""
    parent = b.type_of("purchase")
    belong(parent, header, draft)
    row = b.drafted(draft)
    b.check_item_at_plant(row)
    price, per = b.masters.price_unit(str(row["item"]))
    if not row["price"]:
        row["price"], row["price_per"] = price, per
    fill(row, price_per=Decimal(1), unit=b.base_unit(row), location=b.plant(row["plant"]).locations[0])
    fill(row, currency=header["currency"], delivery_at=unit.now + LEAD_TIME, tax_code="V1")
    b.number_line("purchase_item", row, len(b.ledger.children("purchase_item", parent.key_of(header))))
    b.check_new_key("purchase_item", row)
    key = unit.insert("purchase_item", row)
    if "schedule" in b.ledger.model.types:
        _schedule(b, unit, draft, row)
    return key


def _schedule(b: Business, unit: Unit, draft: Draft, item: Row) -> None:
    day = b.today(unit, item["plant"]) + LEAD_TIME
    for line in draft.children:
        fill(line.values, unit="", delivery_date=day)
        insert_line(b, unit, line, item)
    if not draft.children:
        row = b.type_of("schedule").blank()
        inherit(b.type_of("purchase_item"), item, row)
        put(row, schedule_line="0001", date_category="1", delivery_date=day, unit=item["unit"], qty=item["qty"])
        unit.insert("schedule", row, origin="derived")


def release(b: Business, unit: Unit, key: Key, arguments: Row) -> Key:
    row = b.row("purchase", key)
    b.check_unlocked("purchase", key)
    if not row["unreleased"]:
        raise business("MEPO/858", f"Purchase order {row['purchase']} is already released")
    values: Row = {"unreleased": False, "proc_status": "05", "status": "Confirmed"}
    unit.update("purchase", key, b.touched(unit, values))
    return key
