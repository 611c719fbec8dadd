"""The engine of the simulated ERPs, without a socket."""

from __future__ import annotations

import ast
import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import gateway.sim.erps
from gateway.sim.erps import Erp, ErpConfig
from gateway.sim.erps.declare import Face
from gateway.sim.erps.faults import Fault, FaultBook, fault_from
from gateway.sim.erps.refusal import ErpRefusal
from gateway.sim.erps.rules import verbs
from gateway.sim.erps.rules.business import Draft
from gateway.sim.erps.tables import model_of
from gateway.sim.erps.tables.numbers import RANGES, NumberRange
from gateway.sim.erps.truth import Cause
from gateway.sim.erps.wire.messages import Request

FACES: tuple[Face, ...] = ("legacy", "cloud", "d365")
ROOT = "/sap/opu/odata/sap/API_PRODUCTION_ORDER_2_SRV/"


def at_four() -> datetime:
    return datetime(2026, 10, 2, 16, tzinfo=UTC)


def erp(face: Face = "legacy", **settings: Any) -> Erp:
    return Erp(ErpConfig(face=face, clock=at_four, csrf=False, **settings))


def post(at: Erp, path: str, body: dict[str, Any], **headers: str) -> tuple[int, Any]:
    answer = at.answer(Request("POST", path, "", headers, json.dumps(body).encode()))
    return answer.status, json.loads(answer.body)


ORDER = {"ProductionPlant": "1000", "Material": "000000000000001234", "TotalQuantity": "10"}


