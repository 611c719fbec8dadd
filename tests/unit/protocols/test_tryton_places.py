"""Stock by place in Tryton: a list goes from place to place, and one position is asked for at its own."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.core.filters import EVERYTHING, And, Compare, Filter, Not, Or
from gateway.protocols.port import ErpRefusal, HttpReply, Query, ReferenceCodec, Shape, by_key
from gateway.protocols.shape import shape_of
from gateway.protocols.tryton_places import at_place
from gateway.protocols.tryton_rest import TrytonRest
from gateway.protocols.tryton_rpc import TrytonRpc
from tests.contract.dialects.content import translation

PLACES = [{"id": 10, "code": "P100-STO"}, {"id": 16, "code": "P100-A1"}, {"id": 17, "code": "P100-B1"}]
STO, ITEM = Compare("location.code", "eq", "P100-STO"), Compare("code", "eq", "RM-200")
CODECS = pytest.mark.parametrize("name", ["tryton", "tryton-rest"])


def codec_of(name: str) -> Any:
    return TrytonRpc() if name == "tryton" else TrytonRest()


def shape_at(name: str) -> Shape:
    return shape_of(translation(name, "inventory_position", "P100").plan)


def answered(name: str, rows: list[Any]) -> HttpReply:
    body = {"id": 0, "result": rows} if name == "tryton" else rows
    return HttpReply(200, {"content-type": "application/json"}, json.dumps(body).encode())


def asked(name: str, call: Any) -> Any:
    """The context and the domain of a search."""
    if name == "tryton":
        params = json.loads(call.body)["params"]
        return params[-1], params[0]
    where = dict(part.split("=", 1) for part in call.target.partition("?")[2].split("&"))
    return tuple(json.loads(base64.urlsafe_b64decode(text)) for text in (call.headers["X-Tryton-Context"], where["d"]))


def walked(name: str, where: Filter = EVERYTHING, rows: int = 1) -> list[tuple[Any, Any]]:
    """(places, offset) of every page of a list whose pages have one row, with so many rows at each place."""
    codec, shape, seen, cursor = codec_of(name), shape_at(name), [], None
    while True:
        query = Query(where, limit=1, cursor=cursor)
        here = codec.at_place(shape, query, answered(name, PLACES))
        seen.append((here.native["context"]["locations"], (cursor or "0").rpartition(".")[2]))
        left = rows - int(seen[-1][1])
        found = [{"id": 2, "code": "RM-200", "quantity": 7.0}] if left > 0 else []
        page = codec.page(here, query, answered(name, found))
        if (cursor := page.cursor) is None:
            return seen


@CODECS
def test_a_list_goes_through_each_place_page_by_page(name: str) -> None:
    pages = [([10], "0"), ([10], "1"), ([16], "0"), ([16], "1"), ([17], "0"), ([17], "1")]
    assert walked(name) == pages


@CODECS
@pytest.mark.parametrize(
    ("where", "places"),
    [
        (STO, [[10]]),
        (And((STO, ITEM)), [[10]]),
        (Not(STO), [[16], [17]]),
        (Or((STO, ITEM)), [[10], [16], [17]]),
        (Not(Or((STO, Compare("location.code", "eq", "P100-B1")))), [[16]]),
        (Compare("location.code", "ne", "P100-STO"), [[16], [17]]),
        (Compare("location.code", "eq", "P200-STO"), [[]]),
    ],
)
def test_only_the_places_that_a_filter_leaves_are_asked_about(name: str, where: Filter, places: list[Any]) -> None:
    assert [place for place, _ in walked(name, where, rows=0)] == places


@CODECS
def test_the_server_is_asked_for_what_lies_there_and_nothing_of_the_place(name: str) -> None:
    codec, query = codec_of(name), Query(Or((And((STO, ITEM)), Not(STO))))
    context, domain = asked(name, codec.search(codec.at_place(shape_at(name), query, answered(name, PLACES)), query))
    assert (context["locations"], context["with_childs"]) == ([10], False)
    assert domain == [["OR", ["code", "=", "RM-200"]], ["quantity", "!=", 0]]


@CODECS
def test_nothing_is_found_where_no_place_is_left(name: str) -> None:
    codec, query = codec_of(name), Query(Compare("location.code", "eq", "P200-STO"))
    context, domain = asked(name, codec.search(codec.at_place(shape_at(name), query, answered(name, PLACES)), query))
    assert (context["locations"], domain) == ([], [[["id", "=", -1]], ["quantity", "!=", 0]])


@CODECS
def test_one_position_is_read_at_its_place_and_has_no_lock_of_the_item(name: str) -> None:
    codec, found = codec_of(name), translation(name, "inventory_position", "P100")
    key = found.encode_key({"id": "P100-A1~RM-200"})
    here = codec.at_place(shape_of(found.plan), by_key(key), answered(name, PLACES))
    context, domain = asked(name, codec.read(here, key))
    assert (context["locations"], domain) == ([16], [["code", "=", "RM-200"], ["quantity", "!=", 0]])
    row = {"id": 2, "_timestamp": "1.5", "code": "RM-200", "quantity": 7.0}
    answer = codec.answer(here, answered(name, [row]))
    assert (found.decode(answer.document)["id"], answer.etag) == ("P100-A1~RM-200", None)
    with pytest.raises(ErpRefusal, match="no such record"):
        codec.answer(here, answered(name, []))


@CODECS
def test_places_are_asked_for_only_where_stock_is_counted_by_place(name: str) -> None:
    codec: ReferenceCodec = codec_of(name)
    assert codec.places(shape_of(translation(name, "item").plan)) is None
    call = codec.places(shape_at(name))
    assert call is not None
    assert call.safe


def test_a_warehouse_without_places_holds_nothing() -> None:
    here = at_place(shape_at("tryton"), Query(), [])
    assert (here.native["context"]["locations"], here.native["at"].code) == ([], None)
