"""SAP writes days and times of day as they are on a plant's wall; clients read the moment, wherever the plant lies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.sim.erps.masters import PLANTS
from tests.contract.dialects.content import translation
from tests.e2e.calls import Json, Plant, good
from tests.support.gateway import RunningGateway, deployment
from tests.support.simulated import Entry, Pair, simulated_pair

NOW = [datetime(2026, 1, 5, 12, tzinfo=UTC)]
ORDINARY = "2026-07-01T22:30:00Z"
AFTER_THE_SKIPPED_HOUR = "2026-03-29T01:00:00Z"
FIRST_OF_TWO = "2026-10-25T00:30:00Z"
SECOND_OF_TWO = "2026-10-25T01:30:00Z"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Before two ERPs whose clock stands where a test puts it."""
    folder = tmp_path_factory.mktemp("zones")
    with simulated_pair(clock=lambda: NOW[0]) as pair, deployment(folder, pair).running() as started:
        yield started


def worked(gateway: RunningGateway, erps: Pair, code: str, at: str) -> tuple[Json, Json, Entry]:
    """An order begun at a moment, what was reported of it, and that report in the ERP's own record."""
    NOW[0] = datetime.fromisoformat(at)
    plant = Plant(gateway.client("admin"), code)
    key = good(plant.ordered(), 201)["id"]
    good(plant.act("production-orders", key, "release"))
    mark = erps.mark()
    made = good(plant.act("production-orders", key, "confirm", {"operation": "20", "quantity": QUANTITY}), 201)
    (entry,) = [e for e in erps.since(mark).sent if "ConfirmationText" in e["after"]]
    return good(plant.read("production-orders", key)), made, entry


QUANTITY = {"value": "1", "unit": "H87"}


def on_the_wall(entry: Entry) -> str:
    after = entry["after"]
    return f"{after['MfgOrderConfirmationEntryDate']}T{after['MfgOrderConfirmationEntryTime']}"


@pytest.mark.parametrize("code", ["1000", "2000", "3000"])
# The ERPs' clock never goes back: the moments stand in their order, and all plants live through one before the next.
@pytest.mark.parametrize("at", [AFTER_THE_SKIPPED_HOUR, ORDINARY, FIRST_OF_TWO])
def test_a_moment_is_kept_by_the_plants_clock_and_read_as_the_same_moment(
    gateway: RunningGateway, erps: Pair, code: str, at: str
) -> None:
    order, confirmation, entry = worked(gateway, erps, code, at)
    wall = datetime.fromisoformat(at).astimezone(ZoneInfo(PLANTS[code].zone))
    assert on_the_wall(entry) == wall.replace(tzinfo=None).isoformat()
    assert (confirmation["entered_at"], order["actual"]["start"]) == (at, at)
    assert (order["released_on"], confirmation["posted_on"]) == (wall.date().isoformat(),) * 2


def test_of_the_hour_that_autumn_repeats_the_erp_knows_one(gateway: RunningGateway, erps: Pair) -> None:
    first, second = (worked(gateway, erps, "1000", at) for at in (FIRST_OF_TWO, SECOND_OF_TWO))
    assert on_the_wall(first[2]) == on_the_wall(second[2]) == "2026-10-25T02:30:00"
    assert second[1]["entered_at"] == FIRST_OF_TWO


@pytest.mark.parametrize("at", [ORDINARY, AFTER_THE_SKIPPED_HOUR, FIRST_OF_TWO])
def test_what_a_client_plans_stands_on_the_plants_wall(gateway: RunningGateway, erps: Pair, at: str) -> None:
    plant, mark = Plant(gateway.client("admin"), "1000"), erps.mark()
    made = good(plant.ordered(planned={"start": at}), 201)
    wall = datetime.fromisoformat(at).astimezone(ZoneInfo("Europe/Berlin"))
    after = erps.since(mark).sent[0]["after"]
    assert after["MfgOrderPlannedStartDate"] == wall.date().isoformat()
    assert after["MfgOrderPlannedStartTime"] == wall.time().isoformat()
    assert made["planned"]["start"] == at


def test_a_time_that_spring_skips_is_read_as_the_hour_after(gateway: RunningGateway, erps: Pair) -> None:
    """Somebody types half past two into the ERP on the night when there is none."""
    plant = Plant(gateway.client("admin"), "1000")
    values = {
        "ProductionPlant": "1000", "Material": "PUMP-100", "TotalQuantity": "1.000",
        "MfgOrderPlannedStartDate": "/Date(1774742400000)/", "MfgOrderPlannedStartTime": "PT02H30M00S",
    }  # fmt: skip
    key = erps.legacy.screen("A_ProductionOrder_2", values=values)["ManufacturingOrder"]
    assert good(plant.read("production-orders", key.lstrip("0")))["planned"]["start"] == "2026-03-29T01:30:00Z"


@pytest.mark.parametrize("dialect", ["sap-ecc", "sap-s4"])
@pytest.mark.parametrize("code", list(PLANTS))
def test_the_dialects_and_the_erps_mean_the_same_zones(dialect: str, code: str) -> None:
    assert translation(dialect, "production_order", code).plan.parameters["timezone"] == PLANTS[code].zone
