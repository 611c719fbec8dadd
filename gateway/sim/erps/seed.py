"""The same business in every ERP: items, stock, orders, purchase orders. Not in the truth log: it was always there."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from gateway.sim.erps.declare import Row
from gateway.sim.erps.ledger import Unit
from gateway.sim.erps.masters import BILLS, ITEMS, PLANTS, SUPPLIERS, Item, Plant
from gateway.sim.erps.rules import orders, purchasing, verbs
from gateway.sim.erps.rules.business import Business, Draft, put
from gateway.sim.erps.truth import Cause


def seed(b: Business) -> None:
    """Fill an empty ERP. Same seed and clock, same data."""
    dice = random.Random(b.config.seed)  # noqa: S311 - test data, not secrets
    with b.unit(Cause(user="INITIAL"), logged=False) as unit:
        for item in ITEMS:
            _item(b, unit, item)
        _stock(b, unit)
        for number in range(b.config.orders):
            _order(b, unit, dice, number + 1)
        for number in range(b.config.purchases):
            _purchase(b, unit, dice, number + 1)


def _item(b: Business, unit: Unit, item: Item) -> None:
    values: Row = {
        "item": b.masters.item(item.number), "item_type": item.item_type, "item_group": item.group,
        "unit": b.masters.unit(item.unit), "gross": Decimal(item.weight), "net": Decimal(item.weight),
        "weight_unit": b.masters.unit("KG"), "category": "NORM", "division": "00", "name": item.name,
    }  # fmt: skip
    if b.face == "d365":
        for company in sorted({p.company for p in PLANTS.values()}):
            sites = [_draft(b, "item_plant", _segment(p.plant, item)) for p in PLANTS.values() if p.company == company]
            verbs.create(b, unit, _draft(b, "item", {**values, "company": company}, sites))
        return
    texts = _draft(b, "description", {"language": "EN", "description": item.name})
    plants = [_draft(b, "item_plant", _segment(plant, item)) for plant in PLANTS]
    verbs.create(b, unit, _draft(b, "item", values, [texts, *plants]))


def _segment(plant: str, item: Item) -> Row:
    values: Row = {"plant": plant, "purchasing_group": "001", "profit_center": f"PC{plant}"}
    values |= {"min_lot": Decimal(1)} if item.item_type == "FERT" else {}
    values |= {"availability": "02", "mrp_type": "PD", "planner": "001"}
    return values | {"procurement": "E" if item.number in BILLS else "F", "location": PLANTS[plant].locations[0]}


def _draft(b: Business, role: str, values: Row, children: list[Draft] | None = None) -> Draft:
    """A draft with those of `values` that this ERP has."""
    known = b.type_of(role).by_field
    return Draft(role, {k: v for k, v in values.items() if k in known}, children or [])


def _stock(b: Business, unit: Unit) -> None:
    entity = b.type_of("stock")
    for plant in PLANTS.values():
        for index, item in enumerate(ITEMS):
            row = entity.blank()
            qty = Decimal(500 * (index + 1))
            put(row, company=plant.company, item=b.masters.item(item.number), plant=plant.plant)
            put(row, location=plant.locations[0], stock_type="01", unit=b.masters.unit(item.unit))
            put(row, qty=qty, available=qty)
            unit.insert("stock", row)
        _consigned(b, unit, plant)


def _consigned(b: Business, unit: Unit, plant: Plant) -> None:
    """Oil that lies here and is still a supplier's. D365 tells owners by a dimension that its list of stock has not."""
    row = b.type_of("stock").blank()
    if "special" in row:
        put(row, item=b.masters.item("5001"), plant=plant.plant, location=plant.locations[1], stock_type="01")
        put(row, unit=b.masters.unit("L"), qty=Decimal(200), special="K", supplier=b.masters.supplier("100010"))
        unit.insert("stock", row)


def _order(b: Business, unit: Unit, dice: random.Random, number: int) -> None:
    plant = dice.choice(sorted(PLANTS))
    item = dice.choice(sorted(BILLS))
    qty, start_days, length_days = dice.randint(1, 40) * 5, dice.randint(0, 20), dice.randint(1, 5)
    released = dice.random() < 0.5  # noqa: PLR2004 - half of them
    start = unit.now.date() + timedelta(days=start_days)
    end = start + timedelta(days=length_days)
    wall = ZoneInfo(PLANTS[plant].zone)
    values: Row = {
        "plant": plant, "item": b.masters.item(item), "qty": Decimal(qty), "order_type": "PP01",
        "planned_start": start, "planned_end": end, "planned_start_time": time(6), "planned_end_time": time(22),
        "start_at": datetime.combine(start, time(6), wall).astimezone(UTC),
        "end_at": datetime.combine(end, time(22), wall).astimezone(UTC),
        "mrp_controller": "001", "supervisor": "010", "reference": f"SEED-{number:04d}",
    }  # fmt: skip
    if b.face == "d365":
        del values["order_type"]
    key = orders.create(b, unit, _draft(b, "order", values))
    if released:
        orders.release(b, unit, key, {})


def _purchase(b: Business, unit: Unit, dice: random.Random, number: int) -> None:
    plant = PLANTS[dice.choice(sorted(PLANTS))]
    supplier = b.masters.supplier(dice.choice(SUPPLIERS))
    parts = dice.sample([i for i in ITEMS if i.item_type == "ROH"], 2)
    lines = [_line(b, plant.plant, part, dice.randint(1, 20) * 100) for part in parts]
    header: Row = {"supplier": supplier, "company": plant.company, "company_code": plant.company_code}
    header |= {"reference": f"SEED-PO-{number:04d}", "currency": plant.currency}
    purchasing.create(b, unit, _draft(b, "purchase", header, lines))


def _line(b: Business, plant: str, part: Item, qty: int) -> Draft:
    values: Row = {"plant": plant, "item": b.masters.item(part.number), "qty": Decimal(qty), "item_text": part.name}
    values |= {"price": Decimal(part.price), "price_per": Decimal(part.price_per)}
    return _draft(b, "purchase_item", values)
