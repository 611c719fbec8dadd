"""What the contract suite sends to the simulated ERPs, and what their truth logs must then say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.erp_contract import Door, Json, Lacks, Sample, good
from tests.support.simulated import SimErp

LACKS: Lacks = {}
PLANT = "1000"


def item(tag: str) -> Json:
    head = {"id": tag, "type": "FERT", "name": f"Valve {tag}", "group": "L001", "base_unit": "H87", "status": "active"}
    return {**head, "old_number": "000047", "weight": {"gross": "1.250", "net": "1.000", "unit": "KGM"}}


def order(tag: str, **more: Any) -> Json:
    planned = {"start": "2026-12-01T06:00:00Z", "end": "2026-12-02T14:00:00Z"}
    head = {"reference": tag, "item": "PUMP-100", "quantity": {"value": "10.000", "unit": "H87"}}
    return {**head, "planned": planned, "storage_location": "0001"} | more


def purchase(tag: str, **more: Any) -> Json:
    line = {"line": "10", "item": "SEAL-7", "plant": PLANT, "quantity": {"value": "100.000", "unit": "H87"}}
    price = {"amount": "185.0000", "per": "100"}
    head = {"reference": tag, "supplier": "100010", "currency": "EUR", "payment_terms": "0001"}
    return {**head, "lines": [{**line, "price": price, "storage_location": "0001", "due_on": "2026-12-24"}]} | more


def movement(tag: str, **more: Any) -> Json:
    line = {"line": "1", "type": "receipt", "item": "SEAL-7", "plant": PLANT, "to_location": "0001"}
    quantity = {"quantity": {"value": "7.000", "unit": "H87"}}
    return {"reference": tag, "posting_date": "2026-11-20", "lines": [{**line, **quantity, **more}]}


def receipt(tag: str) -> Json:
    line = {"line": "1", "item": "SEAL-7", "plant": PLANT, "quantity": {"value": "5.000", "unit": "H87"}}
    return {"delivery_note": tag, "posting_date": "2026-11-20", "lines": [{**line, "storage_location": "0001"}]}


def confirmation(tag: str) -> Json:
    return {"operation": "20", "quantity": {"value": "4.000", "unit": "H87"}, "note": tag}


def _post(door: Door, object_: str, document: Json) -> httpx.Response:
    return door.act(object_, None, "post", document)


def _received(door: Door, object_: str, document: Json) -> httpx.Response:
    """A receipt against a purchase order that was just made and released."""
    bought = good(door.create("purchase_order", purchase(document["delivery_note"])), 201)["id"]
    good(door.act("purchase_order", bought, "release"))
    document["lines"][0]["purchase_order"] = {"number": bought, "line": "10"}
    return _post(door, object_, document)


def _confirmed(door: Door, object_: str, document: Json) -> httpx.Response:
    """A confirmation of an order that was just made and released."""
    made = good(door.create("production_order", order(document["note"])), 201)["id"]
    good(door.act("production_order", made, "release"))
    return door.act("production_order", made, "confirm", document)


def _confirmed_early(door: Door, sample: Sample) -> httpx.Response:
    made = good(door.create("production_order", order("EARLY")), 201)["id"]
    return door.act("production_order", made, "confirm", confirmation("EARLY"))


def _unknown_order(door: Door, sample: Sample) -> httpx.Response:
    document = receipt("BAD")
    document["lines"][0]["purchase_order"] = {"number": "4599999999", "line": "10"}
    return _post(door, "receipt", document)


SAMPLES: Mapping[str, Sample] = {
    "production_order": Sample(
        order,
        held=lambda d: {"quantity": d["quantity"]["value"], "released": False},
        where=lambda d: "item eq 'PUMP-100' and status eq 'created'",
        patch={"quantity": {"value": "12.000"}},
        bad=lambda door, s: door.create("production_order", order("BAD", item="NO-SUCH")),
        says=(422, "NO-SUCH"),
        act=("release", {"status": "released"}),
        acted={"quantity": "10.000", "released": True},
    ),
    "confirmation": Sample(
        confirmation,
        held=lambda d: {"yield": "4.000"},
        send=_confirmed,
        bad=_confirmed_early,
        says=(422, "is not released"),
        unknown="0000009999-00000001",
    ),
    "item": Sample(
        item,
        held=lambda d: {"group": d["group"], "old": "000047"},
        where=lambda d: "type eq 'FERT' and group eq 'L001'",
        patch={"group": "L002"},
        bad=lambda door, s: door.create("item", s.new("PUMP-100")),
        says=(409, "PUMP-100"),
        unknown="NO-SUCH-ITEM",
    ),
    "item_plant": Sample(key="item", unknown="NO-SUCH-ITEM"),
    "inventory_position": Sample(),
    "movement": Sample(
        movement,
        held=lambda d: {"text": d["reference"]},
        send=_post,
        bad=lambda door, s: _post(door, "movement", movement("BAD", item="NO-SUCH")),
        says=(422, "NO-SUCH"),
        unknown="4999999999-2026",
    ),
    "purchase_order": Sample(
        purchase,
        held=lambda d: {"terms": d["payment_terms"], "released": False},
        where=lambda d: "supplier eq '100010'",
        patch={"payment_terms": "0002"},
        bad=lambda door, s: door.create("purchase_order", purchase("BAD", supplier="999999")),
        says=(422, "999999"),
        act=("release", {"status": "released"}),
        acted={"released": True},
        unknown="4599999999",
    ),
    "receipt": Sample(
        receipt,
        held=lambda d: {"note": d["delivery_note"]},
        send=_received,
        bad=_unknown_order,
        says=(422, "4599999999"),
        unknown="4999999999-2026",
    ),
}

SETS = {
    "production_order": ("A_ProductionOrder_2", "ProductionOrder"),
    "confirmation": ("ProdnOrdConf2", "ProductionOrderConfirmation"),
    "item": ("A_Product", "Product"),
    "movement": ("A_MaterialDocumentHeader", "MaterialDocument"),
    "purchase_order": ("A_PurchaseOrder", "PurchaseOrder"),
    "receipt": ("A_MaterialDocumentHeader", "MaterialDocument"),
}
WORDS = {
    "TotalQuantity": "quantity", "OrderPlannedTotalQty": "quantity", "OrderIsReleased": "released",
    "ConfirmationYieldQuantity": "yield", "ProductGroup": "group", "ProductOldID": "old",
    "MaterialDocumentHeaderText": "text", "PaymentTerms": "terms", "ReferenceDocument": "note",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SimTruth:
    """A simulated ERP's truth log."""

    erp: SimErp
    v4: bool

    def _changes(self, object_: str) -> list[Json]:
        return self.erp.since(0, entity=SETS[object_][self.v4])

    def rows(self, object_: str) -> int:
        """Documents that callers made: what an ERP derives from them is its own affair."""
        return sum(entry["verb"] == "create" and entry["origin"] == "api" for entry in self._changes(object_))

    def held(self, object_: str, key: str) -> Mapping[str, Any]:
        wanted = [part.lstrip("0") for part in key.split("-")] if object_ != "item" else [key]
        mine = [e for e in self._changes(object_) if [str(v).lstrip("0") for v in e["key"].values()] == wanted]
        after: Json = mine[-1]["after"]
        found = {WORDS[name]: value for name, value in after.items() if name in WORDS}
        return found | (
            {"released": after["PurchasingProcessingStatus"] == "05"} if object_ == "purchase_order" else {}
        )
