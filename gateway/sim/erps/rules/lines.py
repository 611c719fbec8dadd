"""Documents without rules of their own (items, plant segments, components), and the lines of the others."""

from __future__ import annotations

from gateway.sim.erps.declare import Key, Row
from gateway.sim.erps.ledger import Unit
from gateway.sim.erps.refusal import bad_request, business
from gateway.sim.erps.rules.business import Business, Draft, belong, fill, put
from gateway.sim.erps.tables.numbers import LINES


def create(b: Business, unit: Unit, draft: Draft) -> Key:
    """A document and what was sent below it."""
    entity = b.type_of(draft.role)
    if entity.parent:
        key = insert_line(b, unit, draft, _parent_row(b, draft))
        _touch_above(b, unit, draft.role, b.row(draft.role, key))
        return key
    row = b.drafted(draft)
    _check_number(b, draft.role, row)
    b.check_new_key(draft.role, row)
    b.stamp(row, unit)
    key = unit.insert(draft.role, row)
    for child in draft.children:
        insert_line(b, unit, child, row)
    return key


def insert_line(b: Business, unit: Unit, draft: Draft, parent_row: Row) -> Key:
    """One line of the document `parent_row`, numbered if the caller left that to us."""
    entity = b.type_of(draft.role)
    parent = b.type_of(str(entity.parent))
    belong(parent, parent_row, draft)
    row = b.drafted(draft)
    fill(row, plant=parent_row.get("plant", ""), order=parent_row.get("order", ""))
    if draft.role == "component":
        _complete_component(b, row, parent_row)
    if draft.role in LINES:
        b.number_line(draft.role, row, len(b.ledger.children(draft.role, parent.key_of(parent_row))))
    b.check_new_key(draft.role, row)
    return unit.insert(draft.role, row)


def change(b: Business, unit: Unit, role: str, key: Key, values: Row) -> None:
    before = b.row(role, key)
    b.check_unlocked(role, key)
    b.check_change(role, before, values)
    unit.update(role, key, b.touched(unit, values))
    _touch_above(b, unit, role, before)


def delete(b: Business, unit: Unit, role: str, key: Key) -> None:
    row = b.row(role, key)
    _delete(b, unit, role, key)
    _touch_above(b, unit, role, row)


def _delete(b: Business, unit: Unit, role: str, key: Key) -> None:
    b.check_unlocked(role, key)
    for child in list(b.type_of(role).children.values()):
        for row in b.ledger.children(child.role, key):
            _delete(b, unit, child.role, child.key_of(row))
    unit.delete(role, key)


def _touch_above(b: Business, unit: Unit, role: str, line: Row) -> None:
    """A document changed when one of its lines did."""
    above = b.type_of(role).parent
    while above is not None:
        entity = b.type_of(above)
        if "changed_at" in entity.by_field:
            unit.update(above, entity.key_of(line), b.touched(unit, {}), origin="derived")
        above = entity.parent


def _parent_row(b: Business, draft: Draft) -> Row:
    parent = b.type_of(str(b.type_of(draft.role).parent))
    for prop in parent.keys:
        if prop.field not in draft.values:
            raise bad_request(f"Key property '{prop.name}' is missing", prop.name)
    key = tuple(draft.values[p.field] for p in parent.keys)
    b.check_unlocked(parent.role, key)  # type: ignore[arg-type]
    return b.row(parent.role, key)  # type: ignore[arg-type]


def _complete_component(b: Business, row: Row, order: Row) -> None:
    siblings = b.ledger.children("component", b.type_of("order").key_of(order))
    if "reservation" in row:
        row["reservation"] = siblings[0]["reservation"] if siblings else b.ledger.next_number("reservation")
    fill(row, unit=b.base_unit(row), location=order.get("location", ""), backflush=True)
    put(row, required_on=order.get("planned_start"))


def _check_number(b: Business, role: str, row: Row) -> None:
    number = str(row.get("item", ""))
    width = 18
    if role == "item" and b.face == "legacy" and number.isdecimal() and len(number) != width:
        raise business("M3/106", f"Numeric material numbers have {width} digits: {number}", "Product")
