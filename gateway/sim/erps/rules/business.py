"""The desk every rule works at: the ledger, the master data, locks, periods, and the checks that all rules share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from gateway.sim.erps.config import ErpConfig
from gateway.sim.erps.declare import EntityType, Key, Property, Row, Value
from gateway.sim.erps.ledger import Ledger, Unit
from gateway.sim.erps.masters import Masters, Plant
from gateway.sim.erps.refusal import ErpRefusal, bad_request, business, locked, not_found
from gateway.sim.erps.tables.numbers import LINES
from gateway.sim.erps.truth import Cause


@dataclass(slots=True)
class Draft:
    """A document as a caller sent it: engine fields to values, and the documents below it."""

    role: str
    values: Row
    children: list[Draft] = field(default_factory=list)


class Business:
    """One ERP's business, whatever protocol it is reached by."""

    def __init__(self, config: ErpConfig, ledger: Ledger) -> None:
        self.config = config
        self.face = config.face
        self.ledger = ledger
        self.masters = Masters(config.face)
        self.locks: dict[tuple[str, Key], str] = {}
        self.closed_before: date | None = None
        self.cause = Cause()

    def type_of(self, role: str) -> EntityType:
        return self.ledger.model.types[role]

    @contextmanager
    def unit(self, cause: Cause, *, logged: bool = True) -> Iterator[Unit]:
        self.cause = cause
        with self.ledger.unit(cause, logged=logged) as unit:
            yield unit

    # -- reading

    def row(self, role: str, key: Key) -> Row:
        row = self.ledger.get(role, key)
        if row is None:
            entity = self.type_of(role)
            names = ",".join(f"{p.name}='{v}'" for p, v in zip(entity.keys, key, strict=True))
            raise not_found(f"No entity with key {names} found in '{entity.set_name}'")
        return row

    def plant(self, number: Value) -> Plant:
        return self.masters.plants[str(number)]

    def item_key(self, row: Row) -> Key:
        return (str(row["company"]), str(row["item"])) if self.face == "d365" else (str(row["item"]),)

    def document_key(self, row: Row, number: Value) -> Key:
        """The key of an order or purchase order that `row` refers to by number."""
        return (str(row["company"]), str(number)) if self.face == "d365" else (str(number),)

    def base_unit(self, row: Row) -> str:
        return str(self.row("item", self.item_key(row))["unit"])

    # -- checking

    def drafted(self, draft: Draft) -> Row:
        """A new row from what the caller gave: every value checked, the rest initial."""
        entity = self.type_of(draft.role)
        row = {**entity.blank(), **draft.values}
        if "company" in row and not row["company"]:
            row["company"] = self._company_of(row)
        for prop in entity.properties:
            self._check_new(entity, prop, draft.values, row)
        return row

    def check_change(self, role: str, before: Row, values: Row) -> None:
        """Raises: when a value may not be changed, or not to this."""
        entity = self.type_of(role)
        for name, value in values.items():
            prop = entity.by_field[name]
            if prop.traits & {"key", "ro", "fixed"}:
                if value != before[name]:
                    raise bad_request(f"Property '{prop.name}' cannot be changed", prop.name)
            else:
                self._check_value(prop, value, {**before, **values})

    def _check_new(self, entity: EntityType, prop: Property, given: Row, row: Row) -> None:
        value = row[prop.field]
        initial = value == prop.kind.initial
        if prop.field in given and prop.has("ro") and not initial:
            raise bad_request(f"Property '{prop.name}' is set by the system and cannot be sent", prop.name)
        if initial and prop.has("req"):
            raise business("00/055", f"Fill in the required field {prop.name} of {entity.set_name}", prop.name)
        if not initial:
            self._check_value(prop, value, row)

    def _check_value(self, prop: Property, value: Value, row: Row) -> None:
        for trait in prop.traits & _CHECKS.keys():
            _CHECKS[trait](self, prop, value, row)

    def check_unlocked(self, role: str, key: Key) -> None:
        """Raises: 423 or 409 while somebody has this document, or the one above it, open."""
        entity = self.type_of(role)
        held = [(role, key)]
        if entity.parent:
            held.append((entity.parent, key[: len(self.type_of(entity.parent).keys)]))
        for place in held:
            if place in self.locks:
                raise locked(self.face, f"{entity.set_name} {'/'.join(map(str, key))}", self.locks[place])

    def check_new_key(self, role: str, row: Row) -> None:
        entity = self.type_of(role)
        if self.ledger.get(role, entity.key_of(row)) is not None:
            values = ",".join(str(v) for v in entity.key_of(row))
            raise ErpRefusal(409, "CM/ALREADY_EXISTS", f"{entity.set_name} {values} already exists")

    def check_item_at_plant(self, row: Row) -> None:
        if self.face == "d365":
            return
        if self.ledger.get("item_plant", (str(row["item"]), str(row["plant"]))) is None:
            raise business("M3/351", f"Material {row['item']} not maintained in plant {row['plant']}")

    def check_period(self, day: date) -> None:
        if self.closed_before is not None and day < self.closed_before:
            first = self.closed_before
            raise business("M7/053", f"Posting only possible in periods {first:%Y/%m} and later")

    # -- numbering and defaults

    def numbered(self, series: str, given: Value, role: str) -> str:
        """The number of a new document: from the internal range, or the caller's own if it lies outside."""
        if not given:
            return self.ledger.next_number(series)
        if self.ledger.ranges[series].owns(str(given)):
            raise business("NR/751", f"Number {given} lies in an internal number range", self._key_name(role))
        return str(given)

    def number_line(self, role: str, row: Row, siblings: int) -> None:
        name, step, legacy_width, cloud_width = LINES[role]
        place = (siblings + 1) * step
        if self.face == "d365":
            fill(row, operation_no=place, line_no=siblings + 1)
        elif not row[name]:
            row[name] = str(place).zfill(legacy_width if self.face == "legacy" else cloud_width)

    def local(self, unit: Unit, plant: Value) -> datetime:
        """The moment as SAP writes it: by the clock on the plant's wall. D365 knows one clock, and what has no plant as well."""
        known = self.masters.plants.get(str(plant)) if self.face != "d365" else None
        return unit.now.astimezone(ZoneInfo(known.zone)) if known else unit.now

    def today(self, unit: Unit, plant: Value) -> date:
        return self.local(unit, plant).date()

    def clock(self, unit: Unit, plant: Value) -> time:
        """The time of day at a plant."""
        return self.local(unit, plant).time().replace(microsecond=0)

    def stamp(self, row: Row, unit: Unit, plant: Value = None) -> None:
        """Who and when, in whatever fields this row has for it. Takes: `plant`, where, if the row does not say it."""
        now, here = unit.now, plant or row.get("plant")
        fill(row, created_by=self.cause.user, entered_by=self.cause.user, changed_by=self.cause.user)
        put(row, changed_at=now, changed_on=now)
        for name in ("created_on", "entered_on"):
            if name in row and row[name] is None:
                kind = self._kind_of(row, name)
                row[name] = self.today(unit, here) if kind == "date" else now
        put(row, created_at=self.clock(unit, here), entered_at=self.clock(unit, here))

    def touched(self, unit: Unit, values: Row) -> Row:
        return {**values, "changed_at": unit.now, "changed_on": unit.now, "changed_by": self.cause.user}

    def _kind_of(self, row: Row, name: str) -> str:
        return "stamp" if "changed_on" in row or "proc_status" in row else "date"

    def _key_name(self, role: str) -> str:
        return self.type_of(role).keys[-1].name

    def _company_of(self, row: Row) -> str:
        plant = self.masters.plants.get(str(row.get("plant", "")))
        return plant.company if plant else self.config.default_company


