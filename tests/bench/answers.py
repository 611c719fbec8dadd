"""The fixed ERPs: what the simulated ERPs really answer to the gateway's own calls, and what a client must then see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from gateway.protocols.port import HttpCall, HttpReply, NativeKey, ProtocolCodec, Shape, StepCall
from gateway.sim.erps import Erp
from gateway.sim.erps.wire.messages import Request
from tests.bench.processes import BenchError

PLANT, KEY = "1000", "1000003"
GET_PATH = f"/api/v2/plants/{PLANT}/production-orders/{KEY}"
POST_PATH = f"/api/v2/plants/{PLANT}/production-orders"
DAY = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
NUMBER_WIDTH = 12
NEW_ORDER: Mapping[str, Any] = {
    "type": "PP01",
    "item": "PUMP-200",
    "quantity": {"value": "12.5", "unit": "H87"},
    "planned": {"start": "2026-12-01T06:00:00Z", "end": "2026-12-03T14:30:00Z"},
    "planned_scrap": "0.5",
    "reference": "MES-2026-000815",
    "planner": "001",
    "supervisor": "010",
    "storage_location": "0001",
    "recipient": "HALL 7",
    "unloading_point": "GATE 12",
    "priority": "3",
    "operations": [
        {"sequence": "10", "work_center": "MILL-01", "control_key": "PP01", "description": "Machine housing"},
        {"sequence": "20", "work_center": "ASSY-02", "control_key": "PP01", "description": "Assemble and test"},
    ],
    "components": [
        {"line": "1", "item": "HOUSING-3", "plant": PLANT, "quantity": {"value": "12.5", "unit": "H87"}, "operation": "20",
         "storage_location": "0001", "backflush": True},
        {"line": "2", "item": "MOTOR-50", "plant": PLANT, "quantity": {"value": "25", "unit": "H87"}, "operation": "20",
         "storage_location": "0001", "backflush": True},
    ],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FixedErp:
    """The two answers, byte for byte. A create has a number of its own, wherever two parts of `around` meet."""

    read: bytes
    around: tuple[bytes, ...]
    native: dict[str, Any]

    def created(self, number: bytes) -> bytes:
        return number.join(self.around)

    def number_in(self, body: bytes) -> bytes:
        """The number in an answer to a create. Raises: BenchError: it is not the ERP's answer, byte for byte."""
        at = len(self.around[0])
        number = body[at : at + NUMBER_WIDTH]
        if not (number.isdigit() and len(number) == NUMBER_WIDTH and body == self.created(number)):
            raise BenchError(f"not the ERP's answer to a create: {body[:300]!r}")
        return number


def captured(erp: Erp, codec: ProtocolCodec, shape: Shape, new: dict[str, Any], key: NativeKey | None) -> FixedErp:
    """Ask a simulated ERP what it answers. Takes: a new order in its words, and the key of the one to read; None is the new one."""

    def answer(call: HttpCall, status: int) -> bytes:
        path, _, query = call.target.partition("?")
        found = erp.answer(Request(call.method, path, query, {"host": "127.0.0.1"}, call.body or b""))
        if found.status != status:
            raise BenchError(f"the simulated ERP answered {found.status}: {found.body[:500]!r}")
        return found.body

    created = answer(codec.step(shape, StepCall("create", document=new)), 201)
    made = codec.answer(shape, HttpReply(201, {}, created)).key or {}
    read = answer(codec.read(shape, key or made), 200)
    native = codec.answer(shape, HttpReply(200, {}, read)).document
    (number,) = made.values()
    return FixedErp(read, tuple(created.split(str(number).encode())), native or {})


def differences(shown: Mapping[str, Any], native: Mapping[str, Any]) -> list[str]:
    """Where what the gateway shows is not what the ERP said. The expectations are written here by hand, field by field."""
    found = []
    for path, value in _expected(native).items():
        have = _at(shown, path)
        if (Decimal(str(have)) if isinstance(value, Decimal) and have is not None else have) != value:
            found.append(f"{path}: {have!r} instead of {value!r}")
    for name in ("operations", "components"):
        rows = native[f"to_ProductionOrder{name[:-1].capitalize()}"]
        if len(shown.get(name) or ()) != len(rows):
            found.append(f"{name}: not {len(rows)} rows")
    return found


def _at(shown: Any, path: str) -> Any:
    """The value at a path such as `operations.1.sequence`; None where there is none."""
    for step in path.split("."):
        if isinstance(shown, list):
            shown = shown[int(step)] if int(step) < len(shown) else None
        else:
            shown = shown.get(step) if isinstance(shown, Mapping) else None
    return shown


def _expected(native: Mapping[str, Any]) -> dict[str, Any]:
    operation, component = native["to_ProductionOrderOperation"][1], native["to_ProductionOrderComponent"][1]
    return {
        "id": native["ManufacturingOrder"].lstrip("0"),
        "reference": native["ZZExternalReference"],
        "type": native["ManufacturingOrderType"],
        "plant": native["ProductionPlant"],
        "item": native["Material"],
        "quantity.value": Decimal(native["TotalQuantity"]),
        "quantity.unit": {"ST": "H87"}[native["ProductionUnit"]],
        "confirmed.yield": Decimal(native["MfgOrderConfirmedYieldQty"]),
        "status": "released" if native["OrderIsReleased"] else "created",
        "planned.start": _moment(native["MfgOrderPlannedStartDate"], native["MfgOrderPlannedStartTime"]),
        "planned.end": _moment(native["MfgOrderPlannedEndDate"], native["MfgOrderPlannedEndTime"]),
        "planner": native["MRPController"],
        "supervisor": native["ProductionSupervisor"],
        "storage_location": native["StorageLocation"],
        "company": native["CompanyCode"],
        "locked": native["OrderIsLocked"],
        "priority": native["ManufacturingOrderImportance"] or None,
        "operations.1.sequence": operation["ManufacturingOrderOperation"].lstrip("0"),
        "operations.1.work_center": operation["WorkCenter"],
        "operations.1.description": operation["MfgOrderOperationText"],
        "components.1.line": component["ReservationItem"].lstrip("0"),
        "components.1.item": component["Material"],
        "components.1.quantity.value": Decimal(component["RequiredQuantity"]),
        "components.1.operation": component["ManufacturingOrderOperation"].lstrip("0"),
        "components.1.backflush": component["MatlCompIsMarkedForBackflush"],
    }


def _moment(day: str, time: str) -> str:
    """A day in milliseconds and a time of day such as PT06H00M00S, both local in Hamburg, as UTC."""
    hours, minutes, seconds = int(time[2:4]), int(time[5:7]), int(time[8:10])
    midnight = datetime.fromtimestamp(int(day[6:-2]) / 1000, UTC)
    local = midnight.replace(hour=hours, minute=minutes, second=seconds, tzinfo=ZoneInfo("Europe/Berlin"))
    return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def exact(body: bytes) -> Any:
    """JSON with every digit."""
    return json.loads(body, parse_float=Decimal)
