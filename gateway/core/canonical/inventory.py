"""Inventory: what lies where, and what moved it. Quantities are positive; the direction is in `type`, `from` and `to`."""

from __future__ import annotations

from typing import Annotated

from gateway.core.canonical.kinds import (
    Boolean,
    Canonical,
    Date,
    DateTime,
    Id8,
    Id20,
    Id24,
    Id40,
    Id120,
    PlantId,
    Quantity,
    Text16,
    Text40,
    Text50,
    Unit,
    choice,
)

MovementType = Annotated[
    str, choice("receipt", "issue", "transfer", "production_receipt", "production_issue", "scrap", "reversal")
]
StockType = Annotated[str, choice("unrestricted", "quality", "blocked")]


class InventoryPosition(Canonical):
    """The quantity of an item at a place."""

    id: Id120 | None = None
    item: Id40
    plant: PlantId
    storage_location: Id20 | None = None
    batch: Id20 | None = None
    stock_type: StockType | None = None
    owner: Id20 | None = None
    """The supplier or customer whose stock it is; null where it is our own."""
    quantity: Quantity
    unit: Unit
    as_of: DateTime | None = None


class MovementLine(Canonical):
    """One item moved."""

    line: Id8 | None = None
    type: MovementType
    item: Id40
    plant: PlantId
    quantity: Quantity
    unit: Unit
    from_location: Id20 | None = None
    to_location: Id20 | None = None
    batch: Id20 | None = None
    order: Id24 | None = None
    purchase_order: Id20 | None = None
    purchase_order_line: Id8 | None = None
    note: Text50 | None = None
    reversed: Boolean | None = None
    reversal_of: Id40 | None = None
    """The movement that this line takes back."""


class Movement(Canonical):
    """A document that moves stock: posted as a whole, reversed by another document, never deleted."""

    id: Id40 | None = None
    plant: PlantId
    reference: Text40 | None = None
    status: Annotated[str, choice("draft", "posted", "cancelled")] | None = None
    document_date: Date | None = None
    posting_date: Date | None = None
    delivery_note: Text16 | None = None
    note: Text50 | None = None
    created_by: Text40 | None = None
    lines: tuple[MovementLine, ...]
