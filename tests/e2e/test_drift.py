"""`changeover drift` against running ERPs: what a release took away is named before a write meets it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.gateway import Deployment

OVERLAY = "translators/sap-s4/overlays/region-eu.yaml"
BASE = "translators/sap-s4/production_order.yaml"
REFERENCE = "      reference: {to: YY1_ExternalReference_ORD, "


def drift(made: Deployment, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    done = made.cli("drift", *arguments, "--exit-code", "-o", "json")
    return done.exit_code, json.loads(done.stdout)


def test_nothing_has_drifted_where_dialects_and_erps_fit(own: Deployment) -> None:
    with own.erps.untouched():
        done = own.cli("drift", "--exit-code")
    assert (done.exit_code, done.stdout.strip()) == (0, ""), done.output
    assert "0 differences, 0 objects whose metadata could not be read, 0 ERPs not reached" in done.stderr


def test_a_field_that_only_a_regions_overlay_uses_is_missed_there_and_by_its_plants_alone(own: Deployment) -> None:
    own.edit(OVERLAY, REFERENCE, REFERENCE.replace("YY1_", "YY2_"))
    code, rows = drift(own, "s4")
    assert code == 3
    [gone] = rows
    assert (gone["kind"], gone["where"]) == ("property-gone", "ProductionOrder.YY2_ExternalReference_ORD")
    assert (gone["plants"], gone["file"]) == ("1000", f"{OVERLAY}:6:7")
    assert "YY2_ExternalReference_ORD" in own.cli("drift", "s4").stdout


def test_a_constant_that_an_overlay_writes_is_missed_when_its_field_is_gone(own: Deployment) -> None:
    own.edit(OVERLAY, "constants: {GoodsMovementCode:", "constants: {MovementCode:")
    rows = drift(own, "s4")[1]
    assert [(r["where"], r["file"]) for r in rows if r["breaks"]] == [
        ("MaterialDocument.MovementCode", f"{OVERLAY}:16:17")
    ]


def test_a_field_of_the_dialect_itself_is_missed_once_for_all_plants(own: Deployment) -> None:
    own.edit(BASE, "quantity: OrderPlannedTotalQty", "quantity: OrderTotalQty")
    code, rows = drift(own, "s4")
    assert code == 3
    [gone] = [row for row in rows if row["breaks"]]
    assert (gone["kind"], gone["plants"]) == ("property-gone", "1000, 2000, 3000")
    assert gone["file"].startswith(f"{BASE}:")
    assert "quantity stands in it" in gone["detail"]


def test_a_plant_that_the_erp_does_not_serve_is_not_its_concern(own: Deployment) -> None:
    own.edit(OVERLAY, REFERENCE, REFERENCE.replace("YY1_", "YY2_"))
    own.edit("routes/waves.yaml", "    cloud: s4\n    target: cloud\n    wave: wave-1\n", "")
    assert drift(own, "s4") == (0, [])


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://erp.invalid"])
def test_an_erp_that_cannot_be_reached_is_no_erp_without_differences(own: Deployment, address: str) -> None:
    own.environment["CHANGEOVER_ERP_S4_URL"] = address
    own.edit("translators/sap-ecc/production_order.yaml", "quantity: TotalQuantity", "quantity: Quantity")
    done = own.cli("drift", "--exit-code", "-o", "json")
    assert done.exit_code == 6
    assert "s4: s4 " in done.stderr
    assert "1 ERPs not reached" in done.stderr
    assert {row["erp"] for row in json.loads(done.stdout)} == {"ecc"}


def test_an_erp_that_describes_nothing_is_told_and_the_rest_is_compared(own: Deployment) -> None:
    with own.erps.cloud.fault("status", match="api_product/.*metadata", status=404, count=0):
        done = own.cli("drift", "--exit-code")
    assert done.exit_code == 7
    assert "s4/item: s4 answered 404 to a request for its metadata" in done.stderr
    assert "2 objects whose metadata could not be read, 0 ERPs not reached" in done.stderr
