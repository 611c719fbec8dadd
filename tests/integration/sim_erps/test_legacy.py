"""The ECC-like face over a socket: OData V2."""

from __future__ import annotations

from gateway.sim.erps import legacy_app
from tests.integration.sim_erps.caller import V2, Caller, Start

ORDERS = V2 + "API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2"
RELEASE = V2 + "API_PRODUCTION_ORDER_2_SRV/ReleaseOrder"
CONFIRM = V2 + "API_PROD_ORDER_CONFIRMATION_2_SRV/ProdnOrdConf2"
MOVEMENTS = V2 + "API_MATERIAL_DOCUMENT_SRV/A_MaterialDocumentHeader"
STOCK = V2 + "API_MATERIAL_STOCK_SRV/A_MatlStkInAcctMod"
PURCHASES = V2 + "API_PURCHASEORDER_PROCESS_SRV/A_PurchaseOrder"
PRODUCTS = V2 + "API_PRODUCT_SRV/A_Product"
CYLINDER = "000000000000001234"

ORDER = {
    "ManufacturingOrderType": "PP01",
    "ProductionPlant": "1000",
    "Material": CYLINDER,
    "TotalQuantity": "10",
    "MfgOrderPlannedStartDate": "/Date(1791158400000)/",
    "MfgOrderPlannedStartTime": "PT06H30M00S",
    "ZZExternalReference": "INTENT-1",
}


def created(legacy: Caller, **values: object) -> str:
    answer = legacy.post(ORDERS, {**ORDER, **values})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["d"]["ManufacturingOrder"])


def released(legacy: Caller, **values: object) -> str:
    order = created(legacy, **values)
    assert legacy.post(f"{RELEASE}?ManufacturingOrder='{order}'").status_code == 200
    return order


def stock(legacy: Caller, item: str, plant: str = "1000") -> str:
    found = legacy.get(f"{STOCK}?$filter=Material eq '{item}' and Plant eq '{plant}'").json()["d"]["results"]
    return str(found[0]["MatlWrhsStkQtyInMatlBaseUnit"])


def message(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]  # type: ignore[attr-defined]


# -- sessions


def test_a_write_needs_the_token_and_the_cookie_it_was_given_with(start: Start) -> None:
    legacy = start(legacy_app, token=False)
    refused = legacy.post(ORDERS, ORDER)
    assert (refused.status_code, refused.headers["x-csrf-token"]) == (403, "Required")
    assert refused.json()["error"]["code"] == "/IWFND/CM_CSRF"
    legacy.fetch_token()
    assert legacy.post(ORDERS, ORDER).status_code == 201
    legacy.http.cookies.clear()
    assert legacy.post(ORDERS, ORDER).status_code == 403
    assert len(legacy.truth("A_ProductionOrder_2")) == 1


def test_a_head_request_with_and_without_a_slash_fetches_the_token(start: Start) -> None:
    legacy = start(legacy_app, token=False)
    for path in (V2 + "API_PRODUCT_SRV/", V2 + "API_PRODUCT_SRV", PRODUCTS):
        answer = legacy.http.head(path, headers={"X-CSRF-Token": "Fetch"})
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["x-csrf-token"]
    legacy.headers["X-CSRF-Token"] = answer.headers["x-csrf-token"]
    assert legacy.post(ORDERS, ORDER).status_code == 201


def test_a_restart_ends_all_sessions(legacy: Caller) -> None:
    legacy.http.post("/_restart")
    assert legacy.post(ORDERS, ORDER).status_code == 403
    legacy.fetch_token()
    assert legacy.post(ORDERS, ORDER).status_code == 201


def test_basic_credentials_and_the_sap_client_are_checked(start: Start) -> None:
    legacy = start(legacy_app, users={"GATEWAY": "secret"})
    refused = legacy.get(PRODUCTS)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Basic realm="legacy"')
    legacy.http.auth = ("GATEWAY", "wrong")
    assert legacy.get(PRODUCTS).status_code == 401
    legacy.http.auth = ("GATEWAY", "secret")
    assert legacy.get(PRODUCTS, **{"sap-client": "100"}).status_code == 200
    assert legacy.get(PRODUCTS + "?sap-client=999").status_code == 401


