"""The demo's judge: an order, its release and its confirmation as they were sent, and each field of them gone wrong."""

from __future__ import annotations

import copy
from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest

from gateway.cli.demo.audit import Verdict, judged
from gateway.cli.demo.records import NAMES, Log
from gateway.cli.demo.traffic import Sent, Tally
from gateway.sim.erps import Erp, ErpConfig
from gateway.sim.erps.declare import Face
from gateway.sim.erps.rules import verbs
from gateway.sim.erps.rules.business import Draft
from gateway.sim.erps.truth import Cause

Logs = dict[str, Log]
FACES: tuple[Face, Face] = ("legacy", "cloud")
BODY = {
    "reference": "MES-1",
    "type": "PP02",
    "item": "PUMP-100",
    "quantity": {"value": "4", "unit": "H87"},
    "planned": {"start": "2026-12-01T07:00:00+00:00", "end": "2026-12-01T15:00:00+00:00"},
}
CONFIRMATION = {"operation": "20", "quantity": BODY["quantity"], "final": True}
ORDER_FIELDS: dict[str, dict[str, Any]] = {
    "legacy": {
        "ManufacturingOrder": "000009999999", "ManufacturingOrderType": "PP01", "ProductionPlant": "2000", "Material": "PUMP-200",
        "TotalQuantity": "40.000", "ProductionUnit": "KG", "MfgOrderPlannedStartDate": "2026-12-02",
        "MfgOrderPlannedStartTime": "07:00:00", "MfgOrderPlannedEndDate": "2026-12-02",
        "MfgOrderPlannedEndTime": "15:00:00", "ZZExternalReference": "MES-2",
    },
    "cloud": {
        "ProductionOrder": "59999999", "ProductionOrderType": "PP01", "ProductionPlant": "2000", "Product": "PUMP-200",
        "OrderPlannedTotalQty": "40.000", "ProductionUnit": "ST", "OrderPlannedStartDate": "2026-12-02",
        "OrderPlannedStartTime": "07:00:00", "OrderPlannedEndDate": "2026-12-02",
        "OrderPlannedEndTime": "15:00:00", "YY1_ExternalReference_ORD": "MES-2",
    },
}  # fmt: skip
CONFIRMATION_FIELDS: dict[str, dict[str, Any]] = {
    "legacy": {
        "OrderID": "000009999999", "OrderOperation": "0010", "Plant": "2000", "ConfirmationYieldQuantity": "40.000",
        "ConfirmationUnit": "KG", "IsFinalConfirmation": False,
    },
    "cloud": {
        "ProductionOrder": "59999999", "ProductionOrderOperation": "0010", "Plant": "2000",
        "ConfirmationYieldQuantity": "40.000", "ConfirmationUnit": "ST", "IsFinalConfirmation": False,
    },
}  # fmt: skip
"""Native field -> another value than the one that was sent. All that is sent is here, in each ERP's words."""


def each(fields: dict[str, dict[str, Any]]) -> list[Any]:
    return [pytest.param(face, name, id=f"{face}-{name}") for face in FACES for name in fields[face]]


def worked_off(face: Face) -> tuple[Log, Tally]:
    """The true log of an ERP that made an order, released and confirmed it, and what its client saw."""
    erp = Erp(ErpConfig(face=face))
    values = {
        "plant": "1000", "order_type": "PP02", "item": "PUMP-100", "qty": Decimal(4), "reference": "MES-1",
        "planned_start": date(2026, 12, 1), "planned_start_time": time(8), "planned_end": date(2026, 12, 1),
        "planned_end_time": time(16),
    }  # fmt: skip
    with erp.business.unit(Cause()) as unit:
        key = verbs.create(erp.business, unit, Draft("order", values))
    release = next(a for a in erp.model.actions.values() if a.verb == "release_order")
    with erp.business.unit(Cause()) as unit:
        verbs.act(erp.business, unit, release, key, {})
    done = {"order": key[0], "operation": "0020", "yield_qty": Decimal(4), "is_final": True}
    with erp.business.unit(Cause()) as unit:
        verbs.create(erp.business, unit, Draft("confirmation", done))
    order = Sent("1000", BODY, face, face, str(key[0]).lstrip("0"), face, CONFIRMATION, face)
    return [entry.as_json() for entry in erp.truth], Tally(sent=[order])


