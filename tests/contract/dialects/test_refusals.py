"""What does not fit is refused, and the refusal names the field."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.dialects.compile import Mismatch, Translation
from gateway.dialects.resolve import Entry, Level
from gateway.dialects.specimens import specimens
from tests.contract.dialects.content import bases, translation

CLIENTS = [(dialect, name) for dialect, name in bases() if dialect.startswith("api-")]


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for step in path[:-1]:
        document = document.setdefault(step, {})
    document[path[-1]] = value
    return document


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    _put(made, path, value)
    return made


def _refused(found: Translation, document: Any) -> Mismatch:
    with pytest.raises(Mismatch) as caught:
        found.decode_strict(document)
    return caught.value


@pytest.mark.parametrize(("dialect", "name"), CLIENTS)
def test_a_client_may_not_send_what_the_system_sets(dialect: str, name: str) -> None:
    found = translation(dialect, name)
    for entry in found.plan.level.entries:
        if entry.access == "read_only" and entry.rows is None:
            refusal = _refused(found, _nested(entry.native[0], None))
            assert refusal.reason == "the field is read-only"
            assert refusal.native == entry.native[0][: len(refusal.native)]


@pytest.mark.parametrize(("dialect", "name"), CLIENTS)
def test_a_client_may_not_send_a_field_that_nobody_knows(dialect: str, name: str) -> None:
    refusal = _refused(translation(dialect, name), {"colour": "red"})
    assert (refusal.native, refusal.reason) == (("colour",), "unknown field")


def test_an_unknown_field_of_a_line_is_named_with_the_line() -> None:
    found = translation("api-v2", "production_order")
    refusal = _refused(found, {"components": [{"item": "A"}, {"item": "B", "quantity": {"value": "1", "colour": 1}}]})
    assert (refusal.native, refusal.reason) == (("components", 1, "quantity", "colour"), "unknown field")


@pytest.mark.parametrize(("dialect", "name"), CLIENTS)
def test_what_a_client_may_send_is_read_strictly_and_leniently_alike(dialect: str, name: str) -> None:
    found = translation(dialect, name)
    for document in specimens(found.plan):
        sent = found.encode_write(document)
        assert found.decode_strict(sent) == found.decode(sent)


@pytest.mark.parametrize("wrong", [[], "order", 7, None, True])
def test_a_body_that_is_no_object_is_refused(wrong: Any) -> None:
    assert "object expected" in _refused(translation("api-v2", "item"), wrong).reason


BROKEN = [object(), {"a": 1}, [1], 1.5]


def _singles(level: Level) -> list[Entry]:
    return [e for e in level.entries if e.codec is not None and e.access == "both" and e.codec.literal != "plain"]


@pytest.mark.parametrize(("dialect", "name"), bases())
def test_a_broken_native_value_is_refused_under_its_canonical_and_its_native_name(dialect: str, name: str) -> None:
    found = translation(dialect, name)
    for entry in _singles(found.plan.level):
        for wrong in BROKEN:
            document = _nested(entry.native[0], wrong)
            for path in entry.native[1:]:
                _put(document, path, wrong)
            with pytest.raises(Mismatch) as caught:
                found.decode(document)
            assert caught.value.canonical == entry.canonical[:1]
            assert caught.value.native == (".".join(entry.native[0]),)


@pytest.mark.parametrize(("dialect", "name"), bases())
def test_what_a_system_lacks_is_refused_when_written_and_let_pass_when_it_says_nothing(dialect: str, name: str) -> None:
    found = translation(dialect, name)
    for field, lacking in found.plan.level.unsupported.items():
        assert found.encode_write({field: None}) == found.encode_write({})
        if lacking.policy == "refuse":
            with pytest.raises(Mismatch) as caught:
                found.encode_write({field: "x"})
            assert caught.value.canonical == (field,)
        else:
            assert found.encode_write({field: "x"}) == found.encode_write({})


def test_a_number_that_would_lose_its_leading_zeros_is_refused() -> None:
    with pytest.raises(Mismatch, match="leading zeros"):
        translation("sap-ecc", "production_order").encode({"item": "0000004711"})
    assert translation("sap-s4", "production_order").encode({"item": "0000004711"}) == {"Product": "0000004711"}


def test_digits_that_a_system_has_no_room_for_are_refused_and_not_rounded() -> None:
    with pytest.raises(Mismatch, match="more than 2 digits") as caught:
        translation("sap-ecc", "purchase_order").encode({"lines": [{"price": Decimal("1.005")}]})
    assert caught.value.canonical == ("lines", 0, "price")


def test_a_text_longer_than_the_system_keeps_is_refused() -> None:
    with pytest.raises(Mismatch, match="longer than 12"):
        translation("sap-ecc", "production_order").encode_write({"recipient": "Warehouse South"})


def test_an_operation_confirmed_in_a_system_that_only_knows_orders_is_refused() -> None:
    with pytest.raises(Mismatch) as caught:
        translation("d365", "confirmation").encode_write({"operation": "10"})
    assert caught.value.canonical == ("operation",)
