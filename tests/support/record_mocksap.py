"""The calls to record from mock-sap: OData V2 as `sap-ecc`, OData V4 as `sap-s4`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from tests.support.mocksap import MockSap
from tests.support.record import Recorder

PRODUCT = {
    "Product": "CO-FG-100",
    "ProductType": "FERT",
    "ProductGroup": "L001",
    "BaseUnit": "PC",
    "GrossWeight": "1.250",
    "NetWeight": "1.000",
    "WeightUnit": "KG",
}
PLANT = {"Plant": "1010", "MRPType": "PD", "PurchasingGroup": "001"}
ORDER = {
    "PurchaseOrderType": "NB",
    "CompanyCode": "1710",
    "PurchasingOrganization": "1710",
    "PurchasingGroup": "001",
    "Supplier": "1000010",
    "DocumentCurrency": "EUR",
}
ORDER_ITEM = {
    "PurchaseOrderItem": "00010",
    "Material": "MZ-FG-C100",
    "Plant": "1710",
    "StorageLocation": "1714",
    "OrderQuantity": "12.000",
    "PurchaseOrderQuantityUnit": "M",
    "NetPriceAmount": "101.78",
    "NetPriceQuantity": "1",
}

RECEIPT_ITEM = {
    "GoodsMovementType": "101",
    "PurchaseOrder": "4500000101",
    "PurchaseOrderItem": "00010",
    "Material": "MZ-FG-C100",
    "Plant": "1710",
    "QuantityInEntryUnit": "20.000",
    "EntryUnit": "M",
}


def record_mocksap(server: MockSap) -> None:
    """Record every object of both dialects."""
    source = f"mock-sap {version('mock-sap')}"
    with server.client() as client:
        v2 = Recorder("sap-ecc", f"{source}, OData V2", client)
        for name, service, record in V2_OBJECTS:
            record(Service(v2, server.v2(service), v4=False))
            v2.save(name)
            v2.save_metadata(service, f"{server.v2(service)}/$metadata")
    server.reset()
    with server.client() as client:
        v4 = Recorder("sap-s4", f"{source}, OData V4", client)
        for name, service, record in V4_OBJECTS:
            record(Service(v4, server.v4(service), v4=True))
            v4.save(name)
            v4.save_metadata(service, f"{server.v4(service)}/$metadata")


class Service:
    """One OData service being recorded, with its CSRF token."""

    def __init__(self, recorder: Recorder, root: str, *, v4: bool) -> None:
        self._recorder, self._root, self.v4 = recorder, root, v4
        answer = self.get("csrf_fetch", "", **{"X-CSRF-Token": "Fetch"})
        self._token = {"X-CSRF-Token": answer.headers["x-csrf-token"]}

    def get(self, name: str, path: str, **headers: str) -> Any:
        sent = {"Accept": "application/json", **headers}
        return self._recorder.send(name, "GET", f"{self._root}/{path}", headers=sent)

    def send(self, name: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        url = f"{self._root}/{path}"
        sent = {"Accept": "application/json", **self._token, **headers}
        return self._recorder.send(name, method, url, body=body, headers=sent)

    def send_without_token(self, name: str, path: str, body: Any) -> Any:
        sent = {"Accept": "application/json"}
        return self._recorder.send(name, "POST", f"{self._root}/{path}", body=body, headers=sent)

    def set(self, name: str) -> str:
        """The name of an entity set: V2 says A_Product, V4 Product."""
        return name if self.v4 else f"A_{name}"

    def count(self) -> str:
        return "$count=true" if self.v4 else "$inlinecount=allpages"

    def body(self, answer: Any) -> dict[str, Any]:
        document: dict[str, Any] = answer.json()
        return document if self.v4 else document["d"]

    def many(self, rows: list[dict[str, Any]]) -> Any:
        """Children in a deep create."""
        return rows if self.v4 else {"results": rows}


def record_item(sap: Service) -> None:
    items = sap.set("Product")
    sap.get("read", f"{items}('MZ-FG-C100')")
    sap.get("read_expand", f"{items}('MZ-FG-C100')?$expand=to_Plant,to_Description")
    sap.get("list", f"{items}?$filter=ProductType eq 'FERT'&$orderby=Product&$top=2&$skip=1&{sap.count()}")
    sap.get("list_select", f"{items}?$filter=startswith(Product,'MZ-')&$select=Product,BaseUnit&$top=2")
    sap.get("missing", f"{items}('NOPE')")
    sap.get("bad_filter", f"{items}?$filter=Nope eq 'x'")
    deep = {
        **PRODUCT,
        "to_Plant": sap.many([PLANT]),
        "to_Description": sap.many([{"Language": "EN", "ProductDescription": "Gear pump"}]),
    }
    sap.send_without_token("create_without_csrf", items, deep)
    sap.send("create_deep", "POST", items, deep)
    sap.send("create_duplicate", "POST", items, PRODUCT)
    sap.send("create_unknown_property", "POST", items, {**PRODUCT, "Product": "CO-2", "Nope": "x"})
    sap.send("create_too_long", "POST", items, {**PRODUCT, "Product": "X" * 60})
    record_change(sap, f"{items}('CO-FG-100')", {"ProductGroup": "L002"})


def record_change(sap: Service, path: str, change: dict[str, Any]) -> None:
    """One change without an ETag, with a stale one, with a good one; the read before and after."""
    before = sap.get("read_before_change", path)
    document = sap.body(before)
    etag = document["@odata.etag"] if sap.v4 else document["__metadata"]["etag"]
    sap.send("change_without_if_match", "PATCH", path, change)
    sap.send("change", "PATCH", path, change, **{"If-Match": etag})
    sap.send("change_stale", "PATCH", path, change, **{"If-Match": "W/\"datetime'2001-01-01T00%3A00%3A00'\""})
    sap.get("read_after_change", path)


def record_item_plant(sap: Service) -> None:
    plants, key = sap.set("ProductPlant"), "(Product='MZ-FG-C100',Plant='1010')"
    sap.get("read", f"{plants}{key}")
    sap.get("list", f"{plants}?$filter=Plant eq '1010'&$orderby=Product&$top=2&{sap.count()}")
    sap.get("missing", f"{plants}(Product='MZ-FG-C100',Plant='9999')")
    sap.send("create", "POST", plants, {"Product": "CO-FG-100", "Plant": "1710", "MRPType": "ND"})
    sap.send("change", "PATCH", f"{plants}{key}", {"MRPType": "VB"})
    sap.get("read_after_change", f"{plants}{key}")


def record_purchase_order(sap: Service) -> None:
    orders = sap.set("PurchaseOrder")
    sap.get("read_expand", f"{orders}('4500000101')?$expand=to_PurchaseOrderItem")
    sap.get("list", f"{orders}?$filter=Supplier eq '1000010'&$orderby=PurchaseOrder&$top=1&{sap.count()}")
    sap.get("list_items", f"{sap.set('PurchaseOrderItem')}?$filter=Plant eq '1710'&$orderby=PurchaseOrder&$top=2")
    created = sap.send("create_deep", "POST", orders, {**ORDER, "to_PurchaseOrderItem": sap.many([ORDER_ITEM])})
    number = sap.body(created)["PurchaseOrder"]
    sap.get("read_created", f"{orders}('{number}')?$expand=to_PurchaseOrderItem")
    line = f"{sap.set('PurchaseOrderItem')}(PurchaseOrder='{number}',PurchaseOrderItem='00010')"
    quantity: Any = 15.5 if sap.v4 else "15.500"
    sap.send("change_item", "PATCH", line, {"OrderQuantity": quantity})
    sap.send("change_header", "PATCH", f"{orders}('{number}')", {"PaymentTerms": "0002"})
    sap.get("read_after_change", f"{orders}('{number}')?$expand=to_PurchaseOrderItem")
    unknown = {**ORDER, "Supplier": "9999999", "to_PurchaseOrderItem": sap.many([ORDER_ITEM])}
    sap.send("create_unknown_supplier", "POST", orders, unknown)
    bad = {**ORDER_ITEM, "OrderQuantity": "twelve"}
    sap.send("create_bad_quantity", "POST", orders, {**ORDER, "to_PurchaseOrderItem": sap.many([bad])})
    sap.get("missing", f"{orders}('4599999999')")


def record_receipt(sap: Service) -> None:
    """A goods receipt against an order, movement type 101."""
    documents = "A_MaterialDocumentHeader"
    header = {"DocumentDate": "2026-10-02T00:00:00", "PostingDate": "2026-10-02T00:00:00", "ReferenceDocument": "DN-77"}
    document = {**header, "to_MaterialDocumentItem": sap.many([RECEIPT_ITEM])}
    made = sap.body(sap.send("create_deep", "POST", documents, document))
    number, year = made["MaterialDocument"], made["MaterialDocumentYear"]
    key = f"(MaterialDocument='{number}',MaterialDocumentYear='{year}')"
    sap.get("read_expand", f"{documents}{key}?$expand=to_MaterialDocumentItem")
    sap.get("find_by_reference", f"{documents}?$filter=ReferenceDocument eq 'DN-77'&$expand=to_MaterialDocumentItem")
    transfer = {**RECEIPT_ITEM, "GoodsMovementType": "311", "PurchaseOrder": "", "PurchaseOrderItem": ""}
    sap.send("create_without_order", "POST", documents, {**header, "to_MaterialDocumentItem": sap.many([transfer])})
    sap.send("create_without_items", "POST", documents, header)
    sap.get("missing", f"{documents}(MaterialDocument='4999999999',MaterialDocumentYear='2026')")


Objects = tuple[tuple[str, str, Callable[[Service], None]], ...]

V2_OBJECTS: Objects = (
    ("item", "API_PRODUCT_SRV", record_item),
    ("item_plant", "API_PRODUCT_SRV", record_item_plant),
    ("purchase_order", "API_PURCHASEORDER_PROCESS_SRV", record_purchase_order),
    ("receipt", "API_MATERIAL_DOCUMENT_SRV", record_receipt),
)
V4_OBJECTS: Objects = (
    ("item", "api_product", record_item),
    ("item_plant", "api_product", record_item_plant),
    ("purchase_order", "api_purchaseorder", record_purchase_order),
)
