"""What a plant's ERP keeps of a document is shown, and what a client says of it arrives there, whichever ERP it is."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.e2e.calls import Json, Plant, good
from tests.support.simulated import Pair, SimErp

SIDES = {"1000": "legacy", "3000": "cloud"}
ORDERS = {"1000": "A_ProductionOrder_2", "3000": "ProductionOrder"}
MOVEMENTS = {"1000": "A_MaterialDocumentHeader", "3000": "MaterialDocument"}
pytestmark = pytest.mark.parametrize("code", ["1000", "3000"])


@pytest.fixture
def erp(erps: Pair, code: str) -> SimErp:
    return erps.legacy if SIDES[code] == "legacy" else erps.cloud


def confirmed(plant: Plant, **more: object) -> Json:
    """A confirmation of the last operation of a new order."""
    key = good(plant.ordered(), 201)["id"]
    good(plant.act("production-orders", key, "release"))
    said = {"operation": "20", "quantity": {"value": "4", "unit": "H87"}, **more}
    return good(plant.act("production-orders", key, "confirm", said), 201)


def test_a_confirmation_names_the_goods_that_it_moved(plant: Plant, erp: SimErp) -> None:
    before = erp.length
    made = confirmed(plant)
    (document,) = [e for e in erp.since(before, origin="derived") if e["entity"] == MOVEMENTS[plant.plant]]
    number = "-".join(document["key"].values())
    assert {row["movement"] for row in made["movements"]} == {number}
    assert [(row["line"], row["type"], row["item"]) for row in made["movements"][:2]] == [
        ("1", "production_receipt", "PUMP-100"), ("2", "production_issue", "HOUSING-3"),
    ]  # fmt: skip
    moved = good(plant.read("movements", number))["lines"]
    assert [(row["line"], row["item"], row["quantity"]) for row in moved] == [
        (row["line"], row["item"], row["quantity"]) for row in made["movements"]
    ]
    assert good(plant.read("confirmations", made["id"]))["movements"] == made["movements"]


def test_what_a_client_says_a_confirmation_moved_is_refused(plant: Plant, erp: SimErp) -> None:
    key = good(plant.ordered(), 201)["id"]
    good(plant.act("production-orders", key, "release"))
    before = erp.length
    said = {"operation": "20", "quantity": {"value": "4", "unit": "H87"}, "movements": [{"movement": "1-2026"}]}
    assert plant.act("production-orders", key, "confirm", said).status_code == 422
    assert erp.length == before


def test_times_and_reasons_of_a_confirmation_stand_in_the_erp(plant: Plant, erp: SimErp) -> None:
    before = erp.length
    made = confirmed(plant, minutes={"machine": "90.5", "labour": "30"}, scrap_quantity="1", scrap_reason="0001")
    (entry,) = [e for e in erp.since(before, origin="api") if "ConfirmationText" in (e["after"] or {})]
    after = entry["after"]
    assert (Decimal(after["OpConfirmedWorkQuantity2"]), after["OpWorkQuantityUnit2"]) == (Decimal("90.5"), "MIN")
    assert (Decimal(after["OpConfirmedWorkQuantity3"]), after["VarianceReasonCode"]) == (30, "0001")
    assert (made["minutes"], made["scrap_reason"]) == ({"machine": "90.500", "labour": "30.000"}, "0001")


def test_a_movement_that_was_taken_back_says_so_and_the_other_names_it(plant: Plant, erp: SimErp) -> None:
    line = {"type": "issue", "item": "SEAL-7", "plant": plant.plant, "from_location": "0001"}
    sent = {"lines": [line | {"quantity": {"value": "3", "unit": "H87"}}]}
    first = good(plant.act("movements", None, "post", sent), 201)
    assert (first["lines"][0]["reversed"], first["lines"][0]["reversal_of"]) == (False, None)
    document, year = first["id"].split("-")
    back = erp.screen(
        MOVEMENTS[plant.plant], key={"MaterialDocument": document, "MaterialDocumentYear": year}, action="Cancel"
    )
    assert good(plant.read("movements", first["id"]))["lines"][0]["reversed"] is True
    (row,) = good(plant.read("movements", "-".join(back.values())))["lines"]
    assert (row["type"], row["reversal_of"]) == ("reversal", first["id"])


def test_stock_says_whose_it_is_and_when_that_was(plant: Plant) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    rows = plant.rows("inventory-positions", filter="item eq '5001'")
    assert {(row["owner"], row["quantity"]["value"]) for row in rows if row["owner"]} == {("100010", "200.000")}
    assert [row for row in rows if row["owner"] is None]
    assert all(before <= datetime.fromisoformat(row["as_of"]) <= datetime.now(UTC) for row in rows)


def test_an_orders_parts_and_steps_are_planned(plant: Plant, erp: SimErp) -> None:
    made = good(plant.ordered(planned={"start": "2026-12-01T06:00:00Z", "end": "2026-12-02T14:00:00Z"}), 201)
    first, second = made["operations"]
    assert first["planned"] == {"start": "2026-12-01T06:00:00Z", "end": "2026-12-01T08:30:00Z"}
    assert second["planned"]["start"] == first["planned"]["end"]
    assert {part["required_on"] for part in made["components"]} == {"2026-12-01"}
    part = {"line": "1", "item": "SEAL-7", "quantity": {"value": "2", "unit": "H87"}, "batch": "LOT-7"}
    before = erp.length
    sent = good(plant.ordered(components=[part]), 201)
    assert [row["batch"] for row in sent["components"]] == ["LOT-7"]
    assert "LOT-7" in {(e["after"] or {}).get("Batch") for e in erp.since(before)}


def test_terms_of_delivery_stand_on_the_order(plant: Plant, erp: SimErp) -> None:
    before = erp.length
    assert good(plant.bought(incoterms="DAP"), 201)["incoterms"] == "DAP"
    assert erp.since(before, origin="api")[0]["after"]["IncotermsClassification"] == "DAP"


def test_an_item_at_a_plant_shows_how_it_is_planned_and_procured(plant: Plant) -> None:
    made, bought = (good(plant.read("item-plants", item)) for item in ("PUMP-100", "SEAL-7"))
    assert (made["procurement"], bought["procurement"]) == ("make", "buy")
    assert (made["planner"], made["storage_location"], made["batch_managed"]) == ("001", "0001", False)
    assert made["lot"] == {"minimum": "1.000", "maximum": "0.000", "fixed": "0.000"}


def test_a_purchase_orders_reference_and_day_may_be_changed(plant: Plant, erp: SimErp) -> None:
    made = plant.bought()
    key, before = good(made, 201)["id"], erp.length
    patch = {"reference": "PLAN-9", "ordered_on": "2026-11-20"}
    changed = good(plant.change("purchase-orders", key, patch, made.headers["etag"]))
    assert {name: changed[name] for name in patch} == patch
    (entry,) = erp.since(before, origin="api")
    own = {"1000": "ZZExternalReference", "3000": "YY1_ExternalReference_PDH"}[plant.plant]
    assert (entry["after"][own], entry["after"]["PurchaseOrderDate"][:10]) == ("PLAN-9", "2026-11-20")
