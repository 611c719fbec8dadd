"""The S/4-like face over a socket: OData V4."""

from __future__ import annotations

import json
from decimal import Decimal

from gateway.sim.erps import cloud_app
from tests.integration.sim_erps.caller import Caller, Start, v4

ORDERS = v4("api_production_order") + "ProductionOrder"
CONFIRM = v4("api_production_order_confirmation") + "ProductionOrderConfirmation"
MOVEMENTS = v4("api_material_document") + "MaterialDocument"
STOCK = v4("api_material_stock") + "MaterialStock"
PURCHASES = v4("api_purchaseorder") + "PurchaseOrder"
PRODUCTS = v4("api_product") + "Product"

ORDER = {
    "ProductionOrderType": "PP01",
    "ProductionPlant": "1000",
    "Product": "1234",
    "OrderPlannedTotalQty": 10,
    "OrderPlannedStartDate": "2026-10-05",
    "OrderPlannedStartTime": "06:30:00",
    "YY1_ExternalReference_ORD": "INTENT-1",
}


def created(cloud: Caller, **values: object) -> str:
    answer = cloud.post(ORDERS, {**ORDER, **values})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ProductionOrder"])


def released(cloud: Caller) -> str:
    order = created(cloud)
    assert cloud.post(f"{ORDERS}('{order}')/SAP__self.ReleaseOrder").status_code == 200
    return order


def test_a_document_is_served_in_the_shape_of_odata_v4(cloud: Caller) -> None:
    answer = cloud.get(f"{ORDERS}('50000000')?$expand=_ProductionOrderOperation($select=WorkCenter)")
    order = answer.json()
    assert order["@odata.context"].endswith("/$metadata#ProductionOrder/$entity")
    assert order["@odata.etag"] == answer.headers["etag"]
    assert order["ProductionOrder"] == "50000000"
    assert order["OrderPlannedStartTime"] == "06:00:00"
    assert len(order["OrderPlannedStartDate"]) == 10
    assert set(order["_ProductionOrderOperation"][0]) == {"WorkCenter"}
    assert answer.headers["odata-version"] == "4.0"


def test_decimals_are_exact_numbers_or_text_where_the_caller_asks_for_text(cloud: Caller) -> None:
    path = f"{ORDERS}('{created(cloud, OrderPlannedTotalQty=0.125)}')"
    assert json.loads(cloud.get(path).text, parse_float=Decimal)["OrderPlannedTotalQty"] == Decimal("0.125")
    text = cloud.get(path, Accept="application/json;IEEE754Compatible=true").json()
    assert text["OrderPlannedTotalQty"] == "0.125"
    as_text = {"Content-Type": "application/json;IEEE754Compatible=true"}
    assert cloud.post(ORDERS, {**ORDER, "OrderPlannedTotalQty": "1.5"}, **as_text).status_code == 201
    assert cloud.post(ORDERS, {**ORDER, "OrderPlannedTotalQty": "1.5"}).status_code == 400


def test_lists_count_page_filter_and_order(start: Start) -> None:
    cloud = start(cloud_app, page_size=5)
    seen, url = [], f"{ORDERS}?$count=true&$orderby=ProductionOrder desc&$filter=OrderPlannedTotalQty gt 0"
    while url:
        page = cloud.get(url).json()
        assert page["@odata.count"] == 12
        seen += [row["ProductionOrder"] for row in page["value"]]
        url = page.get("@odata.nextLink", "")
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 12
    small = cloud.get(ORDERS, Prefer="odata.maxpagesize=2").json()
    assert (len(small["value"]), "$skiptoken=2" in small["@odata.nextLink"]) == (2, True)
    assert cloud.get(f"{ORDERS}/$count?$filter=contains(YY1_ExternalReference_ORD,'SEED')").text == "12"
    in_list = cloud.get(f"{ORDERS}?$filter=ProductionOrder in ('50000000','50000003')").json()["value"]
    assert [row["ProductionOrder"] for row in in_list] == ["50000000", "50000003"]
    assert cloud.get(f"{ORDERS}?$filter=OrderPlannedStartDate ge 2026-10-02&$top=1").json()["value"]


def test_errors_have_the_v4_shape(cloud: Caller) -> None:
    missing = cloud.get(f"{ORDERS}('1')")
    assert missing.status_code == 404
    assert isinstance(missing.json()["error"]["message"], str)
    unknown = cloud.post(ORDERS, {**ORDER, "Product": "000000000000001234"})
    assert unknown.status_code == 400
    assert unknown.json()["error"]["target"] == "Product"
    assert unknown.json()["error"]["details"][0]["code"] == "M3/305"
    assert cloud.get(f"{ORDERS}?$search=x").status_code == 501
    assert cloud.get(f"{ORDERS}?$inlinecount=allpages").status_code == 400


def test_a_write_needs_a_token_and_its_cookie(start: Start) -> None:
    cloud = start(cloud_app, token=False)
    assert cloud.post(ORDERS, ORDER).status_code == 403
    cloud.fetch_token()
    assert created(cloud) == "50000012"
    cloud.http.cookies.clear()
    assert cloud.post(ORDERS, ORDER).status_code == 403


