"""Which lines of a document are watched in an ERP's change feed: those that people change and both ERPs keep."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.core.canonical import OBJECTS
from gateway.dialects.compile import Translation
from gateway.writes.carry import reworded
from gateway.writes.feed_plan import Feed
from tests.contract.dialects.content import dialects

PART = {"item", "quantity", "unit", "storage_location"}
SAP_PART = PART | {"line", "plant", "operation", "batch"}
STEP = {"sequence", "description", "work_center"}
BOUGHT = {"due_on", "line", "item", "quantity", "unit", "description", "price", "price_per"}


def translation(dialect: str, object_: str) -> Translation:
    made = dialects()[dialect].of(object_, "1000")
    assert made is not None
    return made


def feed(object_: str, here: str, there: str) -> Feed:
    def place(dialect: str) -> Any:
        return SimpleNamespace(side=SimpleNamespace(translation=translation(dialect, object_)))

    cell: Any = None
    return Feed(cell, OBJECTS[object_], place(here), place(there), "c")


@pytest.mark.parametrize(
    ("object_", "here", "there", "watched"),
    [
        ("production_order", "sap-ecc", "sap-s4", {"components": SAP_PART, "operations": STEP | {"control_key"}}),
        ("production_order", "sap-s4", "sap-ecc", {"components": SAP_PART, "operations": STEP | {"control_key"}}),
        ("production_order", "tryton", "tryton-rest", {"components": PART}),
        ("production_order", "sap-ecc", "tryton", {"components": PART | {"batch"}, "operations": STEP}),
        ("purchase_order", "sap-ecc", "sap-s4", {"lines": BOUGHT | {"plant", "storage_location", "item_group"}}),
        ("purchase_order", "tryton", "tryton-rest", {"lines": BOUGHT}),
        ("item", "sap-ecc", "sap-s4", {}),
    ],
)
def test_lines_are_watched_in_the_fields_that_a_person_changes_and_both_keep(
    object_: str, here: str, there: str, watched: dict[str, set[str]]
) -> None:
    assert feed(object_, here, there).lines == watched


@pytest.mark.parametrize("dialect", ["sap-ecc", "sap-s4", "tryton", "tryton-rest"])
def test_lines_that_were_seen_under_older_content_are_still_the_same_lines(dialect: str) -> None:
    same = translation(dialect, "production_order")
    part = {"item": "RM-200", "quantity": Decimal("20"), "unit": "H87", "storage_location": "P100"}
    seen = {"components": [part, part | {"quantity": Decimal("5.250"), "unit": "KGM"}]}
    now = {"id": "1", "plant": "1000", "item": "PUMP-100", "quantity": Decimal(5), "unit": "C62", "status": "released"}
    assert reworded(same, same, seen, now) == seen