# -- reading


def test_a_document_is_served_in_the_shape_of_odata_v2(legacy: Caller) -> None:
    answer = legacy.get(f"{ORDERS}('000001000000')")
    order = answer.json()["d"]
    assert order["ManufacturingOrder"] == "000001000000"
    assert order["__metadata"]["type"] == "API_PRODUCTION_ORDER_2_SRV.A_ProductionOrder_2Type"
    assert order["__metadata"]["uri"].endswith("A_ProductionOrder_2('000001000000')")
    assert order["__metadata"]["etag"] == answer.headers["etag"]
    assert order["TotalQuantity"].endswith(".000")
    assert order["MfgOrderPlannedStartDate"].startswith("/Date(")
    assert order["MfgOrderPlannedStartTime"] == "PT06H00M00S"
    assert order["MfgOrderActualStartDate"] is None
    assert order["OrderIsCreated"] is not order["OrderIsReleased"]
    assert order["to_ProductionOrderOperation"]["__deferred"]["uri"].startswith("http://127.0.0.1")
    assert answer.headers["dataserviceversion"] == "2.0"
    assert len([v for v in order.values() if not isinstance(v, dict)]) > 35


def test_select_and_expand_cut_the_answer_to_what_was_asked_for(legacy: Caller) -> None:
    query = "$select=ManufacturingOrder,to_ProductionOrderComponent/Material&$expand=to_ProductionOrderComponent"
    order = legacy.get(f"{ORDERS}('000001000000')?{query}").json()["d"]
    assert set(order) == {"__metadata", "ManufacturingOrder", "to_ProductionOrderComponent"}
    assert {"Material"} == set(order["to_ProductionOrderComponent"]["results"][0]) - {"__metadata"}


def test_nested_expands_go_down_two_levels(legacy: Caller) -> None:
    query = "$top=1&$expand=to_PurchaseOrderItem/to_ScheduleLine"
    purchase = legacy.get(f"{PURCHASES}?{query}").json()["d"]["results"][0]
    lines = purchase["to_PurchaseOrderItem"]["results"][0]["to_ScheduleLine"]["results"]
    assert [line["ScheduleLine"] for line in lines] == ["0001"]


def test_filters_understand_v2_literals_and_functions(legacy: Caller) -> None:
    created(legacy)

    def found(condition: str) -> int:
        answer = legacy.http.get(ORDERS, params={"$filter": condition, "$inlinecount": "allpages"})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["d"]["__count"])

    assert found("ZZExternalReference eq 'INTENT-1'") == 1
    assert found(f"Material eq '{CYLINDER}' and TotalQuantity eq 10M and ZZExternalReference ne ''") == 1
    assert found("substringof('TENT',ZZExternalReference)") == 1
    assert found("substringof('TENT',ZZExternalReference) eq true and startswith(Material,'0000')") == 1
    assert found("MfgOrderPlannedStartDate eq datetime'2026-10-05T00:00:00' and TotalQuantity eq 10.000m") == 1
    assert found("MfgOrderPlannedStartTime eq time'PT06H30M00S'") == 1
    assert found("LastChangeDateTime ge datetimeoffset'2026-10-02T16:00:00Z' and OrderIsReleased eq false") >= 1
    assert found("ManufacturingOrder eq '000001000000' or ManufacturingOrder eq 'it''s'") == 1
    assert found("not (TotalQuantity gt 0)") == 0


def test_an_unknown_property_or_option_is_refused(legacy: Caller) -> None:
    assert legacy.get(f"{ORDERS}?$filter=Nope eq 'x'").status_code == 400
    assert legacy.get(f"{ORDERS}?$filter=Material eq").status_code == 400
    assert legacy.get(f"{ORDERS}?$expand=to_Nothing").status_code == 400
    assert legacy.get(f"{ORDERS}?$select=Nope").status_code == 400
    assert legacy.get(f"{ORDERS}?$orderby=Nope").status_code == 400
    assert legacy.get(f"{ORDERS}?$count=true").status_code == 400
    assert legacy.get(V2 + "NO_SUCH_SRV/Things").status_code == 404


