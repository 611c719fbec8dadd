"""`changeover drift` against real Trytons: what a release took away or brought is named, field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.deployment import Site, installed
from tests.support.gateway import Deployment

BOTH = pytest.mark.parametrize("dialect", ["tryton", "tryton-rest"])
ERPS = {"tryton": "tryton-old", "tryton-rest": "tryton-new"}


@pytest.fixture
def trytons(tryton_site: Site, tmp_path: Path) -> Deployment:
    return installed(tmp_path, tryton_site, "legacy")


def drift(made: Deployment, dialect: str) -> tuple[int, list[dict[str, Any]]]:
    done = made.cli("drift", ERPS[dialect], "--exit-code", "-o", "json")
    assert "0 objects whose metadata could not be read, 0 ERPs not reached" in done.stderr
    return done.exit_code, json.loads(done.stdout)


def found(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["kind"], row["where"]) for row in rows}


@BOTH
def test_nothing_has_drifted_from_the_tryton_that_a_dialect_was_written_for(trytons: Deployment, dialect: str) -> None:
    assert drift(trytons, dialect) == (0, [])


@BOTH
def test_a_field_that_a_release_renamed_is_named_where_the_dialect_relies_on_it(
    trytons: Deployment, dialect: str
) -> None:
    place = f"translators/{dialect}/production_order.yaml"
    trytons.edit(place, "planned_end: {to: planned_date,", "planned_end: {to: planned_end_date,")
    code, [gone] = drift(trytons, dialect)
    assert code == 3
    assert (gone["kind"], gone["where"], gone["breaks"]) == ("property-gone", "production.planned_end_date", True)
    assert gone["plants"] == "P100, P200"
    assert gone["file"].startswith(f"{place}:")


@BOTH
def test_a_field_of_another_record_is_followed_to_its_model(trytons: Deployment, dialect: str) -> None:
    trytons.edit(f"translators/{dialect}/confirmation.yaml", "to: work.work_center.name", "to: work.work_center.code")
    trytons.edit(f"translators/{dialect}/receipt.yaml", "to: origin.sequence", "to: origin.number")
    assert found(drift(trytons, dialect)[1]) == {
        ("property-gone", "production.work.cycle.work.work_center.code"),
        ("property-gone", "stock.shipment.in.incoming_moves.origin.number"),
    }


@BOTH
def test_a_button_that_is_gone_breaks_the_verb_that_presses_it(trytons: Deployment, dialect: str) -> None:
    trytons.edit(
        f"translators/{dialect}/purchase_order.yaml", "{do: call, name: quote}", "{do: call, name: send_quotation}"
    )
    assert found(drift(trytons, dialect)[1]) == {("operation-gone", "send_quotation")}


def test_a_state_that_a_release_brought_cannot_be_read_and_is_named(trytons: Deployment) -> None:
    trytons.edit("translators/tryton/production_order.yaml", "decode: {request: created, assigned", "decode: {assigned")
    trytons.edit("translators/tryton/production_order.yaml", "cancelled: cancelled}", "cancelled: canceled}")
    rows = drift(trytons, "tryton")[1]
    assert {(row["kind"], row["detail"].split()[0]) for row in rows} == {
        ("new-word", "'request'"), ("new-word", "'cancelled'"), ("word-gone", "'canceled'"),
    }  # fmt: skip
    assert {row["where"] for row in rows} == {"production.state"}


@BOTH
def test_a_field_of_another_kind_is_named(trytons: Deployment, dialect: str) -> None:
    cost = "to: work.work_center.cost_price"
    trytons.edit(f"translators/{dialect}/confirmation.yaml", "to: work.work_center.name", cost)
    [changed] = drift(trytons, dialect)[1]
    assert (changed["kind"], changed["where"]) == ("type-changed", "production.work.cycle.work.work_center.cost_price")
    assert changed["detail"] == "numeric is no text"
