"""How much of a production order each SAP dialect carries, counted from what was compiled and not from what is written."""

from __future__ import annotations

import pytest

from gateway.dialects.compile import Translation
from gateway.dialects.resolve import Level
from tests.contract.dialects.content import cases, dialects, translation

SAP = sorted(name for name in dialects() if name.startswith("sap-"))
ORDERS = [(name, plant) for name, object_, plant in cases() if name in SAP and object_ == "production_order"]


def order(dialect: str, plant: str) -> Translation:
    return translation(dialect, "production_order", plant)


def rows(translation: Translation, name: str) -> Level:
    entry = translation.plan.level.entry(name)
    assert entry is not None
    assert entry.rows is not None
    return entry.rows


def fields(level: Level) -> set[str]:
    """The canonical fields that stand somewhere in the native document; a list is as many as its rows have."""
    own = {name for entry in level.entries if entry.rows is None for name in entry.canonical}
    below = {f"{e.canonical[0]}.{name}" for e in level.entries if e.rows is not None for name in fields(e.rows)}
    return own | below


def test_there_are_two_sap_dialects_and_every_plant_is_looked_at() -> None:
    assert SAP == ["sap-ecc", "sap-s4"]
    assert {name for name, _ in ORDERS} == set(SAP)


@pytest.mark.parametrize(("dialect", "plant"), ORDERS)
def test_a_production_order_maps_at_least_thirty_fields(dialect: str, plant: str) -> None:
    assert len(fields(order(dialect, plant).plan.level)) >= 30


@pytest.mark.parametrize(("dialect", "plant"), ORDERS)
def test_its_operations_and_components_are_carried_with_it(dialect: str, plant: str) -> None:
    made = order(dialect, plant)
    assert {"sequence", "work_center", "quantity"} <= fields(rows(made, "operations"))
    assert {"item", "quantity", "unit"} <= fields(rows(made, "components"))


@pytest.mark.parametrize("dialect", SAP)
def test_no_two_of_them_are_the_same_native_field(dialect: str) -> None:
    """A field counts once: what is written twice would be counted for more than there is."""
    level = order(dialect, "*").plan.level
    paths = [path for e in level.entries if e.rows is None and e.access != "read_only" for path in e.native]
    assert len(paths) == len(set(paths))
