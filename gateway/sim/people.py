"""People who work in an ERP's own screens, and batch jobs that do so under any account."""

from __future__ import annotations

import random

from gateway.sim.erps.control import Control
from gateway.sim.erps.erp import Erp
from gateway.sim.erps.refusal import ErpRefusal

ORDER = "order"


def worked(erp: Erp, what: str, user: str, dice: random.Random) -> bool:
    """Change, release or make an order. Gives: whether the ERP let it happen."""
    entity = erp.model.types[ORDER]
    amount, item, kind, unit = _NAMES[erp.config.face == "legacy"]
    keys = [entry.key for entry in erp.truth if entry.type is entity and entry.verb == "create"]
    key = dice.choice(keys) if keys and what != "create" else None
    quantity = dice.randint(200, 900)
    said = f"{quantity}.000" if erp.config.face == "legacy" else quantity
    values = {amount: said} if what != "release" else {}
    if what == "create":
        values |= {item: "PUMP-100", "ProductionPlant": "1000", "ProductionUnit": unit, kind: "PP01"}
    elif key is None:
        return False
    try:
        Control(erp).edit(entity.set_name, key, values, "ReleaseOrder" if what == "release" else "", user=user)
    except ErpRefusal:
        return False
    return True


_NAMES = {
    True: ("TotalQuantity", "Material", "ManufacturingOrderType", "ST"),
    False: ("OrderPlannedTotalQty", "Product", "ProductionOrderType", "PC"),
}