def test_the_package_imports_nothing_of_the_gateway_but_itself() -> None:
    allowed = {"gateway", "lxml", "odata_query", "orjson", "uvicorn"} | sys.stdlib_module_names
    for path in Path(gateway.sim.erps.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert {n.split(".")[0] for n in names} <= allowed, path
            assert all(n.startswith("gateway.sim.erps") for n in names if n.startswith("gateway")), path


@pytest.mark.parametrize("face", FACES)
def test_the_same_seed_and_clock_give_the_same_data_and_another_seed_does_not(face: Face) -> None:
    def data(seed: int) -> Any:
        return {role: stored.rows for role, stored in erp(face, seed=seed).ledger.stored.items()}

    assert data(1) == data(1)
    assert data(1)["order"] != data(2)["order"]


def test_all_erps_are_seeded_with_the_same_business() -> None:
    def business(face: Face) -> set[tuple[Any, ...]]:
        orders = erp(face).ledger.stored["order"].rows.values()
        return {(o["reference"], o["plant"], str(o["item"]).lstrip("0"), o["qty"], o["is_released"]) for o in orders}

    assert business("legacy") == business("cloud") == business("d365")
    assert {o["plant"] for o in erp().ledger.stored["order"].rows.values()} == {"1000", "2000", "3000"}


@pytest.mark.parametrize("face", FACES)
def test_every_declared_name_is_unique_within_its_entity(face: Face) -> None:
    for entity in model_of(face).types.values():
        assert len(entity.by_name) == len(entity.by_field) == len(entity.properties)
        if entity.parent:
            parent = model_of(face).types[entity.parent]
            assert [p.field for p in entity.keys][: len(parent.keys)] == [p.field for p in parent.keys]


def test_the_legacy_order_header_is_as_wide_as_the_real_one_feels() -> None:
    assert len(model_of("legacy").types["order"].properties) >= 35


def create_change_and_fail(at: Erp) -> None:
    order = Draft("order", {"plant": "1000", "item": "PUMP-100", "qty": Decimal(1), "reference": "R"})
    with at.business.unit(Cause()) as unit:
        verbs.create(at.business, unit, order)
        verbs.change(at.business, unit, "order", ("000001000000",), {"text": "changed"})
        assert at.ledger.find("order", "reference", "R")
        raise RuntimeError


def test_a_failed_unit_puts_rows_indexes_and_truth_back() -> None:
    at = erp()
    before = {role: dict(stored.rows) for role, stored in at.ledger.stored.items()}
    with pytest.raises(RuntimeError):
        create_change_and_fail(at)
    assert {role: dict(stored.rows) for role, stored in at.ledger.stored.items()} == before
    assert at.ledger.find("order", "reference", "R") == []
    assert at.truth == []


def test_numbers_used_by_a_failed_document_stay_used() -> None:
    at = erp()
    assert (
        post(at, ROOT + "A_ProductionOrder_2", {**ORDER, "to_ProductionOrderComponent": [{"Material": "X"}]})[0] == 400
    )
    status, order = post(at, ROOT + "A_ProductionOrder_2", ORDER)
    assert (status, order["d"]["ManufacturingOrder"]) == (201, "000001000013")


def test_two_changes_in_one_instant_have_two_etags() -> None:
    at = erp()
    path = f"{ROOT}A_ProductionOrder_2('000001000000')"
    tags = set()
    for text in ("a", "b"):
        body = json.dumps({"ManufacturingOrderText": text}).encode()
        answer = at.answer(Request("PATCH", path, "", {"if-match": "*"}, body))
        assert answer.status == 204
        tags.add(dict(answer.headers)["etag"])
    assert len(tags) == 2


def test_the_truth_keeps_rows_as_they_were() -> None:
    at = erp()
    path = f"{ROOT}A_ProductionOrder_2('000001000000')"
    for text in ("a", "b"):
        at.answer(Request("PATCH", path, "", {"if-match": "*"}, json.dumps({"ManufacturingOrderText": text}).encode()))
    changes = [e for e in at.truth if e.entity == "A_ProductionOrder_2"]
    seen = [((e.before or {})["ManufacturingOrderText"], (e.after or {})["ManufacturingOrderText"]) for e in changes]
    assert seen == [("", "a"), ("a", "b")]
    assert changes[0].key == {"ManufacturingOrder": "000001000000"}
    assert json.dumps(changes[0].as_json())


def test_an_erp_answers_every_request_even_nonsense() -> None:
    at = erp()
    for method in ("GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "BREW"):
        for path in (
            "/",
            "//",
            "/sap",
            ROOT,
            ROOT + "A_ProductionOrder_2()",
            ROOT + "A_ProductionOrder_2('1')/x",
            ROOT + "$batch",
        ):
            for body in (b"", b"[]", b"{", b'{"d":1}', b"\xff"):
                assert at.answer(Request(method, path, "$filter=%FF&$top=-1", {}, body)).status < 502


@pytest.mark.parametrize("rule", [{}, {"action": "status", "path": "x"}, {"action": "explode"}])
def test_a_fault_that_is_no_rule_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a"):
        fault_from(rule)


def test_the_first_rule_that_fits_and_is_not_spent_acts() -> None:
    book = FaultBook(
        ({"action": "drop_before", "match": "Order", "method": "POST"}, {"action": "truncate", "count": 0})
    )
    picked = [book.pick("POST", "/Order"), book.pick("POST", "/Order"), book.pick("GET", "/x")]
    assert [f.action for f in picked if isinstance(f, Fault)] == ["drop_before", "truncate", "truncate"]


def test_a_line_may_not_be_posted_to_a_document_without_its_key() -> None:
    at = erp()
    with pytest.raises(ErpRefusal), at.business.unit(Cause()) as unit:
        verbs.create(at.business, unit, Draft("component", {"item": "SEAL-7", "qty": Decimal(1)}))
    lines = f"{ROOT}A_ProductionOrder_2('000001000000')/to_ProductionOrderComponent"
    status, line = post(at, lines, {"Material": "BOLT-M8", "RequiredQuantity": "4"})
    assert (status, line["d"]["ManufacturingOrder"], line["d"]["BaseUnit"]) == (201, "000001000000", "ST")


def test_no_two_documents_of_the_old_and_the_new_erp_get_one_number_by_themselves() -> None:
    for series in ("order", "group", "movement", "purchase"):
        old, new = RANGES["legacy"][series], RANGES["cloud"][series]
        assert old.last < new.first, series


def test_a_number_range_that_is_used_up_gives_no_more_numbers() -> None:
    at = erp("cloud", orders=0, numbers={"order": NumberRange(7, 4, "X", last=8)})
    assert [at.ledger.next_number("order") for _ in range(2)] == ["X0007", "X0008"]
    with pytest.raises(ErpRefusal, match="used up"):
        at.ledger.next_number("order")