def test_oauth_clients_get_tokens_that_run_out(start: Start) -> None:
    cloud = start(cloud_app, clients={"gateway": "s3cret"}, token_lifetime_s=60)
    assert cloud.get(ORDERS).headers["www-authenticate"] == "Bearer"
    form = {"grant_type": "client_credentials", "client_id": "gateway", "client_secret": "wrong"}
    assert cloud.http.post("/oauth/token", data=form).status_code == 401
    token = cloud.http.post("/oauth/token", data={**form, "client_secret": "s3cret"}).json()
    assert token["expires_in"] == 60
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    assert cloud.get(ORDERS, **bearer).status_code == 200
    basic = cloud.http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=("gateway", "s3cret"))
    assert basic.status_code == 200
    cloud.http.post("/_restart")
    refused = cloud.get(ORDERS, **bearer)
    assert (refused.status_code, "invalid_token" in refused.headers["www-authenticate"]) == (401, True)


def test_a_deep_insert_answers_with_its_lines_and_a_location(cloud: Caller) -> None:
    item = {"Material": "SEAL-7", "Plant": "3000", "OrderQuantity": 500, "NetPriceAmount": 185, "NetPriceQuantity": 100}
    answer = cloud.post(PURCHASES, {"Supplier": "100010", "to_PurchaseOrderItem": [item]})
    assert answer.status_code == 201, answer.text
    purchase = answer.json()
    assert purchase["PurchaseOrder"] == "4700000006"
    assert purchase["to_PurchaseOrderItem"][0]["PurchaseOrderItem"] == "00010"
    assert answer.headers["location"].endswith("/PurchaseOrder('4700000006')")
    minimal = cloud.post(PURCHASES, {"Supplier": "100010"}, Prefer="return=minimal")
    assert (minimal.status_code, minimal.content) == (204, b"")
    assert minimal.headers["odata-entityid"].endswith("('4700000007')")
    released_order = cloud.post(f"{PURCHASES}('4700000006')/SAP__self.Release").json()
    assert released_order["PurchasingProcessingStatus"] == "05"


def test_a_change_needs_the_etag_and_a_stale_one_is_refused(cloud: Caller) -> None:
    path = f"{ORDERS}('{created(cloud)}')"
    etag = cloud.get(path).headers["etag"]
    assert cloud.patch(path, {"OrderPlannedTotalQty": 20}).status_code == 428
    assert cloud.patch(path, {"OrderPlannedTotalQty": 20}, **{"If-Match": etag}).status_code == 204
    assert cloud.patch(path, {"OrderPlannedTotalQty": 30}, **{"If-Match": etag}).status_code == 412
    stale = cloud.post(f"{path}/SAP__self.ReleaseOrder", **{"If-Match": etag})
    assert stale.status_code == 412
    assert cloud.get(path, **{"If-None-Match": cloud.get(path).headers["etag"]}).status_code == 304


def test_a_confirmation_derives_a_movement_and_changes_stock(cloud: Caller) -> None:
    order = released(cloud)
    answer = cloud.post(CONFIRM, {"ProductionOrder": order, "ConfirmationYieldQuantity": 10})
    assert answer.status_code == 201, answer.text
    row = cloud.get(f"{ORDERS}('{order}')").json()
    assert (row["OrderIsConfirmed"], row["OrderIsDelivered"], row["OrderConfirmedYieldQty"]) == (True, True, 10)
    [movement] = cloud.truth("MaterialDocument")
    assert movement["origin"] == "derived"
    document = f"MaterialDocument='{answer.json()['MaterialDocument']}',MaterialDocumentYear='2026'"
    lines = cloud.get(f"{MOVEMENTS}({document})/_MaterialDocumentItem").json()["value"]
    assert [(i["MaterialDocumentItem"], i["GoodsMovementType"]) for i in lines][:2] == [("1", "101"), ("2", "261")]
    held = cloud.get(f"{STOCK}?$filter=Product eq '1234' and Plant eq '1000'").json()["value"]
    assert [s["MatlWrhsStkQtyInMatlBaseUnit"] for s in held] == [510]
    key = answer.headers["location"].rpartition("/")[2]
    assert cloud.post(f"{CONFIRM.rpartition('/')[0]}/{key}/SAP__self.Cancel").status_code == 200
    assert cloud.get(f"{ORDERS}('{order}')").json()["OrderIsConfirmed"] is False


def test_the_names_of_products_and_purchase_orders_are_those_of_mock_sap(cloud: Caller) -> None:
    row = cloud.get(f"{PRODUCTS}('PUMP-100')?$expand=to_Description,to_Plant").json()
    assert row["CreationDate"] == "2026-10-02T16:00:00Z"
    assert row["to_Description"][0] == {
        "Product": "PUMP-100",
        "Language": "EN",
        "ProductDescription": "Centrifugal pump 100",
    }
    assert [p["Plant"] for p in row["to_Plant"]] == ["1000", "2000", "3000"]


def test_a_create_is_repeatable_only_where_the_system_says_so(start: Start) -> None:
    plain, careful = start(cloud_app, dedup_window_s=0), start(cloud_app, dedup_window_s=600)
    again = {"Repeatability-Request-ID": "0d6e", "Repeatability-First-Sent": "Fri, 02 Oct 2026 16:00:00 GMT"}
    numbers = [plain.post(ORDERS, ORDER, **again).json()["ProductionOrder"] for _ in range(2)]
    assert numbers == ["50000012", "50000013"]
    answers = [careful.post(ORDERS, ORDER, **again) for _ in range(2)]
    assert [a.json()["ProductionOrder"] for a in answers] == ["50000012", "50000012"]
    assert answers[1].headers["repeatability-result"] == "accepted"
    assert len(careful.truth("ProductionOrder")) == 1