def test_the_server_pages_and_the_links_lead_through_all_rows_once(start: Start) -> None:
    legacy = start(legacy_app, page_size=5)
    seen, url = [], f"{ORDERS}?$select=ManufacturingOrder&$orderby=ManufacturingOrder desc&$inlinecount=allpages"
    while url:
        page = legacy.get(url).json()["d"]
        assert page["__count"] == "12"
        seen += [row["ManufacturingOrder"] for row in page["results"]]
        url = page.get("__next", "")
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 12


def test_skip_and_top_mean_the_whole_when_the_server_pages(start: Start) -> None:
    legacy = start(legacy_app, page_size=3)
    seen, url = [], f"{ORDERS}?$skip=2&$top=7"
    while url:
        page = legacy.get(url).json()["d"]
        seen += [row["ManufacturingOrder"][-2:] for row in page["results"]]
        url = page.get("__next", "")
    assert seen == ["02", "03", "04", "05", "06", "07", "08"]
    assert legacy.get(f"{ORDERS}/$count").text == "12"


def test_keys_may_be_named_and_quotes_encoded(legacy: Caller) -> None:
    assert legacy.get(f"{ORDERS}(ManufacturingOrder=%27000001000000%27)").status_code == 200
    assert legacy.get(f"{ORDERS}('1000000')").status_code == 404
    plant = V2 + f"API_PRODUCT_SRV/A_ProductPlant(Plant='1000',Product='{CYLINDER}')"
    assert legacy.get(plant).json()["d"]["MRPType"] == "PD"
    assert legacy.get(f"{ORDERS}(000001000000)").status_code == 400


# -- creating


def test_orders_are_numbered_with_twelve_digits_and_bring_operations_and_components(legacy: Caller) -> None:
    answer = legacy.post(ORDERS, ORDER)
    order = answer.json()["d"]
    assert order["ManufacturingOrder"] == "000001000012"
    assert answer.headers["location"] == order["__metadata"]["uri"]
    assert order["ProductionUnit"] == "ST"
    assert order["ProductionUnitISOCode"] == "PCE"
    lines = legacy.get(f"{ORDERS}('000001000012')/to_ProductionOrderComponent").json()["d"]["results"]
    assert (lines[0]["Material"], lines[0]["RequiredQuantity"]) == ("000000000000004711", "10.000")
    origins = [(e["entity"], e["origin"]) for e in legacy.truth()]
    assert origins[0] == ("A_ProductionOrder_2", "api")
    assert {o for _, o in origins[1:]} == {"derived"}
    assert len({e["unit"] for e in legacy.truth()}) == 1


def test_a_caller_may_number_an_order_outside_the_internal_range(legacy: Caller) -> None:
    assert created(legacy, ManufacturingOrder="000050000000") == "000050000000"
    assert legacy.post(ORDERS, {**ORDER, "ManufacturingOrder": "000050000000"}).status_code == 409
    assert legacy.post(ORDERS, {**ORDER, "ManufacturingOrder": "000001000900"}).status_code == 400


def test_a_deep_insert_creates_the_document_and_its_lines_together(legacy: Caller) -> None:
    item = {"Material": "SEAL-7", "Plant": "1000", "OrderQuantity": "500", "NetPriceAmount": "185.00"}
    body = {"Supplier": "0000100010", "to_PurchaseOrderItem": {"results": [{**item, "NetPriceQuantity": "100"}, item]}}
    answer = legacy.post(PURCHASES, body)
    assert answer.status_code == 201, answer.text
    purchase = answer.json()["d"]
    assert purchase["PurchaseOrder"] == "4500000006"
    lines = purchase["to_PurchaseOrderItem"]["results"]
    assert [(i["PurchaseOrderItem"], i["NetPriceAmount"], i["NetPriceQuantity"]) for i in lines] == [
        ("00010", "185.00", "100.000"),
        ("00020", "185.00", "1.000"),
    ]


