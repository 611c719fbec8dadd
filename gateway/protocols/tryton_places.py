"""Stock by place. In Tryton it is a number of an item at the place that the context names, and a document of no model.

So the warehouse is asked for its places first, and a list goes from place to place: its cursor is `place.offset`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from gateway.core.filters import EVERYTHING, And, Compare, Filter, Not, Or, both
from gateway.protocols.port import NativeDocument, Query, Shape

PLACE = "location.code"
_NOTHING = Or(())


class At(NamedTuple):
    """The place a list has come to, and whether others follow. Without a `code` there is none left."""

    number: int
    code: str | None
    more: bool


def at_place(shape: Shape, query: Query, places: Sequence[NativeDocument]) -> Shape:
    """The shape for the next place, from the cursor on, that the filter may hold for."""
    first = int((query.cursor or "0").partition(".")[0])
    ahead = [n for n in range(first, len(places)) if _said_at(query.filter, places[n]["code"]) != _NOTHING]
    at = At(ahead[0], places[ahead[0]]["code"], len(ahead) > 1) if ahead else At(len(places), None, more=False)
    locations = [places[n]["id"] for n in ahead[:1]]
    # Bins lie inside their zone: without children each place counts what lies there and nothing twice.
    context = {**shape.native.get("context", {}), "locations": locations, "with_childs": False}
    return Shape({**shape.native, "context": context, "at": at}, shape.paths, shape.lists)


def asked_here(shape: Shape, query: Query) -> Query:
    """The query as its place understands it: items of which something lies here. Others lie nowhere, and would all be listed."""
    at: At | None = shape.native.get("at")
    if at is None:
        return query
    here = _said_at(query.filter, at.code) if at.code is not None else _NOTHING
    return replace(query, filter=both(here, Compare("quantity", "ne", 0)))


def paths_here(shape: Shape) -> Shape:
    """The shape without the place: the server does not say it again with each number."""
    own = tuple(path for path in shape.paths if ".".join(path) != PLACE)
    return Shape(shape.native, own, shape.lists) if "at" in shape.native else shape


def shown_here(shape: Shape, document: NativeDocument) -> NativeDocument:
    """The document with its place. The stamp is the item's, and stays as it is when stock moves: it says nothing here."""
    at: At | None = shape.native.get("at")
    if at is None:
        return document
    return {**document, "location": {"code": at.code}, "_timestamp": None}


def next_cursor(shape: Shape, query: Query, count: int) -> str | None:
    """Where the next page is: further on, at the next place, or nowhere."""
    at: At | None = shape.native.get("at")
    further = str(offset(query) + count) if count >= query.limit else None
    if at is None:
        return further
    if further is not None:
        return f"{at.number}.{further}"
    return f"{at.number + 1}.0" if at.more else None


def offset(query: Query) -> int:
    """How many rows to leave out."""
    return int((query.cursor or "0").rpartition(".")[2])


def _said_at(where: Filter, code: Any) -> Filter:
    """A filter with what it says of the place worked out."""
    match where:
        case Compare(field, op, value, _) if field == PLACE:
            return EVERYTHING if (value == code) == (op == "eq") else _NOTHING
        case Compare():
            return where
        case Not(part):
            return _turned(_said_at(part, code))
        case And(parts):
            said = tuple(_said_at(part, code) for part in parts)
            return _NOTHING if _NOTHING in said else both(*said)
        case Or(parts):
            said = tuple(_said_at(part, code) for part in parts)
            return EVERYTHING if EVERYTHING in said else Or(tuple(part for part in said if part != _NOTHING))


def _turned(where: Filter) -> Filter:
    return _NOTHING if where == EVERYTHING else EVERYTHING if where == _NOTHING else Not(where)
