"""Production: orders with their operations and components, and confirmations. Source: ISA-95 work orders and responses."""

from __future__ import annotations

from typing import Annotated

from gateway.core.canonical.inventory import MovementType
from gateway.core.canonical.kinds import (
    Boolean,
    Canonical,
    Date,
    DateTime,
    Id4,
    Id8,
    Id20,
    Id24,
    Id40,
    Minutes,
    PlantId,
    Quantity,
    Text40,
    Text80,
    Unit,
    choice,
)

OrderStatus = Annotated[
    str,
    choice("created", "released", "started", "confirmed", "delivered", "completed", "closed", "cancelled"),
]


class Operation(Canonical):
    """One step of the routing as it stands in the order."""

    sequence: Id8
    work_center: Id20 | None = None
    plant: PlantId | None = None
    control_key: Id8 | None = None
    description: Text80 | None = None
    quantity: Quantity | None = None
    unit: Unit | None = None
    confirmed_yield: Quantity | None = None
    confirmed_scrap: Quantity | None = None
    planned_start: DateTime | None = None
    planned_end: DateTime | None = None


class Component(Canonical):
    """One material the order consumes."""

    line: Id8
    item: Id40
    plant: PlantId | None = None
    quantity: Quantity
    unit: Unit
    operation: Id8 | None = None
    storage_location: Id20 | None = None
    batch: Id20 | None = None
    withdrawn_quantity: Quantity | None = None
    backflush: Boolean | None = None
    required_on: Date | None = None


class ProductionOrder(Canonical):
    """An order to make a quantity of an item at a plant."""

    id: Id24 | None = None
    reference: Text40 | None = None
    type: Id8 | None = None
    plant: PlantId
    planning_plant: PlantId | None = None
    item: Id40
    version: Id8 | None = None
    quantity: Quantity
    unit: Unit
    planned_scrap: Quantity | None = None
    confirmed_yield: Quantity | None = None
    confirmed_scrap: Quantity | None = None
    received_quantity: Quantity | None = None
    status: OrderStatus | None = None
    planned_start: DateTime
    planned_end: DateTime | None = None
    scheduled_start: DateTime | None = None
    scheduled_end: DateTime | None = None
    actual_start: DateTime | None = None
    actual_end: DateTime | None = None
    released_on: Date | None = None
    planner: Id8 | None = None
    supervisor: Id8 | None = None
    storage_location: Id20 | None = None
    batch: Id20 | None = None
    recipient: Text40 | None = None
    unloading_point: Text40 | None = None
    sales_order: Id20 | None = None
    sales_order_line: Id8 | None = None
    wbs_element: Id24 | None = None
    company: Id8 | None = None
    business_area: Id8 | None = None
    profit_center: Id20 | None = None
    priority: Id4 | None = None
    locked: Boolean | None = None
    changed_at: DateTime | None = None
    operations: tuple[Operation, ...] | None = None
    components: tuple[Component, ...] | None = None


class ConfirmedMovement(Canonical):
    """One item that a confirmation moved: what was used, or what was made."""

    movement: Id40
    line: Id8
    type: MovementType | None = None
    item: Id40
    plant: PlantId | None = None
    quantity: Quantity
    unit: Unit
    storage_location: Id20 | None = None
    batch: Id20 | None = None


class Confirmation(Canonical):
    """What was made, scrapped and how long it took, for one operation of an order."""

    id: Id40 | None = None
    order: Id24
    operation: Id8
    plant: PlantId | None = None
    work_center: Id20 | None = None
    quantity: Quantity
    unit: Unit
    scrap_quantity: Quantity | None = None
    rework_quantity: Quantity | None = None
    scrap_reason: Id8 | None = None
    final: Boolean | None = None
    reversed: Boolean | None = None
    started_at: DateTime | None = None
    ended_at: DateTime | None = None
    posted_on: Date | None = None
    person: Id20 | None = None
    note: Text80 | None = None
    labour_minutes: Minutes | None = None
    machine_minutes: Minutes | None = None
    entered_at: DateTime | None = None
    movements: tuple[ConfirmedMovement, ...] | None = None
    """What the ERP derived from it."""
