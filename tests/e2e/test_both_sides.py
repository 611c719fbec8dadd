"""The same client calls work on a plant of the legacy ERP and on one of the cloud ERP, and the same documents come back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.calls import Json, Plant, good, order
from tests.support.gateway import RunningGateway
from tests.support.simulated import Entry, Pair

SIDES = {"1000": "legacy", "2000": "legacy", "3000": "cloud"}
BOTH = pytest.mark.parametrize("code", ["1000", "3000"])
# What differs because it is numbered, timed or belongs to a plant; all else must be the same on both sides.
OWN = frozenset(
    {"id", "plant", "planning_plant", "order", "purchase_order", "company", "organisation", "currency", "profit_center",
     "reference", "changed_at", "entered_at", "movement", "as_of", "started_at", "ended_at", "start", "created_by", "scheduled"}
)  # fmt: skip


def alike(value: Any) -> Any:
    """A document without what is a plant's or a moment's own."""
    if isinstance(value, dict):
        return {name: alike(v) for name, v in value.items() if name not in OWN}
    return [alike(v) for v in value] if isinstance(value, list) else value


def written(erps: Pair, plant: str, mark: tuple[int, int], entity: str) -> list[Entry]:
    """What the plant's ERP was asked to change; the other ERP must not have been touched."""
    since = erps.since(mark)
    mine, others = (since.legacy, since.cloud) if SIDES[plant] == "legacy" else (since.cloud, since.legacy)
    assert others == []
    return [e for e in mine if e["entity"].startswith(entity) and e["origin"] == "api"]


@BOTH
def test_an_order_is_created_in_the_erp_of_its_plant_and_nowhere_else(plant: Plant, erps: Pair, code: str) -> None:
    mark = erps.mark()
    answer = plant.ordered()
    made = good(answer, 201)
    assert answer.headers["x-route"] == f"{SIDES[code]}; epoch=1; phase={SIDES[code]}"
    (entry,) = written(erps, code, mark, "")
    assert entry["verb"] == "create"
    assert [key.lstrip("0") for key in entry["key"].values()] == [made["id"]]
    assert entry["after"]["ProductionPlant"] == code
    assert good(plant.http.get(answer.headers["location"])) == made


@BOTH
def test_an_order_goes_from_creation_to_confirmation(plant: Plant, erps: Pair, code: str) -> None:
    created = plant.ordered()
    key, mark = created.json()["id"], erps.mark()
    changed = plant.change("production-orders", key, {"quantity": {"value": "12"}}, created.headers["etag"])
    assert good(changed)["quantity"] == {"value": "12.000", "unit": "H87"}
    released = plant.act("production-orders", key, "release")
    assert good(released)["status"] == "released"
    confirmed = plant.act("production-orders", key, "confirm", confirmation("4"))
    made = good(confirmed, 201)
    assert (made["order"], made["quantity"]["value"]) == (key, "4.000")
    now = good(plant.read("production-orders", key))
    assert (now["status"], now["confirmed"]["yield"]) == ("started", "4.000")
    verbs = [(e["entity"].strip("_2A"), e["verb"]) for e in written(erps, code, mark, "")]
    assert [verb for _, verb in verbs] == ["update", "update", "create"]
    assert good(plant.read("confirmations", made["id"])) == made
    assert made in plant.rows("confirmations", filter=f"order eq '{key}'")


def confirmation(quantity: str) -> Json:
    return {"operation": "20", "quantity": {"value": quantity, "unit": "H87"}}


def test_the_two_erps_show_the_same_order(hamburg: Plant, pune: Plant) -> None:
    shown = []
    for plant in (hamburg, pune):
        key = good(plant.ordered(), 201)["id"]
        plant.act("production-orders", key, "release")
        made = good(plant.act("production-orders", key, "confirm", confirmation("4")), 201)
        shown.append((alike(good(plant.read("production-orders", key))), alike(made)))
    assert shown[0] == shown[1]
    assert shown[0][0]["components"]


def test_a_planned_moment_is_the_same_moment_in_every_zone(hamburg: Plant, pune: Plant, erps: Pair) -> None:
    planned = {"start": "2026-12-01T06:00:00Z", "end": "2026-12-02T14:00:00Z"}
    mark = erps.mark()
    for plant in (hamburg, pune):
        assert good(plant.ordered(planned=planned), 201)["planned"] == planned
    since = erps.since(mark, origin="api")
    assert since.legacy[0]["after"]["MfgOrderPlannedStartTime"] == "07:00:00"  # Hamburg
    assert since.cloud[0]["after"]["OrderPlannedStartTime"] == "11:30:00"  # Pune


