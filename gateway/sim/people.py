"""People who work in an ERP's own screens, and batch jobs that do so under any account."""

from __future__ import annotations

import random
from typing import Any

from gateway.sim.erps.control import Control
from gateway.sim.erps.erp import Erp
from gateway.sim.erps.refusal import ErpRefusal

ORDER, PART = "order", "component"


def worked(erp: Erp, what: str, user: str, dice: random.Random) -> bool:
    """Change, release or make an order, or change a part of one. Gives: whether the ERP let it happen."""
    entity = erp.model.types[PART if what == "parts" else ORDER]
    keys = [entry.key for entry in erp.truth if entry.type is entity and entry.verb == "create"]
    key = dice.choice(keys) if keys and what != "create" else None
    if key is None and what != "create":
        return False
    values = _said(erp.config.face == "legacy", what, dice.randint(200, 900))
    try:
        Control(erp).edit(entity.set_name, key, values, "ReleaseOrder" if what == "release" else "", user=user)
    except ErpRefusal:
        return False
    return True


def _said(old: bool, what: str, quantity: int) -> dict[str, Any]:  # noqa: FBT001  # which of two ERPs
    amount, item, kind, unit = _NAMES[old]
    values: dict[str, Any] = {amount: f"{quantity}.000" if old else quantity}
    if what == "release":
        return {}
    if what == "parts":
        return {"RequiredQuantity": values[amount]}
    if what == "create":
        values |= {item: "PUMP-100", "ProductionPlant": "1000", "ProductionUnit": unit, kind: "PP01"}
    return values


_NAMES = {
    True: ("TotalQuantity", "Material", "ManufacturingOrderType", "ST"),
    False: ("OrderPlannedTotalQty", "Product", "ProductionOrderType", "PC"),
}
