"""A simulated ERP that was killed comes back with all it had committed, and with nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.sim.erps import Erp, ErpConfig
from gateway.sim.erps.declare import Face
from gateway.sim.erps.kept import Kept
from gateway.sim.erps.wire.messages import Answer, Request

LEGACY = "/sap/opu/odata/sap/API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2"
ITEM = {"legacy": {"Material": "000000000000001234"}, "cloud": {"Product": "PUMP-100"}}
FACES: tuple[Face, ...] = ("legacy", "cloud")
Start = Callable[[], tuple[Erp, Kept]]


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Face:
    found: Face = request.param
    return found


@pytest.fixture
def start(tmp_path: Path, face: Face) -> Start:
    """Start the ERP, for the first time or again."""

    def started() -> tuple[Erp, Kept]:
        erp = Erp(ErpConfig(face=face, csrf=False))
        return erp, Kept(erp, tmp_path / "erp.state")

    return started


def ordered(erp: Erp, face: Face, **headers: str) -> Answer:
    quantity = {"legacy": {"TotalQuantity": "10"}, "cloud": {"OrderPlannedTotalQty": 10}}[face]
    body = json.dumps({"ProductionPlant": "1000", **ITEM[face], **quantity}).encode()
    root = LEGACY if face == "legacy" else _cloud(erp)
    answer = erp.answer(Request("POST", root, "", headers, body))
    assert answer.status == 201, answer.body
    return answer


def _cloud(erp: Erp) -> str:
    service = erp.model.types["order"].service
    return f"/sap/opu/odata4/sap/{service}/srvd_a2x/sap/{service}/0001/ProductionOrder"


def held(erp: Erp) -> Any:
    """All an ERP knows."""
    return erp.ledger.rows(), [entry.as_json() for entry in erp.truth]


def test_what_was_committed_is_there_again_and_numbers_go_on(start: Start, face: Face) -> None:
    first, kept = start()
    for _ in range(3):
        ordered(first, face)
        kept.save()
    second, again = start()
    assert held(second) == held(first)
    ordered(second, face)
    again.save()
    third, _ = start()
    assert held(third) == held(second)
    assert len({entry.key[name] for entry in third.truth if entry.type.role == "order" for name in entry.key}) == 4


def test_what_was_not_kept_before_the_kill_never_happened(start: Start, face: Face, tmp_path: Path) -> None:
    first, kept = start()
    ordered(first, face)
    kept.save()
    before = held(first)
    whole = (tmp_path / "erp.state").stat().st_size
    ordered(first, face)
    kept.save()
    path = tmp_path / "erp.state"
    path.write_bytes(path.read_bytes()[: whole + 20])  # the kill came in the middle of the second record
    second, again = start()
    assert held(second) == before
    ordered(second, face)
    again.save()
    assert held(start()[0]) == held(second)


def test_a_create_is_remembered_with_its_identifier(start: Start, face: Face) -> None:
    first, kept = start()
    told = ordered(first, face, **{"repeatability-request-id": "7"})
    kept.save()
    second, _ = start()
    again = ordered(second, face, **{"repeatability-request-id": "7"})
    assert (again.body == told.body) == (face == "cloud")  # the on-prem ERP remembers none
    assert len([e for e in second.truth if e.type.role == "order"]) == (1 if face == "cloud" else 2)


def test_a_reset_is_kept_too(start: Start, face: Face) -> None:
    first, kept = start()
    ordered(first, face)
    kept.save()
    first.reset()
    kept.save()
    second, _ = start()
    assert held(second) == held(first)
    assert second.truth == []
