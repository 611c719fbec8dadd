"""The canonical model holds exact values and says what is wrong field by field."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.core.canonical import DOMAINS, OBJECTS
from gateway.core.canonical.validate import document_flaws, field_flaws
from gateway.core.units import CURRENCIES, REC20

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
        ("item", "a/b", "pattern"),
        ("item", " a", "pattern"),
        ("plant", "x" * 9, "8 characters"),
        ("status", "lost", "pattern"),
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


def test_units_and_currencies_are_the_published_codes() -> None:
    assert {"H87", "KGM", "MTR", "LTR", "HUR"} <= set(REC20)
    assert (CURRENCIES["EUR"], CURRENCIES["JPY"], CURRENCIES["KWD"]) == (2, 0, 3)
