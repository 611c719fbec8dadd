"""What the contract suite sends to mock-sap, and what mock-sap must then hold, asked by its own API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.erp_contract import Door, Json, Lack, Lacks, Sample
from tests.support.mocksap import MockSap

NO_SERVICE = "mock-sap has no such service"
LACKS_V2: Lacks = {
    ("production_order", "*"): Lack(NO_SERVICE),
    ("confirmation", "*"): Lack(NO_SERVICE),
    ("inventory_position", "*"): Lack(NO_SERVICE),
    ("movement", "create"): Lack("a material document of mock-sap is a goods receipt and names a purchase order"),
    ("purchase_order", "act"): Lack("mock-sap cannot release a purchase order"),
}
LACKS_V4: Lacks = {
    **LACKS_V2,
    ("movement", "*"): Lack(NO_SERVICE),
    ("receipt", "*"): Lack(NO_SERVICE),
}
PLANT, SUPPLIER, MATERIAL, ORDER = "1710", "1000010", "MZ-FG-C100", "4500000101"


def item(tag: str) -> Json:
    weight = {"gross": "1.250", "net": "1.000", "unit": "KGM"}
    head = {"id": tag, "type": "FERT", "name": f"Valve {tag}", "group": "L001", "base_unit": "H87"}
    return {**head, "old_number": "000047", "status": "active", "weight": weight}


def purchase(tag: str, **more: Any) -> Json:
    line = {"line": "10", "item": MATERIAL, "plant": PLANT, "storage_location": "1714", "description": tag}
    amounts = {"quantity": {"value": "12.000", "unit": "MTR"}, "price": {"amount": "101.7800", "per": "1"}}
    head = {"type": "NB", "supplier": SUPPLIER, "currency": "EUR", "company": "1710", "organisation": "1710"}
    return {**head, "buyer_group": "001", "payment_terms": "0001", "lines": [{**line, **amounts}]} | more


def receipt(tag: str, **more: Any) -> Json:
    line = {"purchase_order": {"number": ORDER, "line": "10"}, "item": MATERIAL, "plant": PLANT}
    head = {"delivery_note": tag, "document_date": "2026-10-02", "posting_date": "2026-10-02"}
    return {**head, "lines": [{**line, "quantity": {"value": "5.000", "unit": "MTR"}}]} | more


def _post(door: Door, object_: str, document: Json) -> Any:
    return door.act(object_, None, "post", document)


ITEM = Sample(
    item,
    held=lambda d: {"ProductGroup": d["group"], "GrossWeight": 1.25, "ProductOldID": "000047"},
    where=lambda d: "type eq 'FERT' and group eq 'L001'",
    patch={"group": "L002"},
    bad=lambda door, s: door.create("item", s.new("TG11")),
    says=(409, "already exists"),
    unknown="NO-SUCH-ITEM",
)
ITEM_PLANT = Sample(key="item", unknown="NO-SUCH-ITEM")
PURCHASE = Sample(
    purchase,
    held=lambda d: {"Supplier": SUPPLIER, "PaymentTerms": d["payment_terms"], "CompanyCode": "1710"},
    where=lambda d: f"supplier eq '{SUPPLIER}'",
    patch={"payment_terms": "0002"},
    bad=lambda door, s: door.create("purchase_order", purchase("BAD", lines=purchase("BAD")["lines"] * 2)),
    says=(409, "already exists"),
    unknown="4599999999",
)
RECEIPT = Sample(
    receipt,
    held=lambda d: {"ReferenceDocument": d["delivery_note"]},
    send=_post,
    bad=lambda door, s: _post(door, "receipt", receipt("BAD", lines=[])),
    says=(422, "A goods receipt with no items receives nothing"),
    unknown="4999999999-2026",
)
MOVEMENT = Sample(
    lambda tag: {"posting_date": "2026-10-02", "lines": [
        {"type": "transfer", "item": MATERIAL, "plant": PLANT, "quantity": {"value": "1.000", "unit": "MTR"},
         "from_location": "1714", "to_location": "1715"}]},
    send=_post,
    fill=lambda door, tag: _post(door, "receipt", receipt(tag)),
    bad=lambda door, s: s.send(door, "movement", s.new("")),
    says=(422, "Property 'StorageLocation' does not exist"),
    unknown="4999999999-2026",
)  # fmt: skip
SAMPLES_V2: Mapping[str, Sample] = {
    "item": ITEM,
    "item_plant": ITEM_PLANT,
    "purchase_order": PURCHASE,
    "receipt": RECEIPT,
    "movement": MOVEMENT,
}
SAMPLES_V4: Mapping[str, Sample] = {k: v for k, v in SAMPLES_V2.items() if k not in ("receipt", "movement")}

PLACES = {
    "item": ("API_PRODUCT_SRV", "api_product", "Product", "Product='{}'"),
    "purchase_order": ("API_PURCHASEORDER_PROCESS_SRV", "api_purchaseorder", "PurchaseOrder", "PurchaseOrder='{}'"),
    "receipt": (
        "API_MATERIAL_DOCUMENT_SRV",
        "",
        "MaterialDocumentHeader",
        "MaterialDocument='{}',MaterialDocumentYear='{}'",
    ),
}
PLACES["movement"] = PLACES["receipt"]


@dataclass(frozen=True, slots=True)
class MockSapTruth:
    """mock-sap's own API, with numbers as numbers whatever its version writes."""

    server: MockSap
    v4: bool

    def _set(self, object_: str) -> str:
        v2, v4, name, _ = PLACES[object_]
        return f"{self.server.v4(v4)}/{name}" if self.v4 else f"{self.server.v2(v2)}/A_{name}"

    def rows(self, object_: str) -> int:
        with self.server.client() as client:
            return int(client.get(f"{self._set(object_)}/$count").raise_for_status().text)

    def held(self, object_: str, key: str) -> Mapping[str, Any]:
        with self.server.client() as client:
            parts = [key] if object_ == "item" else key.split("-")
            url = f"{self._set(object_)}({PLACES[object_][3].format(*parts)})"
            found: Json = client.get(url, headers={"Accept": "application/json"}).raise_for_status().json()
        row = found if self.v4 else found["d"]
        plain = {name: float(v) if name.endswith("Weight") else v for name, v in row.items()}
        # It keeps a number as it was sent, and V2 sends it with its leading zeros.
        return plain | {"Supplier": str(row.get("Supplier", "")).lstrip("0")}
