"""The canonical model holds exact values and says what is wrong field by field."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.core.canonical import DOMAINS, OBJECTS
from gateway.core.canonical.validate import document_flaws, field_flaws
from gateway.core.units import CURRENCIES, PACKAGES, REC20, UNITS

ORDER = {
    "plant": "1000",
    "item": "0000004711",
    "quantity": Decimal("1.5"),
    "unit": "KGM",
    "planned_start": datetime(2026, 12, 1, tzinfo=UTC),
}


def test_a_sound_order_has_no_flaws_and_keeps_its_leading_zeros() -> None:
    assert document_flaws("production_order", ORDER) == []
    assert OBJECTS["production_order"].model.model_validate(ORDER).item == "0000004711"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("quantity", Decimal("1.2345"), "decimal"),
        ("quantity", Decimal("NaN"), "finite"),
        ("unit", "KG", "Rec 20"),
        ("planned_start", datetime(2026, 12, 1), "zone"),  # noqa: DTZ001
        ("item", "a/b", "match"),
        ("item", " a", "match"),
        ("plant", "x" * 17, "16 characters"),
        ("status", "lost", "match"),
    ],
)
def test_a_wrong_value_is_named_with_its_field(field: str, value: object, word: str) -> None:
    (flaw,) = document_flaws("production_order", ORDER | {field: value})
    assert flaw.path == (field,)
    assert word in flaw.reason
    assert field_flaws("production_order", {field: value}) == [flaw]


def test_a_missing_field_and_a_field_nobody_declared_are_both_named() -> None:
    flaws = document_flaws("production_order", {k: v for k, v in ORDER.items() if k != "item"} | {"colour": "red"})
    assert {f.path for f in flaws} == {("item",), ("colour",)}


def test_every_object_names_a_domain_and_a_key_that_exist() -> None:
    for spec in OBJECTS.values():
        assert spec.domain in DOMAINS
        assert spec.field(spec.key).kind is not None
        assert spec.plant_of_lines is None or any(f.name == "plant" for f in spec.field(spec.plant_of_lines).rows)


def test_units_are_the_published_codes() -> None:
    assert {"C62", "H87", "EA", "KGM", "MTR", "LTR", "HUR", "H18", "E48", "Z9"} <= REC20
    assert not REC20 & PACKAGES


@pytest.mark.parametrize("word", ["ST", "PCE", "BX", "CT", "RO", "NPR", "HAR"])
def test_what_an_erp_or_another_list_calls_a_unit_is_no_unit(word: str) -> None:
    (flaw,) = document_flaws("production_order", ORDER | {"unit": word})
    assert flaw.path == ("unit",)


def test_packages_stand_behind_an_x() -> None:
    assert {"XBX", "XCT", "XDR", "XPX"} <= PACKAGES
    assert all(len(code) == 3 and code.startswith("X") for code in PACKAGES)
    assert document_flaws("production_order", ORDER | {"unit": "XBX"}) == []
    assert UNITS == REC20 | PACKAGES


def test_currencies_are_the_published_ones_and_those_that_old_orders_are_in() -> None:
    assert (CURRENCIES["EUR"], CURRENCIES["JPY"], CURRENCIES["KWD"], CURRENCIES["XCG"]) == (2, 0, 3, 2)
    assert {"BGN", "ANG", "HRK"} <= set(CURRENCIES)
    assert not {"XAU", "XXX", "XTS"} & set(CURRENCIES)
