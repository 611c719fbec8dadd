"""Procurement: purchase orders, and the receipts against them. Prices are an amount per a number of units."""

from __future__ import annotations

from typing import Annotated

from gateway.core.canonical.kinds import (
    Boolean,
    Canonical,
    Currency,
    Date,
    DateTime,
    Id8,
    Id20,
    Id40,
    Money,
    PlantId,
    PricePer,
    Quantity,
    Text16,
    Text40,
    Text50,
    Text80,
    Unit,
    choice,
)

PurchaseStatus = Annotated[str, choice("draft", "released", "received", "closed", "cancelled")]


class PurchaseLine(Canonical):
    """One item bought."""

    line: Id8
    item: Id40
    description: Text80 | None = None
    plant: PlantId
    quantity: Quantity
    unit: Unit
    price: Money
    price_per: PricePer
    storage_location: Id20 | None = None
    item_group: Id20 | None = None
    due_on: Date | None = None
    closed: Boolean | None = None
    cancelled: Boolean | None = None


class PurchaseOrder(Canonical):
    """An order to a supplier; its lines may be for several plants."""

    id: Id20 | None = None
    plant: PlantId
    reference: Text40 | None = None
    type: Id8 | None = None
    supplier: Id20
    company: Id8 | None = None
    organisation: Id8 | None = None
    buyer_group: Id8 | None = None
    currency: Currency
    status: PurchaseStatus | None = None
    ordered_on: Date | None = None
    payment_terms: Id8 | None = None
    incoterms: Id8 | None = None
    created_on: Date | None = None
    changed_at: DateTime | None = None
    lines: tuple[PurchaseLine, ...] | None = None


class ReceiptLine(Canonical):
    """One item that arrived."""

    line: Id8 | None = None
    purchase_order: Id20
    purchase_order_line: Id8
    item: Id40 | None = None
    plant: PlantId
    quantity: Quantity
    unit: Unit
    storage_location: Id20 | None = None
    batch: Id20 | None = None


class Receipt(Canonical):
    """Goods received against purchase orders."""

    id: Id40 | None = None
    plant: PlantId
    reference: Text40 | None = None
    delivery_note: Text16 | None = None
    document_date: Date | None = None
    posting_date: Date | None = None
    note: Text50 | None = None
    lines: tuple[ReceiptLine, ...]
