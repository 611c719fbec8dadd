"""A filter said in a dialect's fields keeps the same documents as the canonical filter does."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.canonical import Document
from gateway.core.filters import And, Compare, Filter, Not, Or
from gateway.dialects.codecs.days import from_ms
from gateway.dialects.compile import Translation
from gateway.dialects.filters import Unfilterable, to_native
from gateway.dialects.specimens import specimens, values_of
from gateway.protocols.odata_v2 import literal as literal2
from gateway.protocols.odata_v4 import literal as literal4
from tests.contract.dialects.content import bases, translation

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq, "ne": operator.ne, "gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le,
}  # fmt: skip
QUICK = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def holds(where: Filter, document: dict[str, Any], get: Callable[[dict[str, Any], Compare], tuple[Any, Any]]) -> bool:
    """Evaluate as OData does: null equals null, and any order with null is false."""
    match where:
        case Compare(_, op, _, _):
            have, wanted = get(document, where)
            if op not in ("eq", "ne") and (have is None or wanted is None):
                return False
            return bool(OPERATORS[op](have, wanted))
        case And(parts):
            return all(holds(p, document, get) for p in parts)
        case Or(parts):
            return any(holds(p, document, get) for p in parts)
        case Not(part):
            return not holds(part, document, get)


def canonical(document: dict[str, Any], compare: Compare) -> tuple[Any, Any]:
    return document.get(compare.field), compare.value


def native(document: dict[str, Any], compare: Compare) -> tuple[Any, Any]:
    value: Any = document
    for step in compare.field.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return tuple(_ordered(v, compare.literal) for v in (value, compare.value))


def _ordered(value: Any, literal: str) -> Any:
    """A native value as the ERP compares it."""
    if value is None:
        return None
    match literal:
        case "decimal":
            return Decimal(value)
        case "date_ms" | "datetime_ms":
            return from_ms(value)
        case "datetime":
            return datetime.fromisoformat(value)
        case "time":
            digits = [int(part) for part in value.strip("PTS").replace("H", ":").replace("M", ":").split(":")]
            return timedelta(hours=digits[0], minutes=digits[1], seconds=digits[2])
    return value


def _filterable(found: Translation, documents: list[Document]) -> list[tuple[str, Any]]:
    fields = [n for e in found.plan.level.entries if e.codec is not None for n in e.canonical]
    return [(field, document[field]) for field in fields for document in documents if field in document]


@pytest.mark.parametrize(("dialect", "name"), bases())
def test_a_filter_keeps_the_same_documents_on_both_sides(dialect: str, name: str) -> None:
    found = translation(dialect, name, "1000")
    documents = [d for d in specimens(found.plan) if d]
    pairs = [(document, found.encode(document)) for document in documents]
    leaves = st.tuples(st.sampled_from(_filterable(found, documents)), st.sampled_from(sorted(OPERATORS)))
    compared = leaves.map(lambda leaf: Compare(leaf[0][0], leaf[1], leaf[0][1]))
    trees: st.SearchStrategy[Filter] = st.recursive(
        compared,
        lambda inner: st.one_of(st.tuples(inner, inner).map(And), st.tuples(inner, inner).map(Or), inner.map(Not)),
        max_leaves=3,
    )

    @QUICK
    @given(trees)
    def law(where: Filter) -> None:
        try:
            said = to_native(found.plan, where)
        except Unfilterable:
            return
        for document, written in pairs:
            if _settled(where, document):
                assert holds(said, written, native) == holds(where, document, canonical), (where, said, document)

    law()


@pytest.mark.parametrize(("dialect", "name"), bases())
def test_every_comparison_of_every_ordered_field_agrees_on_every_pair_of_boundaries(dialect: str, name: str) -> None:
    found = translation(dialect, name, "1000")
    for entry in found.plan.level.entries:
        if entry.codec is None or not entry.codec.ordered or entry.codec.canonical > 1 or not entry.codec.comparable:
            continue
        kind = found.plan.spec.field(entry.canonical[0]).kind
        assert kind is not None
        field, values = entry.canonical[0], values_of(kind, entry.codec)
        written = {value: found.encode({field: value}) for value in values}
        for wanted in values:
            for op, compared in OPERATORS.items():
                said = to_native(found.plan, Compare(field, op, wanted))
                kept = [value for value in values if holds(said, written[value], native)]
                assert kept == [value for value in values if compared(value, wanted)], (field, op, wanted)


def _settled(where: Filter, document: Document) -> bool:
    """Whether the document says something of each field: what is absent is unknown, not null."""
    match where:
        case Compare(field, _, _, _):
            return field in document
        case Not(part):
            return _settled(part, document)
        case And(parts) | Or(parts):
            return all(_settled(p, document) for p in parts)


@pytest.mark.parametrize(
    ("dialect", "name", "fields"),
    [
        ("sap-ecc", "production_order", {"id", "item", "plant", "status", "planned_start", "changed_at", "reference"}),
        ("sap-s4", "production_order", {"id", "item", "plant", "status", "planned_start", "changed_at", "reference"}),
        ("d365", "production_order", {"id", "item", "plant", "status", "changed_at", "reference"}),
        ("tryton", "production_order", {"id", "item", "plant", "status", "quantity", "reference", "changed_at"}),
        ("sap-ecc", "purchase_order", {"id", "supplier", "status", "reference", "ordered_on"}),
        ("api-v2", "production_order", {"id", "item", "status", "planned_start", "reference"}),
    ],
)
def test_the_fields_that_matter_can_be_searched_by(dialect: str, name: str, fields: set[str]) -> None:
    found = translation(dialect, name, "1000")
    values = dict(_filterable(found, list(specimens(found.plan))[:1]))
    for field in fields:
        assert to_native(found.plan, Compare(field, "eq", values[field]))


def test_a_status_kept_in_flags_is_searched_without_the_stronger_ones() -> None:
    plan = translation("sap-ecc", "production_order").plan
    said = to_native(plan, Compare("status", "eq", "released"))
    assert holds(said, {"OrderIsReleased": True}, native)
    assert not holds(said, {"OrderIsReleased": True, "OrderIsTechnicallyCompleted": True}, native)


def test_a_time_is_compared_by_its_day_and_its_clock() -> None:
    plan = translation("sap-ecc", "production_order", "1000").plan
    moment = datetime.fromisoformat("2026-11-23T05:00:00+00:00")
    said = to_native(plan, Compare("planned_start", "ge", moment))
    assert isinstance(said, Or)
    first = said.parts[0]
    assert isinstance(first, Compare)
    assert literal2(first.value, first.literal) == "datetime'2026-11-23T00:00:00'"
    said = to_native(translation("sap-s4", "production_order", "2000").plan, Compare("planned_start", "ge", moment))
    assert isinstance(said, Or)
    first = said.parts[0]
    assert isinstance(first, Compare)
    assert literal4(first.value, first.literal) == "2026-11-22"


@pytest.mark.parametrize(
    ("dialect", "name", "field"),
    [("sap-ecc", "item", "name"), ("sap-ecc", "item", "created_on"), ("sap-ecc", "purchase_order", "plant"),
     ("sap-ecc", "production_order", "operations"), ("sap-ecc", "production_order", "actual_end")],
)  # fmt: skip
def test_what_the_system_cannot_search_by_is_said_to_be_unfilterable(dialect: str, name: str, field: str) -> None:
    with pytest.raises(Unfilterable) as caught:
        to_native(translation(dialect, name).plan, Compare(field, "eq", "x"))
    assert caught.value.field == field
