"""The question holds what the manifest declares, all of it and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Denied
from gateway.policy.manifest import Manifest
from gateway.policy.question import VERBS, Projector, Question, Subject, question_schema

MANIFEST = Manifest.model_validate(
    {
        "schema": 1,
        "document": {
            "purchase_order": ["supplier", "currency", "terms.days", "lines[].item", "tags[]"],
            "item": ["group", "created_on"],
        },
        "totals": {"purchase_order": {"total": {"over": "lines", "multiply": ["quantity", "price"], "divide": "per"}}},
        "obligations": ["mask"],
    }
)
PROJECTOR = Projector(MANIFEST)
ALICE = Subject("alice", "mes", ("b", "a", "b"), ("1000",), "jwt")


def ask(thing: str = "purchase_order", /, **document: Any) -> Question:
    return Question(ALICE, "1000", "procurement", thing, "create", "legacy", document=document)


def projected(question: Question, projector: Projector = PROJECTOR, now_s: float = 0) -> Any:
    return json.loads(projector.project(question, now_s), parse_float=Decimal)


def test_roles_are_sorted_and_named_once() -> None:
    assert projected(ask())["subject"]["roles"] == ["a", "b"]


def test_only_declared_fields_are_asked() -> None:
    document = projected(ask(supplier="S1", secret="x", terms={"days": 30, "note": "x"}, lines=[{"item": "A", "x": 1}]))
    assert document["document"] == {
        "supplier": "S1",
        "currency": None,
        "terms": {"days": 30},
        "lines": [{"item": "A"}],
        "tags": None,
        "total": None,
        "group": None,
        "created_on": None,
    }


def test_fields_of_other_objects_are_null_even_when_the_document_has_them() -> None:
    assert projected(ask("item", supplier="S1", group="G"))["document"]["supplier"] is None
    assert projected(ask("item", supplier="S1", group="G"))["document"]["group"] == "G"


def test_an_object_without_declared_fields_has_them_all_as_null() -> None:
    document = projected(ask("movement", supplier="S1"))["document"]
    assert document.pop("terms") == {"days": None}
    assert set(document.values()) == {None}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("10.500"), b"10.5"),
        (Decimal("1E+3"), b"1000"),
        (Decimal("-0.0"), b"0"),
        (Decimal("0.0001"), b"0.0001"),
        (0.1, b"0.1"),
        (7, b"7"),
        (Decimal("999999999999999"), b"999999999999999"),
        (date(2026, 11, 22), b'"2026-11-22"'),
        (datetime(2026, 11, 22, 1, tzinfo=UTC), b'"2026-11-22T01:00:00Z"'),
    ],
)
def test_values_have_one_exact_spelling(value: Any, text: bytes) -> None:
    assert b'"supplier":' + text + b"," in PROJECTOR.project(ask(supplier=value), 0)


@pytest.mark.parametrize(
    "value",
    [
        Decimal("1234567890123456"),
        10**15 + 1,
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1E+99999"),
        [1],
        {},
        "\ud800",
    ],
)
def test_a_value_that_cannot_be_asked_exactly_is_a_no(value: Any) -> None:
    with pytest.raises(Denied) as caught:
        PROJECTOR.project(ask(supplier=value), 0)
    assert caught.value.extra == {"reasons": ["question-not-exact"]}


def line(quantity: str, price: str, per: str = "1") -> dict[str, Decimal]:
    return {"quantity": Decimal(quantity), "price": Decimal(price), "per": Decimal(per)}


@pytest.mark.parametrize(
    ("lines", "total"),
    [
        ([line("3", "0.1"), line("1", "0.2")], "0.5"),
        ([line("1", "10", "3")], "3.3333"),
        ([], "0"),
        ([line("1", "1"), {"quantity": Decimal(1)}], None),
        ([{"quantity": True, "price": 1, "per": 1}], None),
        (None, None),
        ("text", None),
        (["text"], None),
    ],
)
def test_a_total_is_exact_or_unknown(lines: Any, total: str | None) -> None:
    expected = None if total is None else Decimal(total)
    found = projected(ask(lines=lines) if not isinstance(lines, list) else ask(lines=tuple(lines)))["document"]["total"]
    assert found == expected


def test_a_division_by_zero_is_a_no() -> None:
    with pytest.raises(Denied):
        PROJECTOR.project(ask(lines=[line("1", "1", "0")]), 0)


def test_time_is_asked_only_in_buckets_and_only_when_declared() -> None:
    bucketed = Projector(MANIFEST.model_copy(update={"time_bucket_s": 3600}))
    noon = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC).timestamp()
    assert projected(ask(), now_s=noon)["time_bucket"] is None
    assert projected(ask(), bucketed, noon)["time_bucket"] == "2026-11-22T12:00:00Z"


SCALARS = st.none() | st.booleans() | st.integers(-(10**14), 10**14) | st.text(max_size=8)
FIELDS = st.sampled_from(["supplier", "currency", "terms", "lines", "tags", "group", "secret"])
DOCUMENTS = st.dictionaries(
    FIELDS.filter(lambda name: name not in ("terms", "lines", "tags")), SCALARS, max_size=5
) | st.fixed_dictionaries(
    {},
    optional={
        "terms": st.dictionaries(st.sampled_from(["days", "note"]), SCALARS) | SCALARS,
        "lines": st.lists(st.dictionaries(st.sampled_from(["item", "x"]), SCALARS), max_size=3) | SCALARS,
        "tags": st.lists(SCALARS, max_size=3),
    },
)


@given(
    document=DOCUMENTS,
    thing=st.sampled_from(["purchase_order", "item", "movement"]),
    verb=st.sampled_from(VERBS),
    roles=st.lists(st.text(max_size=5), max_size=4),
    side=st.sampled_from(["legacy", "cloud", None]),
)
def test_every_question_has_every_declared_key(document: Any, thing: str, verb: str, roles: Any, side: Any) -> None:
    subject = Subject("u", "c", tuple(roles), ("1000",), "api-key")
    question = Question(subject, "1000", "procurement", thing, verb, "legacy", side, None, document)
    asked = json.loads(PROJECTOR.project(question, 0))
    jsonschema.validate(asked, question_schema(MANIFEST))
    assert "secret" not in json.dumps(asked["document"])