def test_a_deep_insert_with_one_bad_line_leaves_nothing(legacy: Caller) -> None:
    good = {"Material": "SEAL-7", "Plant": "1000", "OrderQuantity": "5"}
    lines = [good, {**good, "Material": "NO-SUCH"}]
    answer = legacy.post(PURCHASES, {"Supplier": "0000100010", "to_PurchaseOrderItem": lines})
    assert message(answer) == (400, "M3/305")
    assert legacy.truth() == []
    assert legacy.get(f"{PURCHASES}/$count").text == "6"


def test_what_the_business_does_not_allow_is_refused_with_code_and_property(legacy: Caller) -> None:
    for values, code, target in (
        ({"Material": "1234"}, "M3/305", "Material"),  # not padded
        ({"ProductionPlant": "9999"}, "M3/238", "ProductionPlant"),
        ({"TotalQuantity": "-1"}, "CO/049", "TotalQuantity"),
        ({"TotalQuantity": "0"}, "00/055", "TotalQuantity"),
        ({"ProductionUnit": "PC"}, "BM/302", "ProductionUnit"),
        ({"StorageLocation": "0099"}, "M7/091", "StorageLocation"),
        ({"TotalQuantity": 10}, "/IWBEP/CX_MGW_BUSI_EXCEPTION", "TotalQuantity"),
        ({"TotalQuantity": "1.0001"}, "/IWBEP/CX_MGW_BUSI_EXCEPTION", "TotalQuantity"),
        ({"Nope": "x"}, "/IWBEP/CX_MGW_BUSI_EXCEPTION", "Nope"),
        ({"OrderIsReleased": True}, "/IWBEP/CX_MGW_BUSI_EXCEPTION", "OrderIsReleased"),
        ({"GoodsRecipientName": "x" * 13}, "/IWBEP/CX_MGW_BUSI_EXCEPTION", "GoodsRecipientName"),
    ):
        answer = legacy.post(ORDERS, {**ORDER, **values})
        assert message(answer) == (400, code), answer.text
        assert answer.json()["error"]["innererror"]["errordetails"][0]["propertyref"] == target
    assert legacy.truth() == []


# -- changing


def test_a_change_needs_the_etag_and_a_stale_one_is_refused(legacy: Caller) -> None:
    order = f"{ORDERS}('{created(legacy)}')"
    etag = legacy.get(order).headers["etag"]
    assert legacy.patch(order, {"TotalQuantity": "20"}).status_code == 428
    done = legacy.patch(order, {"TotalQuantity": "20"}, **{"If-Match": etag})
    assert (done.status_code, done.content) == (204, b"")
    assert legacy.patch(order, {"TotalQuantity": "30"}, **{"If-Match": etag}).status_code == 412
    assert legacy.patch(order, {"TotalQuantity": "30"}, **{"If-Match": done.headers["etag"]}).status_code == 204
    row = legacy.get(f"{order}?$expand=to_ProductionOrderComponent").json()["d"]
    assert row["TotalQuantity"] == "30.000"
    assert row["to_ProductionOrderComponent"]["results"][0]["RequiredQuantity"] == "30.000"


def test_merge_works_as_a_method_and_tunnelled_through_post(legacy: Caller) -> None:
    order = f"{ORDERS}('{created(legacy)}')"
    any_version = {**legacy.headers, "If-Match": "*"}
    merge = legacy.http.request("MERGE", order, json={"GoodsRecipientName": "A"}, headers=any_version)
    assert merge.status_code == 204
    tunnelled = {**any_version, "X-HTTP-Method": "MERGE"}
    assert legacy.http.post(order, json={"UnloadingPointName": "B"}, headers=tunnelled).status_code == 204
    row = legacy.get(order).json()["d"]
    assert (row["GoodsRecipientName"], row["UnloadingPointName"]) == ("A", "B")


