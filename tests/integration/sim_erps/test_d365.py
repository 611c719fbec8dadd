"""The D365-like face over a socket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.sim.erps import d365_app
from tests.integration.sim_erps.caller import Caller, Start

ORDERS = "/data/ProductionOrderHeaders"
ACTION = "Microsoft.Dynamics.DataEntities"
ORDER = {
    "dataAreaId": "demf",
    "ItemNumber": "1234",
    "ProductionSiteId": "1000",
    "ScheduledQuantity": 10,
    "ScheduledStartDate": "2026-10-05T06:30:00Z",
    "ExternalReference": "INTENT-1",
}


def created(d365: Caller) -> str:
    answer = d365.post(ORDERS, ORDER)
    assert answer.status_code == 201, answer.text
    return f"{ORDERS}(dataAreaId='demf',ProductionOrderNumber='{answer.json()['ProductionOrderNumber']}')"


def test_only_the_own_company_is_seen_unless_all_are_asked_for(d365: Caller) -> None:
    own = d365.get(ORDERS).json()["value"]
    every = d365.get(f"{ORDERS}?cross-company=true").json()["value"]
    assert {o["dataAreaId"] for o in own} == {"demf"}
    assert {o["dataAreaId"] for o in every} == {"demf", "gbmf", "usmf"}
    number = next(o["ProductionOrderNumber"] for o in every if o["dataAreaId"] == "usmf")
    path = f"{ORDERS}(dataAreaId='usmf',ProductionOrderNumber='{number}')"
    assert d365.get(path).status_code == 404
    assert d365.get(f"{path}?cross-company=true").status_code == 200


def test_an_order_runs_through_its_states_by_actions(d365: Caller) -> None:
    path = created(d365)
    order = d365.get(path).json()
    assert order["ProductionOrderNumber"] == "P000013"
    assert (order["ProductionOrderStatus"], order["ScheduledStartDate"]) == ("Created", "2026-10-05T06:30:00Z")
    assert order["StartedDate"] == "1900-01-01T12:00:00Z"
    assert order["ScheduledQuantity"] == 10
    assert d365.post(f"{path}/{ACTION}.Release").json()["ProductionOrderStatus"] == "Released"
    part = d365.post(f"{path}/{ACTION}.ReportAsFinished", {"GoodQuantity": 4})
    assert part.status_code == 200, part.text
    assert (part.json()["ProductionOrderStatus"], part.json()["RemainingReportAsFinishedQuantity"]) == ("StartedUp", 6)
    rest = d365.post(f"{path}/{ACTION}.ReportAsFinished", {"GoodQuantity": 6, "ErrorQuantity": 1})
    assert rest.json()["ProductionOrderStatus"] == "ReportedAsFinished"
    assert d365.post(f"{path}/{ACTION}.End").json()["ProductionOrderStatus"] == "Ended"
    held = d365.get("/data/InventoryOnHand?$filter=ItemNumber eq '1234' and InventorySiteId eq '1000'").json()["value"]
    assert [h["OnHandQuantity"] for h in held] == [510]
    assert [e["origin"] for e in d365.truth("InventoryMovementJournalHeaders")] == ["derived", "derived"]


def test_operations_and_bom_lines_are_navigations(d365: Caller) -> None:
    order = d365.get(f"{created(d365)}?$expand=RouteOperations,BillOfMaterialsLines($select=ItemNumber)").json()
    assert [o["OperationNumber"] for o in order["RouteOperations"]] == [10]
    assert [c["ItemNumber"] for c in order["BillOfMaterialsLines"]] == ["4711", "SEAL-7", "5001"]


def test_writes_need_no_token_and_etags_are_optional_but_judged(d365: Caller) -> None:
    path = created(d365)
    etag = d365.get(path).json()["@odata.etag"]
    assert d365.patch(path, {"ProductionOrderName": "A"}).status_code == 204
    assert d365.patch(path, {"ProductionOrderName": "B"}, **{"If-Match": etag}).status_code == 412


def test_a_site_must_belong_to_the_company(d365: Caller) -> None:
    answer = d365.post(ORDERS, {**ORDER, "ProductionSiteId": "3000"})
    assert answer.status_code == 400
    assert "does not exist in company demf" in answer.json()["error"]["message"]


def test_a_locked_order_is_a_conflict(d365: Caller) -> None:
    path = created(d365)
    key = {"dataAreaId": "demf", "ProductionOrderNumber": "P000013"}
    d365.http.post("/_locks", json={"entity": "ProductionOrderHeaders", "key": key})
    assert d365.post(f"{path}/{ACTION}.Release").status_code == 409


def test_too_many_requests_are_told_when_to_come_back(start: Start) -> None:
    now = [datetime(2026, 10, 2, 16, tzinfo=UTC)]
    d365 = start(d365_app, clock=lambda: now[0], throttle_requests=3, throttle_window_s=300)
    assert [d365.get(ORDERS).status_code for _ in range(4)] == [200, 200, 200, 429]
    now[0] += timedelta(seconds=100)
    assert d365.get(ORDERS).headers["retry-after"] == "200"
    now[0] += timedelta(seconds=200)
    assert d365.get(ORDERS).status_code == 200


def test_what_comes_in_is_posted_on_the_screen_and_shown_as_a_product_receipt(d365: Caller) -> None:
    lines = [{"ItemNumber": "SEAL-7", "ReceivingSiteId": "1000", "OrderedPurchaseQuantity": 500}]
    order = {"dataAreaId": "demf", "OrderVendorAccountNumber": "100010", "PurchaseOrderLines": lines}
    answer = d365.post("/data/PurchaseOrderHeadersV2", order)
    number, path = answer.json()["PurchaseOrderNumber"], answer.headers["location"]
    receipt = {"dataAreaId": "demf", "PurchaseOrderNumber": number, "ProductReceiptNumber": "DN-7"}
    screen = {"entity": "ProductReceiptHeaders", "values": receipt}
    assert d365.http.post("/_screen", json=screen).json()["error"]["code"] == "PUR/2"  # not confirmed
    assert d365.post(f"{path}/{ACTION}.Confirm").status_code == 200
    some = {"ProductReceiptLinesV2": [{"PurchaseOrderLineNumber": 1, "ReceivedPurchaseQuantity": 200}]}
    first = d365.http.post("/_screen", json={**screen, "values": receipt | some}).json()
    assert first["RecordId"] > 2**31
    key = f"dataAreaId='demf',RecordId={first['RecordId']}"
    shown = d365.get(f"/data/ProductReceiptHeaders({key})?$expand=ProductReceiptLinesV2").json()
    [line] = shown["ProductReceiptLinesV2"]
    assert (line["ReceivedPurchaseQuantity"], line["RemainingPurchaseQuantity"]) == (200, 300)
    assert d365.get(path).json()["PurchaseOrderStatus"] == "Confirmed"
    assert d365.http.post("/_screen", json=screen).status_code == 200  # the rest
    assert d365.get(path).json()["PurchaseOrderStatus"] == "Received"
    too_much = {"ProductReceiptLinesV2": [{"PurchaseOrderLineNumber": 1, "ReceivedPurchaseQuantity": 1}]}
    refused = d365.http.post("/_screen", json={**screen, "values": receipt | too_much}).json()
    assert refused["error"]["code"] == "PUR/4"
    assert d365.post("/data/ProductReceiptHeaders", receipt).status_code == 405


def test_purchase_orders_have_lines_and_are_confirmed(d365: Caller) -> None:
    line = {"ItemNumber": "SEAL-7", "ReceivingSiteId": "1000", "OrderedPurchaseQuantity": 500}
    body = {"dataAreaId": "demf", "OrderVendorAccountNumber": "100010", "PurchaseOrderLines": [line]}
    answer = d365.post("/data/PurchaseOrderHeadersV2", body)
    assert answer.status_code == 201, answer.text
    saved = answer.json()["PurchaseOrderLines"][0]
    assert (saved["LineNumber"], saved["PurchasePrice"], saved["PurchasePriceQuantity"]) == (1, 185, 100)
    path = answer.headers["location"]
    assert d365.post(f"{path}/{ACTION}.Confirm").json()["PurchaseOrderStatus"] == "Confirmed"