@BOTH
def test_goods_are_bought_received_and_moved(plant: Plant, erps: Pair, code: str) -> None:
    bought = plant.bought()
    number = good(bought, 201)["id"]
    assert good(plant.read("purchase-orders", number)) == bought.json()
    released = good(plant.act("purchase-orders", number, "release"))
    assert released["status"] == "released"
    before = stock(plant)
    mark = erps.mark()
    received = good(plant.act("receipts", None, "post", receipt(code, number)), 201)
    assert received["lines"][0]["purchase_order"] == {"number": number, "line": "10"}
    moved = good(plant.act("movements", None, "post", transfer(code)), 201)
    documents = written(erps, code, mark, "")
    assert [e["verb"] for e in documents if "Item" not in e["entity"]] == ["create", "create"]
    after = stock(plant)
    assert after["0001"] == before["0001"] + 20
    assert after["0002"] == before.get("0002", 0) + 30
    assert good(plant.read("movements", moved["id"])) == moved
    assert good(plant.read("receipts", received["id"])) == received


def receipt(plant: str, number: str) -> Json:
    line = {"purchase_order": {"number": number, "line": "10"}, "item": "SEAL-7", "plant": plant}
    return {"lines": [line | {"quantity": {"value": "50", "unit": "H87"}, "storage_location": "0001"}]}


def transfer(plant: str) -> Json:
    line = {"type": "transfer", "item": "SEAL-7", "plant": plant, "quantity": {"value": "30", "unit": "H87"}}
    return {"lines": [line | {"from_location": "0001", "to_location": "0002"}]}


def stock(plant: Plant) -> dict[str, float]:
    rows = plant.rows("inventory-positions", filter="item eq 'SEAL-7'")
    return {row["storage_location"]: float(row["quantity"]["value"]) for row in rows}


def test_the_two_erps_show_the_same_purchase_receipt_movement_and_stock(hamburg: Plant, pune: Plant) -> None:
    shown = []
    for plant in (hamburg, pune):
        number = good(plant.bought(), 201)["id"]
        plant.act("purchase-orders", number, "release")
        received = good(plant.act("receipts", None, "post", receipt(plant.plant, number)), 201)
        moved = good(plant.act("movements", None, "post", transfer(plant.plant)), 201)
        bought = good(plant.read("purchase-orders", number))
        position = plant.rows("inventory-positions", filter="item eq '1234'")
        shown.append([alike(d) for d in (bought, received, moved, position)])
    assert shown[0] == shown[1]


def test_the_two_erps_show_the_same_item_at_a_plant(hamburg: Plant, pune: Plant) -> None:
    shown = [good(plant.read("item-plants", "1234")) for plant in (hamburg, pune)]
    assert alike(shown[0]) == alike(shown[1])
    assert [s["plant"] for s in shown] == ["1000", "3000"]
    assert [len(plant.rows("item-plants")) for plant in (hamburg, pune)] == [11, 11]


def test_items_belong_to_the_enterprise_and_are_kept_by_the_erp_of_the_enterprise_cell(
    gateway: RunningGateway, erps: Pair
) -> None:
    http, mark = gateway.client("steward"), erps.mark()
    new = {"id": "VALVE-9", "type": "FERT", "name": "Valve, 9 mm", "base_unit": "H87", "group": "L001"}
    made = http.post("/api/v2/items", json=new)
    assert {k: v for k, v in good(made, 201).items() if k in new} == new
    media = {"Content-Type": "application/merge-patch+json", "If-Match": made.headers["etag"]}
    assert good(http.patch("/api/v2/items/VALVE-9", json={"group": "L002"}, headers=media))["group"] == "L002"
    since = erps.since(mark, origin="api")
    assert (len(since.cloud), {e["entity"] for e in since.legacy} & {"A_Product"}) == (0, {"A_Product"})


def test_a_leading_zero_belongs_to_the_erp_and_never_to_the_client(hamburg: Plant, erps: Pair) -> None:
    mark = erps.mark()
    made = good(hamburg.ordered(item="1234"), 201)
    assert made["item"] == "1234"
    first = next(e for e in erps.since(mark, origin="api").legacy if "Material" in (e["after"] or {}))
    assert first["after"]["Material"] == "000000000000001234"
    assert made["id"] in {row["id"] for row in hamburg.rows("production-orders", filter="item eq '1234'")}


def test_version_1_and_version_2_show_the_same_order_in_their_own_words(hamburg: Plant) -> None:
    made = good(hamburg.ordered(quantity={"value": "7.5", "unit": "H87"}), 201)
    old = Plant(hamburg.http, "1000", "v1")
    shown = good(old.read("production-orders", made["id"]))
    assert (shown["orderNumber"], shown["itemNumber"], shown["quantity"], shown["status"]) == (
        made["id"], "PUMP-100", 7.5, "OPEN",
    )  # fmt: skip
    sent = {"itemNumber": "PUMP-100", "quantity": 3, "unit": "H87", "plannedStart": "2026-12-01T06:00:00Z"}
    created = good(old.create("production-orders", sent), 201)
    assert good(hamburg.read("production-orders", created["orderNumber"]))["quantity"]["value"] == "3.000"


def test_a_body_in_chunks_is_read_like_any_other(hamburg: Plant) -> None:
    body = json.dumps(order(reference="chunked")).encode()
    pieces = (body[i : i + 7] for i in range(0, len(body), 7))
    answer = hamburg.http.post(
        hamburg.url("production-orders"), content=pieces, headers={"Content-Type": "application/json"}
    )
    assert good(answer, 201)["reference"] == "chunked"