def test_put_sets_what_was_not_sent_back_to_its_initial_value(legacy: Caller) -> None:
    order = f"{ORDERS}('{created(legacy, GoodsRecipientName='A', UnloadingPointName='B')}')"
    body = {"GoodsRecipientName": "C", "TotalQuantity": "10"}
    answer = legacy.http.put(order, json=body, headers={**legacy.headers, "If-Match": "*"})
    assert answer.status_code == 204, answer.text
    row = legacy.get(order).json()["d"]
    assert (row["GoodsRecipientName"], row["UnloadingPointName"], row["Material"]) == ("C", "", CYLINDER)


def test_a_released_order_keeps_its_quantity(legacy: Caller) -> None:
    order = released(legacy)
    row = legacy.get(f"{ORDERS}('{order}')").json()["d"]
    assert (row["OrderIsCreated"], row["OrderIsReleased"]) == (False, True)
    assert row["MfgOrderActualReleaseDate"] == "/Date(1790899200000)/"
    path, anyway = f"{ORDERS}('{order}')", {"If-Match": "*"}
    assert legacy.patch(path, {"TotalQuantity": "99"}, **anyway).status_code == 400
    assert legacy.patch(path, {"GoodsRecipientName": "X"}, **anyway).status_code == 204
    assert message(legacy.post(f"{RELEASE}?ManufacturingOrder='{order}'")) == (400, "CO/688")


def test_a_completed_order_cannot_be_changed(legacy: Caller) -> None:
    order = released(legacy)
    complete = RELEASE.replace("ReleaseOrder", "TechnicallyCompleteOrder")
    done = legacy.post(f"{complete}?ManufacturingOrder='{order}'").json()["d"]
    assert done["OrderIsTechnicallyCompleted"] is True
    path = f"{ORDERS}('{order}')"
    assert message(legacy.patch(path, {"GoodsRecipientName": "X"}, **{"If-Match": "*"})) == (400, "CO/680")


def test_an_order_somebody_has_open_is_locked(legacy: Caller) -> None:
    order = released(legacy)
    lock = {"entity": "A_ProductionOrder_2", "key": {"ManufacturingOrder": order}, "user": "MEYER"}
    legacy.http.post("/_locks", json=lock)
    answer = legacy.patch(f"{ORDERS}('{order}')", {"GoodsRecipientName": "X"}, **{"If-Match": "*"})
    assert answer.status_code == 423
    assert "MEYER" in answer.json()["error"]["message"]["value"]
    confirmation = {"OrderID": order, "OrderOperation": "0010", "ConfirmationYieldQuantity": "1"}
    assert legacy.post(CONFIRM, confirmation).status_code == 423
    legacy.http.delete("/_locks")
    assert legacy.post(CONFIRM, confirmation).status_code == 201


# -- postings


def test_a_confirmation_moves_the_order_on_and_derives_a_goods_movement(legacy: Caller) -> None:
    order = released(legacy)
    before = stock(legacy, CYLINDER), stock(legacy, "SEAL-7")
    body = {"OrderID": order, "OrderOperation": "0010", "ConfirmationYieldQuantity": "4", "ConfirmationText": "I-2"}
    answer = legacy.post(CONFIRM, body, **{"X-Request-Id": "req-7"})
    assert answer.status_code == 201, answer.text
    confirmation = answer.json()["d"]
    assert (confirmation["ConfirmationCount"], confirmation["ConfirmationUnit"]) == ("00000001", "ST")
    row = legacy.get(f"{ORDERS}('{order}')").json()["d"]
    assert (row["MfgOrderConfirmedYieldQty"], row["ActualDeliveredQuantity"]) == ("4.000", "4.000")
    assert (row["OrderIsPartiallyConfirmed"], row["OrderIsPartiallyDelivered"]) == (True, True)
    assert (before, (stock(legacy, CYLINDER), stock(legacy, "SEAL-7"))) == (
        ("500.000", "4000.000"),
        ("504.000", "3992.000"),
    )
    [header] = legacy.truth("A_MaterialDocumentHeader")
    assert header["origin"] == "derived"
    assert header["references"] == {"x-request-id": "req-7"}
    lines = legacy.truth("A_MaterialDocumentItem")
    assert [line["after"]["GoodsMovementType"] for line in lines] == ["101", "261", "261", "261"]
    [entry] = legacy.truth("ProdnOrdConf2")
    assert (entry["origin"], entry["after"]["MaterialDocument"]) == ("api", header["key"]["MaterialDocument"])


