"""Rows that the ERP has already: a receipt takes in the moves that an order expects, and makes none of its own."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from gateway.protocols.port import ErpRefusal, HttpReply, Query, Reference, Shape, StepCall
from gateway.protocols.shape import shape_of
from gateway.protocols.tryton import dumps, listed, loads, references, wanted, with_ids
from gateway.protocols.tryton_rest import TrytonRest, followed
from gateway.protocols.tryton_rpc import TrytonRpc
from tests.contract.dialects.content import translation

CODECS = pytest.mark.parametrize("name", ["tryton", "tryton-rest"])


def native(name: str = "tryton", *lines: dict[str, Any]) -> tuple[Shape, dict[str, Any]]:
    """The shape of a receipt, and one natively, each line differing from the first as said."""
    found = translation(name, "receipt", "P100")
    line = {"purchase_order": "5", "purchase_order_line": "10", "item": "RM-200", "quantity": Decimal(6), "unit": "H87"}
    rows = [{**line, **more} for more in lines or ({},)]
    head = {"plant": "P100", "delivery_note": "DN-1", "posting_date": date(2026, 11, 20)}
    return shape_of(found.plan), found.encode_write({**head, "lines": rows})


def ids_of(shape: Shape, document: dict[str, Any]) -> dict[tuple[str | int, ...], int]:
    """Ids as they are found: the nth record has the number n, and the same record the same number."""
    found = {reference.path: reference.wanted for reference in references(shape, document)}
    known = list(dict.fromkeys(found.values()))
    return {path: known.index(names) + 1 for path, names in found.items()}


@CODECS
def test_a_line_is_found_as_the_open_move_of_its_order_each_time_anew(name: str) -> None:
    shape, document = native(name)
    move = next(r for r in references(shape, document) if r.model == "stock.move")
    assert (move.path, move.kept) == (("incoming_moves", 0), False)
    assert wanted(shape, move) == [
        ["purchase.id", "=", 5],
        ["origin.sequence", "=", 10, "purchase.line"],
        ["product.code", "=", "RM-200"],
        ["state", "=", "draft"],
        ["shipment", "=", None],
    ]


def test_a_line_without_its_item_is_found_by_the_order_alone() -> None:
    shape, document = native("tryton", {"item": None})
    move = next(r for r in references(shape, document) if r.model == "stock.move")
    assert "product.code" not in dict(move.wanted)


def test_the_supplier_is_the_orders() -> None:
    shape, document = native()
    order = next(r for r in references(shape, document) if r.model == "purchase.purchase")
    assert (order.path, order.wanted, order.take) == (("supplier",), (("id", 5),), "party")


@CODECS
def test_moves_are_taken_in_with_what_came_of_them(name: str) -> None:
    shape, document = native(name, {}, {"purchase_order_line": "20", "item": "RM-300", "quantity": Decimal(2)})
    codec = TrytonRpc() if name == "tryton" else TrytonRest()
    ids = ids_of(shape, document)
    body = codec.placed(StepCall("create", document=document), ids).document
    assert body is not None
    first, second = ids["incoming_moves", 0], ids["incoming_moves", 1]
    unit = ids["incoming_moves", 0, "unit"]
    assert body["incoming_moves"] == [
        ["add", [first, second]],
        ["write", [first], {"quantity": 6.0, "unit": unit}],
        ["write", [second], {"quantity": 2.0, "unit": unit}],
    ]
    assert (body["supplier"], body["reference"]) == (ids["supplier",], "DN-1")


def test_two_lines_of_one_move_are_refused() -> None:
    shape, document = native("tryton", {}, {"quantity": Decimal(1)})
    with pytest.raises(ErpRefusal, match="Two lines speak of the same line"):
        with_ids(document, ids_of(shape, document), {})


def test_lines_of_two_orders_are_refused() -> None:
    shape, document = native("tryton", {}, {"purchase_order": "6"})
    with pytest.raises(ErpRefusal, match="the same purchase here") as caught:
        list(references(shape, document))
    assert caught.value.field == "incoming_moves.purchase"


def test_a_list_leaves_out_what_has_not_come() -> None:
    shape, _ = native()
    call = TrytonRpc().search(shape, Query())
    assert json.loads(call.body or b"")["params"][0] == ["OR", ["state", "=", "received"], ["state", "=", "done"]]
    assert listed(shape_of(translation("tryton", "item").plan), Query()) == Query()


def test_one_document_is_read_whatever_has_become_of_it() -> None:
    shape, _ = native()
    assert json.loads(TrytonRpc().read(shape, {"id": 7}).body or b"")["params"][0] == [["id", "=", 7]]


def test_rest_is_asked_for_the_lines_a_move_may_come_from_and_puts_the_one_it_does_in_place() -> None:
    shape, _ = native("tryton-rest")
    asked = TrytonRest().read(shape, {"id": 7}).target
    assert "f=incoming_moves.origin&f=incoming_moves.purchase.lines.sequence" in asked
    assert "origin.sequence" not in asked
    lines = [{"id": 6, "sequence": 10}, {"id": 7, "sequence": 20}]
    row = {"id": 26, "origin": "purchase.line,7", "purchase": {"id": 5, "lines": lines}}
    other = {"id": 27, "origin": None, "purchase": None}
    reply = HttpReply(200, {}, json.dumps({"id": 1, "incoming_moves": [row, other]}).encode())
    shown = TrytonRest().answer(shape, reply).document
    assert shown is not None
    assert shown["incoming_moves"] == [
        {"id": 26, "origin": {"id": 7, "sequence": 20}, "purchase": {"id": 5}},
        {"id": 27, "origin": None, "purchase": None},
    ]


def test_a_document_without_such_fields_stays_as_it_is() -> None:
    assert followed({}, {"id": 1, "lines": [1, 2]}) == {"id": 1, "lines": [1, 2]}


def test_a_lookup_gives_the_field_that_is_wanted() -> None:
    party = Reference(("supplier",), "purchase.purchase", (("id", 5),), take="party")
    rows = [{"id": 5, "party": 2}]
    assert TrytonRpc().found(party, HttpReply(200, {}, json.dumps({"id": 0, "result": rows}).encode())) == [2]
    assert TrytonRest().found(party, HttpReply(200, {}, json.dumps(rows).encode())) == [2]


@pytest.mark.parametrize(("seconds", "length"), [("5400.0", 5400.0), ("5400", 5400.0), ("0.000001", 0.000001)])
def test_a_length_of_time_is_read_to_the_microsecond_and_written_again(seconds: str, length: float) -> None:
    read = loads(f'{{"__class__": "timedelta", "seconds": {seconds}}}'.encode())
    assert read.total_seconds() == length
    assert loads(dumps(read)) == read
