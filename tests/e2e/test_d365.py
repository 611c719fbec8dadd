"""A plant whose cloud ERP is D365: the same clients, and what they did stands in D365's own record."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from gateway.sim.erps import ErpConfig, d365_app, legacy_app
from tests.e2e.calls import Json, Plant, fields_of, good, refused
from tests.support.deployment import Site, installed, sim_d365, sim_legacy
from tests.support.gateway import RunningGateway
from tests.support.simulated import SECRET, Entry, Pair, simulated

SEALS = {"item": "SEAL-7", "plant": "1000", "quantity": {"value": "30", "unit": "H87"}}
COMPANY = {"dataAreaId": "demf"}


@pytest.fixture(scope="module")
def erps() -> Iterator[Pair]:
    """The old ERP, which is not to be touched, and D365."""
    old = legacy_app(ErpConfig(users={"GATEWAY": SECRET}))
    new = d365_app(ErpConfig(clients={"gateway": SECRET}))
    with simulated(old) as legacy, simulated(new) as cloud:
        yield Pair(legacy, cloud)


@pytest.fixture(scope="module")
def gateway(erps: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    site = Site(sim_legacy(erps.legacy), sim_d365(erps.cloud), {"1000": "eu"})
    with installed(tmp_path_factory.mktemp("d365"), site, "cloud").running() as started:
        yield started


@pytest.fixture
def plant(gateway: RunningGateway) -> Plant:
    return Plant(gateway.client("admin"), "1000")


@pytest.fixture
def http(gateway: RunningGateway) -> httpx.Client:
    return gateway.client("steward")


def sent(erps: Pair, mark: tuple[int, int]) -> list[Entry]:
    """What D365 was asked to change; the old ERP was asked nothing."""
    since = erps.since(mark, origin="api")
    assert since.legacy == []
    return since.cloud


def test_an_order_is_made_listed_changed_and_released(plant: Plant, erps: Pair) -> None:
    mark = erps.mark()
    answer = plant.ordered()
    made = good(answer, 201)
    assert answer.headers["x-route"] == "cloud; epoch=1; phase=cloud"
    (entry,) = sent(erps, mark)
    after = entry["after"]
    assert (entry["entity"], entry["key"]) == (
        "ProductionOrderHeaders",
        {**COMPANY, "ProductionOrderNumber": made["id"]},
    )
    assert (after["ScheduledQuantity"], after["ProductionUnitSymbol"], after["ProductionSiteId"]) == (
        "10.000",
        "ea",
        "1000",
    )
    assert (after["ScheduledStartDate"], after["ExternalReference"]) == ("2026-12-01T06:00:00.000Z", "MES-4711")
    read = plant.read("production-orders", made["id"])
    assert good(read) == made
    assert made["id"] in {row["id"] for row in plant.rows("production-orders", filter="item eq 'PUMP-100'")}
    mark = erps.mark()
    changed = plant.change("production-orders", made["id"], {"quantity": {"value": "12"}}, read.headers["etag"])
    assert good(changed)["quantity"] == {"value": "12.000", "unit": "H87"}
    assert good(plant.act("production-orders", made["id"], "release"))["status"] == "released"
    assert [e["after"]["ScheduledQuantity"] for e in sent(erps, mark)] == ["12.000", "12.000"]
    assert sent(erps, mark)[1]["after"]["ProductionOrderStatus"] == "Released"


def test_an_order_that_d365_refuses_leaves_nothing(plant: Plant, erps: Pair) -> None:
    with erps.untouched():
        problem = refused(plant.ordered(item="NOTHING"), 422, "erp-refused")
        assert "does not exist or is not activated" in str(problem)
        made_up = plant.act("production-orders", "P999999", "release")
        refused(made_up, 404, "no-such-document")


def test_an_order_that_somebody_has_open_there_is_a_conflict(plant: Plant, erps: Pair) -> None:
    made = good(plant.ordered(), 201)
    with erps.cloud.locked("ProductionOrderHeaders", **COMPANY, ProductionOrderNumber=made["id"]), erps.untouched():
        refused(plant.act("production-orders", made["id"], "release"), 409, "conflict")


def test_a_change_of_an_old_version_is_refused_by_d365s_own_lock(plant: Plant, erps: Pair) -> None:
    first = plant.ordered()
    key = good(first, 201)["id"]
    good(plant.change("production-orders", key, {"storage_location": "0002"}, first.headers["etag"]))
    with erps.untouched():
        stale = plant.change("production-orders", key, {"storage_location": "0001"}, first.headers["etag"])
        refused(stale, 412, "stale-etag")


def test_a_purchase_order_is_made_listed_changed_and_confirmed(plant: Plant, erps: Pair) -> None:
    mark = erps.mark()
    made = good(plant.bought(incoterms="DAP", lines=[line_of_one()]), 201)
    header, line = sent(erps, mark)
    assert (header["entity"], header["after"]["DeliveryTermsId"]) == ("PurchaseOrderHeadersV2", "DAP")
    assert (line["after"]["PurchasePrice"], line["after"]["PurchasePriceQuantity"]) == ("185.00", "100.000")
    read = plant.read("purchase-orders", made["id"])
    assert good(read) == made
    assert made["id"] in {row["id"] for row in plant.rows("purchase-orders", filter="supplier eq '100010'")}
    mark = erps.mark()
    good(plant.change("purchase-orders", made["id"], {"payment_terms": "0002"}, read.headers["etag"]))
    assert good(plant.act("purchase-orders", made["id"], "release"))["status"] == "released"
    changed, confirmed = sent(erps, mark)
    assert changed["after"]["PaymentTermsName"] == "0002"
    assert confirmed["after"]["PurchaseOrderStatus"] == "Confirmed"


def line_of_one() -> Json:
    """A line that D365 numbers itself: by ones."""
    return {**SEALS, "line": "1", "price": {"amount": "185.00", "per": "100"}}


def test_a_purchase_order_that_d365_refuses_leaves_nothing(plant: Plant, erps: Pair) -> None:
    with erps.untouched():
        problem = refused(plant.bought(supplier="999999", lines=[line_of_one()]), 422, "erp-refused")
        assert "999999" in str(problem)


def test_a_receipt_that_was_posted_in_d365_is_read_and_listed(plant: Plant, erps: Pair) -> None:
    number = good(plant.bought(lines=[line_of_one()]), 201)["id"]
    good(plant.act("purchase-orders", number, "release"))
    before = _seals(plant)
    lines = [{"PurchaseOrderLineNumber": 1, "ReceivedPurchaseQuantity": 20}]
    values = {**COMPANY, "PurchaseOrderNumber": number, "ProductReceiptNumber": "DN-77", "ProductReceiptLinesV2": lines}
    posted = erps.cloud.screen("ProductReceiptHeaders", values=values)
    receipt = good(plant.read("receipts", str(posted["RecordId"])))
    assert receipt["delivery_note"] == "DN-77"
    (row,) = receipt["lines"]
    assert (row["purchase_order"], row["quantity"]) == (
        {"number": number, "line": "1"},
        {"value": "20.000", "unit": "H87"},
    )
    assert receipt in plant.rows("receipts")
    assert _seals(plant) == before + 20


def test_a_receipt_is_not_posted_through_the_gateway(plant: Plant, erps: Pair) -> None:
    number = good(plant.bought(lines=[line_of_one()]), 201)["id"]
    row = {**SEALS, "purchase_order": {"number": number, "line": "1"}}
    with erps.untouched():
        refused(plant.act("receipts", None, "post", {"lines": [row]}), 422, "erp-refused")


def test_goods_are_moved_and_the_movement_is_read_and_listed(plant: Plant, erps: Pair) -> None:
    row = {**SEALS, "type": "transfer", "from_location": "0001", "to_location": "0002"}
    before, mark = _seals(plant), erps.mark()
    made = good(plant.act("movements", None, "post", {"reference": "WMS-1", "lines": [row]}), 201)
    header, line = sent(erps, mark)
    assert (header["entity"], line["entity"]) == ("InventoryMovementJournalHeaders", "InventoryMovementJournalLines")
    assert (line["after"]["Quantity"], line["after"]["InventoryWarehouseId"], line["after"]["ToWarehouseId"]) == (
        "30.000", "0001", "0002",
    )  # fmt: skip
    assert good(plant.read("movements", made["id"])) == made
    assert made in plant.rows("movements")
    assert _seals(plant) == before
    assert _seals(plant, "0002") >= 30


def test_more_than_lies_there_is_not_moved(plant: Plant, erps: Pair) -> None:
    row = {**SEALS, "type": "transfer", "from_location": "0002", "to_location": "0001"}
    row["quantity"] = {"value": "999999", "unit": "H87"}
    with erps.untouched():
        problem = refused(plant.act("movements", None, "post", {"lines": [row]}), 422, "erp-refused")
        assert "Deficit" in str(problem)


def _seals(plant: Plant, location: str = "") -> float:
    rows = plant.rows("inventory-positions", filter="item eq 'SEAL-7'")
    assert {row["plant"] for row in rows} == {"1000"}
    return sum(float(r["quantity"]["value"]) for r in rows if location in ("", r["storage_location"]))


def test_work_that_was_reported_in_d365_is_read_and_none_is_through_the_gateway(plant: Plant, erps: Pair) -> None:
    key = good(plant.ordered(), 201)["id"]
    good(plant.act("production-orders", key, "release"))
    at = {**COMPANY, "ProductionOrderNumber": key}
    journal = {**at, "ReportedGoodQuantity": 4}
    erps.cloud.screen("ProductionReportFinishedJournalLines", values=journal)
    rows = plant.rows("confirmations", filter=f"order eq '{key}'")
    assert [(row["order"], row["quantity"]["value"]) for row in rows] == [(key, "4.000")]
    assert good(plant.read("confirmations", rows[0]["id"])) == rows[0]
    with erps.untouched():
        said = {"operation": "20", "quantity": {"value": "1", "unit": "H87"}}
        refused(plant.act("production-orders", key, "confirm", said), 422, "erp-refused")


def test_an_item_is_made_listed_and_changed(http: httpx.Client, erps: Pair) -> None:
    mark = erps.mark()
    new = {"id": "VALVE-9", "type": "FERT", "name": "Valve, 9 mm", "base_unit": "H87", "group": "L001"}
    made = http.post("/api/v2/items", json=new)
    assert {k: v for k, v in good(made, 201).items() if k in new} == new
    media = {"Content-Type": "application/merge-patch+json", "If-Match": made.headers["etag"]}
    assert good(http.patch("/api/v2/items/VALVE-9", json={"group": "L002"}, headers=media))["group"] == "L002"
    assert good(http.get("/api/v2/items/VALVE-9"))["name"] == "Valve, 9 mm"
    listed = good(http.get("/api/v2/items", params={"filter": "group eq 'L002'"}))["items"]
    assert "VALVE-9" in {item["id"] for item in listed}
    created, changed = sent(erps, mark)
    assert created["key"] == {**COMPANY, "ItemNumber": "VALVE-9"}
    assert (created["after"]["ProductName"], changed["after"]["ProductGroupId"]) == ("Valve, 9 mm", "L002")


def test_an_item_that_d365_refuses_leaves_nothing(http: httpx.Client, erps: Pair) -> None:
    new = {"id": "1234", "type": "FERT", "name": "Twice", "base_unit": "H87"}
    with erps.untouched():
        assert http.post("/api/v2/items", json=new).status_code in (409, 422)
        numbered = {**new, "id": "V-2", "gtin": "4006381333931"}
        without = refused(http.post("/api/v2/items", json=numbered), 422, "invalid-document")
        assert fields_of(without) == {"gtin"}


def test_an_item_at_a_plant_shows_the_sites_order_settings(plant: Plant) -> None:
    shown = good(plant.read("item-plants", "PUMP-100"))
    assert (shown["plant"], shown["storage_location"], shown["lot"]["minimum"]) == ("1000", "0001", "1.000")
    assert len(plant.rows("item-plants")) == 11
    refused(plant.read("item-plants", "NOTHING"), 404, "no-such-document")