def test_the_last_confirmation_closes_the_quantity_and_a_cancellation_opens_it_again(legacy: Caller) -> None:
    order = released(legacy)
    done = legacy.post(CONFIRM, {"OrderID": order, "OrderOperation": "0010", "ConfirmationYieldQuantity": "10"}).json()
    path = f"{ORDERS}('{order}')?$select=OrderIsConfirmed,OrderIsDelivered"
    assert legacy.get(path).json()["d"]["OrderIsConfirmed"] is True
    group = done["d"]["ConfirmationGroup"]
    cancel = CONFIRM.replace("ProdnOrdConf2", "CancelProdnOrdConf")
    answer = legacy.post(f"{cancel}?ConfirmationGroup='{group}'&ConfirmationCount='00000001'")
    assert answer.status_code == 200, answer.text
    assert answer.json()["d"]["ConfirmationCount"] == "00000002"
    row = legacy.get(path).json()["d"]
    assert (row["OrderIsConfirmed"], row["OrderIsDelivered"]) == (False, False)
    assert stock(legacy, CYLINDER) == "500.000"
    assert stock(legacy, "SEAL-7") == "4000.000"
    again = legacy.post(f"{cancel}?ConfirmationGroup='{group}'&ConfirmationCount='00000001'")
    assert message(again) == (400, "RU/187")


def test_only_the_last_operation_of_a_routing_delivers(legacy: Caller) -> None:
    order = released(legacy, Material="PUMP-100")
    body = {"OrderID": order, "OrderOperation": "0010", "ConfirmationYieldQuantity": "10"}
    assert legacy.post(CONFIRM, body).status_code == 201
    assert legacy.truth("A_MaterialDocumentHeader") == []
    assert legacy.post(CONFIRM, {**body, "OrderOperation": "0020"}).status_code == 201
    assert len(legacy.truth("A_MaterialDocumentHeader")) == 1


def test_confirmations_are_refused_where_the_business_says_so(legacy: Caller) -> None:
    unreleased = created(legacy)
    body = {"OrderID": unreleased, "OrderOperation": "0010", "ConfirmationYieldQuantity": "1"}
    assert message(legacy.post(CONFIRM, body)) == (400, "RU/013")
    order = released(legacy)
    assert message(legacy.post(CONFIRM, {**body, "OrderID": order, "OrderOperation": "0099"})) == (400, "RU/504")
    assert message(legacy.post(CONFIRM, {**body, "OrderID": "000000000001"})) == (400, "RU/505")
    legacy.http.post("/_periods", json={"closed_before": "2026-11-01"})
    assert message(legacy.post(CONFIRM, {**body, "OrderID": order})) == (400, "M7/053")
    assert legacy.truth("ProdnOrdConf2") == []


