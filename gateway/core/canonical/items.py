"""Master data: items of the enterprise, and their segment at a plant."""

from __future__ import annotations

from typing import Annotated

from gateway.core.canonical.kinds import (
    Boolean,
    Canonical,
    Currency,
    Date,
    DateTime,
    Id8,
    Id18,
    Id20,
    Id40,
    Money,
    PlantId,
    Quantity,
    Text80,
    Unit,
    choice,
)

ItemStatus = Annotated[str, choice("active", "blocked", "obsolete")]


class Item(Canonical):
    """A material, part or product, the same everywhere in the enterprise."""

    id: Id40 | None = None
    type: Id8 | None = None
    name: Text80 | None = None
    group: Id20 | None = None
    base_unit: Unit
    status: ItemStatus | None = None
    gtin: Id18 | None = None
    old_number: Id40 | None = None
    gross_weight: Quantity | None = None
    net_weight: Quantity | None = None
    weight_unit: Unit | None = None
    batch_managed: Boolean | None = None
    list_price: Money | None = None
    currency: Currency | None = None
    created_on: Date | None = None
    changed_at: DateTime | None = None


class ItemPlant(Canonical):
    """How one plant plans and procures an item."""

    item: Id40
    plant: PlantId
    purchasing_group: Id8 | None = None
    procurement: Annotated[str, choice("make", "buy", "both")] | None = None
    planning_type: Id8 | None = None
    planner: Id8 | None = None
    lot_size: Id8 | None = None
    minimum_lot: Quantity | None = None
    maximum_lot: Quantity | None = None
    fixed_lot: Quantity | None = None
    profit_center: Id20 | None = None
    availability_check: Id8 | None = None
    batch_managed: Boolean | None = None
    storage_location: Id20 | None = None
    status: Id8 | None = None