def verdict(face: Face, log: Log, tally: Tally) -> Verdict:
    return judged({side: log if side == face else [] for side in FACES}, tally)


def rows(log: Log, entity: str) -> list[dict[str, Any]]:
    return [entry for entry in log if entry["entity"] == entity]


def figures(found: Verdict) -> tuple[int, int, int]:
    return found.figures["lost"], found.figures["duplicated"], found.figures["translated"]


@pytest.mark.parametrize("face", FACES)
def test_an_order_and_its_confirmation_as_sent_are_two_documents_translated(face: Face) -> None:
    found = verdict(face, *worked_off(face))
    assert found.good
    assert figures(found) == (0, 0, 2)


@pytest.mark.parametrize(("face", "name"), each(ORDER_FIELDS))
def test_an_order_with_one_field_wrong_is_not_counted(face: Face, name: str) -> None:
    log, tally = worked_off(face)
    for entry in rows(log, NAMES[face].orders):
        assert entry["after"][name] != ORDER_FIELDS[face][name]
        entry["after"][name] = ORDER_FIELDS[face][name]
    found = verdict(face, log, tally)
    assert not found.good
    assert found.figures["translated"] < found.figures["documents"] == 2
    assert "MES-1" in found.mistranslated


@pytest.mark.parametrize(("face", "name"), each(CONFIRMATION_FIELDS))
def test_a_confirmation_with_one_field_wrong_is_not_counted(face: Face, name: str) -> None:
    log, tally = worked_off(face)
    (entry,) = rows(log, NAMES[face].confirmations)
    assert entry["after"][name] != CONFIRMATION_FIELDS[face][name]
    entry["after"][name] = CONFIRMATION_FIELDS[face][name]
    found = verdict(face, log, tally)
    assert not found.good
    assert found.figures["translated"] == 1
    assert found.mistranslated == ["the confirmation of MES-1"]
    assert found.figures["lost"] == (name == NAMES[face].confirmed)


@pytest.mark.parametrize("face", FACES)
def test_a_field_that_a_later_write_spoils_is_seen_too(face: Face) -> None:
    log, tally = worked_off(face)
    rows(log, NAMES[face].orders)[-1]["after"]["ProductionPlant"] = "2000"
    assert verdict(face, log, tally).mistranslated == ["MES-1"]


@pytest.mark.parametrize("face", FACES)
def test_an_order_that_its_erp_does_not_have_is_lost_with_its_release_and_its_confirmation(face: Face) -> None:
    _, tally = worked_off(face)
    assert figures(verdict(face, [], tally)) == (3, 0, 0)


@pytest.mark.parametrize("face", FACES)
def test_a_release_that_its_erp_does_not_have_is_lost(face: Face) -> None:
    log, tally = worked_off(face)
    for entry in rows(log, NAMES[face].orders):
        entry["after"]["OrderIsReleased"] = False
    assert figures(verdict(face, log, tally)) == (1, 0, 2)


@pytest.mark.parametrize("face", FACES)
def test_a_confirmation_that_its_erp_does_not_have_is_lost(face: Face) -> None:
    log, tally = worked_off(face)
    log = [entry for entry in log if entry["entity"] != NAMES[face].confirmations]
    assert figures(verdict(face, log, tally)) == (1, 0, 1)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("kind", ["orders", "confirmations"])
def test_what_was_made_twice_is_told(face: Face, kind: str) -> None:
    log, tally = worked_off(face)
    again = copy.deepcopy(next(e for e in log if (e["entity"], e["verb"]) == (getattr(NAMES[face], kind), "create")))
    if kind == "orders":
        again["after"][NAMES[face].number] = "77"
    assert figures(verdict(face, [*log, again], tally))[1] == 1


def test_what_nobody_acknowledged_is_not_lost() -> None:
    assert figures(judged({face: [] for face in FACES}, Tally(sent=[Sent("1000", BODY)]))) == (0, 0, 0)


def test_a_field_that_is_sent_and_that_the_judge_cannot_read_is_no_success() -> None:
    log, tally = worked_off("legacy")
    tally.sent[0].body = {**BODY, "priority": "1"}
    with pytest.raises(KeyError, match="priority"):
        verdict("legacy", log, tally)