def test_movements_change_stock_and_never_below_zero(legacy: Caller) -> None:
    line = {"Material": "BOLT-M8", "Plant": "1000", "StorageLocation": "0001", "GoodsMovementType": "201"}
    body = {"ReferenceDocument": "DN-1", "to_MaterialDocumentItem": [{**line, "QuantityInEntryUnit": "100"}]}
    answer = legacy.post(MOVEMENTS, body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["d"]["MaterialDocument"] == "4900000000"
    assert answer.json()["d"]["MaterialDocumentYear"] == "2026"
    assert stock(legacy, "BOLT-M8") == "4400.000"
    too_much = {"to_MaterialDocumentItem": [{**line, "QuantityInEntryUnit": "5000"}]}
    assert message(legacy.post(MOVEMENTS, too_much)) == (400, "M7/021")
    found = legacy.get(f"{MOVEMENTS}?$filter=ReferenceDocument eq 'DN-1'").json()["d"]["results"]
    assert len(found) == 1


def test_a_transfer_moves_stock_between_locations_and_can_be_cancelled(legacy: Caller) -> None:
    line = {"Material": "BOLT-M8", "Plant": "1000", "StorageLocation": "0001", "GoodsMovementType": "311"}
    line |= {"IssuingOrReceivingStorageLoc": "0002", "QuantityInEntryUnit": "30"}
    number = legacy.post(MOVEMENTS, {"to_MaterialDocumentItem": [line]}).json()["d"]["MaterialDocument"]
    query = f"{STOCK}?$filter=Material eq 'BOLT-M8' and Plant eq '1000'&$orderby=StorageLocation"

    def held() -> list[str]:
        return [r["MatlWrhsStkQtyInMatlBaseUnit"] for r in legacy.get(query).json()["d"]["results"]]

    assert held() == ["4470.000", "30.000"]
    cancel = MOVEMENTS.replace("A_MaterialDocumentHeader", "Cancel")
    answer = legacy.post(f"{cancel}?MaterialDocument='{number}'&MaterialDocumentYear='2026'")
    assert answer.status_code == 200, answer.text
    assert held() == ["4500.000", "0.000"]


def test_a_goods_receipt_needs_a_released_purchase_order_and_not_more_than_it_ordered(legacy: Caller) -> None:
    item = {"Material": "SEAL-7", "Plant": "2000", "OrderQuantity": "50"}
    purchase = legacy.post(PURCHASES, {"Supplier": "0000100010", "to_PurchaseOrderItem": [item]}).json()["d"]
    number = purchase["PurchaseOrder"]
    line = {"Material": "SEAL-7", "Plant": "2000", "GoodsMovementType": "101", "PurchaseOrder": number}
    receipt = {"to_MaterialDocumentItem": [{**line, "PurchaseOrderItem": "00010", "QuantityInEntryUnit": "50"}]}
    assert message(legacy.post(MOVEMENTS, receipt)) == (400, "M7/389")
    release = PURCHASES.replace("A_PurchaseOrder", "ReleasePurchaseOrder")
    assert legacy.post(f"{release}?PurchaseOrder='{number}'").status_code == 200
    assert legacy.post(MOVEMENTS, receipt).status_code == 201
    assert stock(legacy, "SEAL-7", "2000") == "4050.000"
    path = f"{PURCHASES}('{number}')/to_PurchaseOrderItem"
    assert legacy.get(path).json()["d"]["results"][0]["IsCompletelyDelivered"] is True
    assert message(legacy.post(MOVEMENTS, receipt)) == (400, "M7/022")


def test_an_edit_at_the_screen_is_in_the_truth_with_its_origin(legacy: Caller) -> None:
    order = created(legacy)
    edit = {"entity": "A_ProductionOrder_2", "key": {"ManufacturingOrder": order}, "user": "MEYER"}
    assert legacy.http.post("/_screen", json={**edit, "values": {"TotalQuantity": "12"}}).status_code == 200
    entries = [e for e in legacy.truth("A_ProductionOrder_2") if e["origin"] == "screen"]
    assert [(e["user"], e["before"]["TotalQuantity"], e["after"]["TotalQuantity"]) for e in entries] == [
        ("MEYER", "10.000", "12.000")
    ]
    assert legacy.http.post("/_screen", json={**edit, "action": "ReleaseOrder"}).status_code == 200
    assert legacy.get(f"{ORDERS}('{order}')").json()["d"]["OrderIsReleased"] is True


def test_a_product_is_created_with_texts_and_plants_and_can_be_produced(legacy: Caller) -> None:
    body = {"Product": "NEW-1", "ProductType": "FERT", "BaseUnit": "ST", "GrossWeight": "1.5"}
    body |= {"to_Description": [{"Language": "EN", "ProductDescription": "New"}], "to_Plant": [{"Plant": "1000"}]}  # type: ignore[dict-item]
    answer = legacy.post(PRODUCTS, body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"].startswith("W/\"datetime'2026-10-02T16%3A00%3A00")
    assert legacy.post(PRODUCTS, body).status_code == 409
    assert created(legacy, Material="NEW-1")
    assert message(legacy.post(ORDERS, {**ORDER, "Material": "NEW-1", "ProductionPlant": "2000"})) == (400, "M3/351")
