"""What an ERP's own log says of each order, and whether that is what a client sent.

It uses no dialect, so a wrong one cannot hide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]
Log = list[dict[str, Any]]
Says = Callable[[Row, Any], bool]
"""Whether a native row says what was sent."""
SIDES = ("legacy", "cloud")

_ZONES = {"1000": "Europe/Berlin", "2000": "America/Chicago", "3000": "Asia/Kolkata"}
_UNITS = {"legacy": {"ST": "H87"}, "cloud": {"PC": "H87"}}


@dataclass(slots=True)
class Record:
    """One order in one ERP: its states from the first to the last, and what was confirmed of it."""

    number: str
    states: list[Row]
    released: bool = False
    confirmations: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Names:
    """How an ERP calls things. `order` and `confirmation`: field that clients send -> how its own row is read."""

    orders: str
    number: str
    reference: str
    released: str
    order: Mapping[str, Says]
    confirmations: str
    confirmed: str
    """The order that a confirmation is of."""
    confirmation: Mapping[str, Says]


def _text(name: str) -> Says:
    return lambda row, sent: row[name] == sent


def _flag(name: str) -> Says:
    return lambda row, sent: row[name] is sent


def _amount(name: str) -> Says:
    return lambda row, sent: Decimal(str(row[name])) == Decimal(sent)


def _line(name: str) -> Says:
    return lambda row, sent: row[name].lstrip("0") == str(sent).lstrip("0")


def _unit(name: str, side: str) -> Says:
    return lambda row, sent: _UNITS[side].get(row[name]) == sent


def _moment(day: str, time: str) -> Says:
    """A wall clock of the order's plant."""

    def says(row: Row, sent: str) -> bool:
        wall = datetime.fromisoformat(f"{row[day]}T{row[time]}")
        zone = _ZONES.get(row["ProductionPlant"])
        return zone is not None and wall.replace(tzinfo=ZoneInfo(zone)) == datetime.fromisoformat(sent)

    return says


def _order(side: str, reference: str, type_: str, item: str, quantity: str, planned: str) -> Mapping[str, Says]:
    return {
        "plant": _text("ProductionPlant"),
        "reference": _text(reference),
        "type": _text(type_),
        "item": _text(item),
        "quantity.value": _amount(quantity),
        "quantity.unit": _unit("ProductionUnit", side),
        "planned.start": _moment(f"{planned}StartDate", f"{planned}StartTime"),
        "planned.end": _moment(f"{planned}EndDate", f"{planned}EndTime"),
    }


def _confirmation(side: str, operation: str) -> Mapping[str, Says]:
    return {
        "plant": _text("Plant"),
        "operation": _line(operation),
        "quantity.value": _amount("ConfirmationYieldQuantity"),
        "quantity.unit": _unit("ConfirmationUnit", side),
        "final": _flag("IsFinalConfirmation"),
    }


NAMES: Mapping[str, Names] = {
    "legacy": Names(
        "A_ProductionOrder_2", "ManufacturingOrder", "ZZExternalReference", "OrderIsReleased",
        _order("legacy", "ZZExternalReference", "ManufacturingOrderType", "Material", "TotalQuantity", "MfgOrderPlanned"),
        "ProdnOrdConf2", "OrderID", _confirmation("legacy", "OrderOperation"),
    ),
    "cloud": Names(
        "ProductionOrder", "ProductionOrder", "YY1_ExternalReference_ORD", "OrderIsReleased",
        _order("cloud", "YY1_ExternalReference_ORD", "ProductionOrderType", "Product", "OrderPlannedTotalQty", "OrderPlanned"),
        "ProductionOrderConfirmation", "ProductionOrder", _confirmation("cloud", "ProductionOrderOperation"),
    ),
}  # fmt: skip


def recorded(log: Log, side: str) -> dict[str, list[Record]]:
    """The orders that the gateway made in an ERP, by reference."""
    names = NAMES[side]
    by_number: dict[str, Record] = {}
    for entry in log:
        what = entry["entity"], entry["verb"], entry["origin"]
        row = entry["after"] or {}
        if what == (names.orders, "create", "api"):
            by_number[row[names.number]] = Record(row[names.number], [row])
        elif entry["entity"] == names.orders and (known := by_number.get(row.get(names.number, ""))):
            known.states.append(row)
            known.released |= entry["origin"] == "api" and row[names.released]
        elif what == (names.confirmations, "create", "api") and (known := by_number.get(row[names.confirmed])):
            known.confirmations.append(row)
    found: dict[str, list[Record]] = {}
    for record in by_number.values():
        found.setdefault(record.states[0][names.reference], []).append(record)
    return found


def says(row: Row, sent: Mapping[str, Any], fields: Mapping[str, Says]) -> bool:
    """Whether a native row says all that was sent. Raises: KeyError: something was sent that nothing here can read."""
    return all(fields[name](row, value) for name, value in _flat(sent))


def _flat(sent: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in sent.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value