def fill(row: Row, **values: Value) -> None:
    """Set what the row has and nobody has set."""
    for name, value in values.items():
        if name in row and not row[name]:
            row[name] = value


def put(row: Row, **values: Value) -> None:
    """Set what the row has."""
    row.update({name: value for name, value in values.items() if name in row})


def amount(value: Value) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(0)


def whole(value: Value) -> int:
    return value if isinstance(value, int) else 0


def day_of(value: Value) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None


def inherit(parent: EntityType, parent_row: Row, row: Row) -> None:
    """Give a line the key of its document."""
    put(row, **{p.field: parent_row[p.field] for p in parent.keys})


def belong(parent: EntityType, parent_row: Row, draft: Draft) -> None:
    """The same for a line that is still a draft."""
    draft.values.update({p.field: parent_row[p.field] for p in parent.keys})


# -- value checks, by trait


def _known_plant(b: Business, prop: Property, value: Value, row: Row) -> None:
    plant = b.masters.plants.get(str(value))
    if plant is None:
        raise business("M3/238", f"Plant {value} does not exist", prop.name)
    if row.get("company", plant.company) != plant.company and prop.field == "plant":
        raise business("M3/238", f"Site {value} does not exist in company {row['company']}", prop.name)


def _known_item(b: Business, prop: Property, value: Value, row: Row) -> None:
    if "company" in row and not row["company"]:
        return  # a line: checked again once it has its document's company
    if b.ledger.get("item", b.item_key({**row, "item": value})) is None:
        raise business("M3/305", f"The material {value} does not exist or is not activated", prop.name)


def _known_supplier(b: Business, prop: Property, value: Value, row: Row) -> None:
    if value and value not in b.masters.suppliers:
        raise business("06/321", f"Supplier {value} has not been created", prop.name)


def _known_unit(b: Business, prop: Property, value: Value, row: Row) -> None:
    if value and value not in b.masters.units:
        raise business("BM/302", f"Unit {value} is not defined", prop.name)


def _known_location(b: Business, prop: Property, value: Value, row: Row) -> None:
    plant = b.masters.plants.get(str(row.get("plant", "")))
    if value and plant is not None and value not in plant.locations:
        raise business("M7/091", f"Storage location {value} does not exist in plant {plant.plant}", prop.name)


def _known_company(b: Business, prop: Property, value: Value, row: Row) -> None:
    if value not in {p.company for p in b.masters.plants.values()}:
        raise business("SYS/42", f"Legal entity {value} does not exist", prop.name)


def _positive(b: Business, prop: Property, value: Value, row: Row) -> None:
    if amount(value) <= 0:
        raise business("CO/049", f"{prop.name} must be greater than zero", prop.name)


def _not_negative(b: Business, prop: Property, value: Value, row: Row) -> None:
    if (amount(value) if isinstance(value, Decimal) else value) < 0:  # type: ignore[operator]
        raise business("CO/049", f"{prop.name} must not be negative", prop.name)


_CHECKS = {
    "plant": _known_plant,
    "item": _known_item,
    "supplier": _known_supplier,
    "unit": _known_unit,
    "location": _known_location,
    "company": _known_company,
    "positive": _positive,
    "nonneg": _not_negative,
}
