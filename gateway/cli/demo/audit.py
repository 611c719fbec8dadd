"""The judge of the demo: the ERPs' own logs against what the clients sent.

It uses no dialect, so a wrong one cannot hide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from gateway.cli.demo.processes import Demo
from gateway.cli.demo.sameness import diverged
from gateway.cli.demo.traffic import Sent, Tally

_ZONES = {"1000": "Europe/Berlin", "2000": "America/Chicago", "3000": "Asia/Kolkata"}
_LEGACY = {
    "set": "A_ProductionOrder_2",
    "key": "ManufacturingOrder",
    "reference": "ZZExternalReference",
    "plant": "ProductionPlant",
    "item": "Material",
    "quantity": "TotalQuantity",
    "unit": "ProductionUnit",
    "start": ("MfgOrderPlannedStartDate", "MfgOrderPlannedStartTime"),
    "end": ("MfgOrderPlannedEndDate", "MfgOrderPlannedEndTime"),
}
_CLOUD = {
    "set": "ProductionOrder",
    "key": "ProductionOrder",
    "reference": "YY1_ExternalReference_ORD",
    "plant": "ProductionPlant",
    "item": "Product",
    "quantity": "OrderPlannedTotalQty",
    "unit": "ProductionUnit",
    "start": ("OrderPlannedStartDate", "OrderPlannedStartTime"),
    "end": ("OrderPlannedEndDate", "OrderPlannedEndTime"),
}
_NAMES: Mapping[str, Mapping[str, Any]] = {"legacy": _LEGACY, "cloud": _CLOUD}
_CONFIRMATION = {"legacy": ("ProdnOrdConf2", "OrderID"), "cloud": ("ProductionOrderConfirmation", "ProductionOrder")}
_PIECES = {"legacy": "ST", "cloud": "PC"}


async def truth(demo: Demo, side: str) -> list[dict[str, Any]]:
    """What an ERP says happened."""
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(
            f"{demo.erps[side]}/_truth", params={"since": 0}, headers={"Accept": "application/json"}
        )
        rows: list[dict[str, Any]] = answer.json()
    return rows


@dataclass(frozen=True, slots=True)
class Verdict:
    """The demo's figures, and what is wrong: orders that stand in an ERP otherwise than sent, or in the two not alike."""

    figures: dict[str, Any]
    mistranslated: list[str]
    diverged: dict[str, str]

    @property
    def good(self) -> bool:
        counts = ("client_errors", "lost", "duplicated", "diverged")
        return not self.mistranslated and not any(self.figures[name] for name in counts)


async def audited(demo: Demo, tally: Tally) -> Verdict:
    """What the ERPs' own logs say of what the clients sent."""
    logs = {side: await truth(demo, side) for side in ("legacy", "cloud")}
    created = {side: _created(logs[side], side) for side in logs}
    acknowledged = [order for order in tally.sent if order.id]
    wrong = [order.reference for order in acknowledged if not _same(created, order)]
    apart = diverged(logs, [order.reference for order in tally.sent if order.phase.startswith("dual_")])
    figures = {
        "requests": tally.requests,
        "by_side": {side: sum(1 for row in log if row["origin"] == "api") for side, log in logs.items()},
        "client_errors": len(tally.errors),
        "lost": sum(1 for order in acknowledged if order.reference not in created[order.side]),
        "duplicated": sum(_too_often(created, order) for order in tally.sent) + _confirmed_twice(logs),
        "translated": len(acknowledged) - len(wrong),
        "diverged": len(apart),
        "told_to_wait": tally.waited,
    }
    return Verdict(figures, wrong, apart)


def _too_often(created: Mapping[str, Mapping[str, list[dict[str, Any]]]], order: Sent) -> int:
    """How often an order was made beyond once in each ERP that its phase writes."""
    wanted = created.keys() if order.phase.startswith("dual_") else {order.side or order.phase}
    times = {side: len(rows.get(order.reference, ())) for side, rows in created.items()}
    return sum(max(0, count - (side in wanted)) for side, count in times.items())


def _confirmed_twice(logs: Mapping[str, list[dict[str, Any]]]) -> int:
    """How many confirmations an ERP has of orders that were confirmed before: each is confirmed once."""
    found = 0
    for side, log in logs.items():
        confirmation, order = _CONFIRMATION[side]
        orders = Counter(
            row["after"][order]
            for row in log
            if (row["entity"], row["verb"], row["origin"]) == (confirmation, "create", "api")
        )
        found += sum(count - 1 for count in orders.values())
    return found


def _created(log: list[dict[str, Any]], side: str) -> dict[str, list[dict[str, Any]]]:
    names = _NAMES[side]
    found: dict[str, list[dict[str, Any]]] = {}
    for row in log:
        if row["entity"] == names["set"] and row["verb"] == "create" and row["origin"] == "api":
            found.setdefault(row["after"][names["reference"]], []).append(row["after"])
    return found


def _same(created: Mapping[str, Mapping[str, list[dict[str, Any]]]], order: Sent) -> bool:
    """Whether each ERP's own row says, field by field, what the client sent, and the one in charge has the number shown."""
    rows = [(native, side) for side, made in created.items() for native in made.get(order.reference, ())]
    return bool(rows) and all(_row_says(native, side, order) for native, side in rows)


def _row_says(native: Mapping[str, Any], side: str, order: Sent) -> bool:
    names = _NAMES[side]
    return (
        (side != order.side or native[names["key"]].lstrip("0") == order.id)
        and native[names["plant"]] == order.plant
        and native[names["item"]] == order.item
        and Decimal(str(native[names["quantity"]])) == order.quantity
        and native[names["unit"]] == _PIECES[side]
        and _moment(native, names["start"], order.plant) == order.start
        and _moment(native, names["end"], order.plant) == order.end
    )


def _moment(native: Mapping[str, Any], names: tuple[str, str], plant: str) -> datetime:
    wall = datetime.fromisoformat(f"{native[names[0]]}T{native[names[1]]}")
    return wall.replace(tzinfo=ZoneInfo(_ZONES[plant]))
