"""What Tryton's two interfaces share: tagged JSON, nested rows, domains, and references by code.

Source: trytond 8.2, protocols/jsonrpc.py, and what its server answered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from gateway.core.filters import And, Compare, Filter, Not, Or, both
from gateway.protocols.json import within_depth
from gateway.protocols.port import (
    AnswerBroken,
    ErpRefusal,
    NativeDocument,
    Query,
    Reference,
    Shape,
    StepCall,
)

Domain = list[Any]
_OPERATORS = {"eq": "=", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_TAGGED: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "Decimal": lambda d: Decimal(d["decimal"]),
    "date": lambda d: date(d["year"], d["month"], d["day"]),
    "datetime": lambda d: datetime(  # noqa: DTZ001  # the server means UTC; the codec says so
        d["year"], d["month"], d["day"], d["hour"], d["minute"], d["second"], d["microsecond"]
    ),
    "timedelta": lambda d: timedelta(microseconds=int(Decimal(d["seconds"]).scaleb(6))),
}


def _untag(value: dict[str, Any]) -> Any:
    made = _TAGGED.get(value.get("__class__", ""))
    return made(value) if made else value


_DECODER = json.JSONDecoder(parse_float=Decimal, object_hook=_untag)


def loads(body: bytes) -> Any:
    """Read tagged JSON. Raises: AnswerBroken."""
    try:
        found = _DECODER.decode(body.decode())
    except (ValueError, RecursionError, LookupError, TypeError) as err:
        raise AnswerBroken(f"the answer is no JSON: {err}") from err
    return within_depth(body, found)


def _tag(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": format(value, "f")}
    if isinstance(value, datetime):
        parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {"__class__": "datetime"} | {part: getattr(value, part) for part in parts}
    if isinstance(value, timedelta):
        return {"__class__": "timedelta", "seconds": value.total_seconds()}
    if isinstance(value, date):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    raise TypeError(type(value).__name__)


def dumps(value: Any) -> bytes:
    """Write tagged JSON: numbers and dates keep their kind."""
    return orjson.dumps(value, default=_tag, option=orjson.OPT_PASSTHROUGH_DATETIME)


def field_names(shape: Shape, prefix: str = "") -> list[str]:
    """The dotted names that read a document with its rows in one call."""
    names = [prefix + ".".join(path) for path in shape.paths]
    for path, rows in shape.lists.items():
        inner = f"{prefix}{'.'.join(path)}."
        names += [f"{inner}id", *field_names(rows, inner)]
    return names


def nested(document: Mapping[str, Any]) -> NativeDocument:
    """`product.` beside `product` becomes one nested `product`; rows come in the order they were made."""
    made: NativeDocument = {}
    for name, value in document.items():
        if not name.endswith("."):
            made.setdefault(name, value)
        elif isinstance(value, dict):
            made[name[:-1]] = nested(value)
        elif isinstance(value, list | tuple):
            made[name[:-1]] = sorted((nested(row) for row in value), key=lambda row: row.get("id", 0))
        else:
            made[name[:-1]] = None
    return made


def domain(where: Filter) -> Domain:
    """Print a filter as a Tryton domain."""
    match where:
        case Compare(field, op, value, _):
            return [field, _OPERATORS[op], value]
        case And(parts):
            return [domain(p) for p in parts]
        case Or(parts):
            return ["OR", *(domain(p) for p in parts)] if parts else [["id", "=", -1]]
        case Not(part):
            return domain(_negated(part))


def _negated(where: Filter) -> Filter:
    """A domain has no `not`: push it down to the comparisons."""
    match where:
        case Compare(field, op, value, literal):
            other = {"eq": "ne", "ne": "eq", "gt": "le", "ge": "lt", "lt": "ge", "le": "gt"}[op]
            return Compare(field, other, value, literal)
        case And(parts):
            return Or(tuple(_negated(p) for p in parts))
        case Or(parts):
            return And(tuple(_negated(p) for p in parts))
        case Not(part):
            return part


def clauses(where: Filter) -> Domain:
    """A domain is a list of clauses, also when there is only one."""
    made = domain(where)
    return [made] if made and isinstance(made[0], str) and made[0] != "OR" else made


def order(query: Query) -> list[list[str]]:
    """The order as pairs; `id` at the end makes paging stable."""
    asked = [[name.removesuffix(" desc"), "DESC" if name.endswith(" desc") else "ASC"] for name in query.order]
    return [*asked, ["id", "ASC"]]


_WITHIN = "within"
_DEEPEST = 5


def wanted(shape: Shape, reference: Reference) -> Domain:
    """The domain that finds a referenced record; `within` is the code of a record somewhere above it."""
    return [
        _above(value) if name == _WITHIN else [name, "=", value, *_kind(shape, name)]
        for name, value in reference.wanted
    ]


def _kind(shape: Shape, name: str) -> list[str]:
    """A field that may name records of several models is searched in the one that its dialect says."""
    origin = shape.native.get("origins", {}).get(name.partition(".")[0])
    return [origin["model"]] if origin is not None and "." in name else []


def listed(shape: Shape, query: Query) -> Query:
    """The query of a list: records that are not yet, or no more, what the dialect says they are stay out."""
    only = shape.native.get("only", {}).items()
    parts = (Or(tuple(Compare(name, "eq", value) for value in values)) for name, values in only)
    return replace(query, filter=both(query.filter, *parts))


def places_wanted(shape: Shape) -> Domain | None:
    """The domain of the places that stock is counted at; None where the dialect counts nothing by place.

    A place without a code has no name for anybody outside, so what lies there is not shown.
    """
    warehouse = shape.native.get("places")
    return [["type", "=", "storage"], ["code", "!=", None], _above(warehouse)] if warehouse is not None else None


def _above(code: Any) -> Domain:
    return ["OR", *([".".join(["parent"] * depth) + ".code", "=", code] for depth in range(1, _DEEPEST + 1))]


def with_common(shape: Shape, document: NativeDocument | None) -> NativeDocument | None:
    """The document with what all its rows have in common said at its head too, where the dialect's `common` asks for it.

    Raises: ErpRefusal: the rows differ.
    """
    made = dict(document or {})
    for name, place in shape.native.get("common", {}).items():
        rows, _, field = place.partition(".")
        values = [row.get(field) for row in _new_rows(made.get(rows))]
        if any(value != values[0] for value in values):
            raise ErpRefusal("invalid", f"All lines of a document have the same {field} here.", field=place)
        if values:
            made[name] = values[0]
    return made if document is not None else None


def _new_rows(value: Any) -> list[NativeDocument]:
    """Rows as the dialect wrote them, or as the commands that make them."""
    commands = [part for part in value or () if isinstance(part, list)]
    return [row for command in commands if command[0] == "create" for row in command[1]] if commands else value or []


def references(shape: Shape, document: NativeDocument) -> Iterator[Reference]:
    """The references of a document to be written, its rows included."""
    for name, rule in shape.native.get("awaited", {}).items():
        for i, row in enumerate(document.get(name) or ()):
            yield Reference((name, i), rule["model"], tuple(_awaited(rule, row)), kept=False)
    for name, rule in shape.native.get("borrowed", {}).items():
        yield from _borrowed(name, rule, document)
    yield from _named(shape, document)


def _awaited(rule: Mapping[str, Any], row: NativeDocument) -> Iterator[tuple[str, Any]]:
    """What finds the record that the ERP already has for a row: it is not as it was when it has been used."""
    for field in rule["by"]:
        yield from ((f"{field}.{name}", value) for name, value in row.get(field, {}).items() if value is not None)
    yield from rule["where"].items()


def _borrowed(name: str, rule: Mapping[str, Any], document: NativeDocument) -> Iterator[Reference]:
    """A field of the head that is the same in a record its rows name. Raises: ErpRefusal: the rows name several."""
    rows, _, field = rule["from"].partition(".")
    values = [row.get(field) for row in document.get(rows) or ()]
    if any(value != values[0] for value in values):
        raise ErpRefusal("invalid", f"All lines of a document have the same {field} here.", field=rule["from"])
    if values and values[0]:
        yield Reference((name,), rule["model"], tuple(values[0].items()), take=rule["take"])


def _named(shape: Shape, document: NativeDocument, above: tuple[str | int, ...] = ()) -> Iterator[Reference]:
    awaited = shape.native.get("awaited", {})
    models: Mapping[str, str] = shape.native.get("references", {})
    bounds: Mapping[str, str] = shape.native.get("within", {})
    for name, value in document.items():
        dotted = ".".join(str(step) for step in (*above, name) if not isinstance(step, int))
        if isinstance(value, list):
            by = awaited[dotted]["by"] if dotted in awaited else ()
            for i, row in enumerate(value):
                rest = {field: v for field, v in row.items() if field not in by}
                yield from _named(shape, rest, (*above, name, i))
        elif isinstance(value, dict):
            if dotted not in models:
                raise ValueError(f"{dotted} is written as a reference, and the dialect names no model for it")
            if all(v is not None for v in value.values()):
                within = {_WITHIN: bounds[dotted]} if dotted in bounds else {}
                yield Reference((*above, name), models[dotted], tuple({**value, **within}.items()))


def record_id(call: StepCall) -> Any:
    """The id of the record a step is for: in the key, or in the document that was read by a key of its own fields."""
    return call.key["id"] if "id" in call.key else call.before["id"]


def with_ids(
    document: NativeDocument,
    ids: Mapping[tuple[str | int, ...], int],
    before: Mapping[str, Any],
    above: tuple[str | int, ...] = (),
) -> NativeDocument:
    """The document with ids in place of what named them; its rows are made anew and take the place of those `before`.

    A row that is a record already is taken in, and what else the row says is written to it.
    """
    made: NativeDocument = {} if above else {str(path[0]): found for path, found in ids.items() if len(path) == 1}
    for name, value in document.items():
        path = (*above, name)
        if isinstance(value, list):
            old = [row["id"] if isinstance(row, dict) else row for row in before.get(name) or ()]
            rows = [with_ids(row, ids, {}, (*path, i)) for i, row in enumerate(value)]
            taken = [ids[*path, i] for i in range(len(rows)) if (*path, i) in ids]
            made[name] = [*([["delete", old]] if old else []), *(_taken_in(taken, rows) if taken else _made_anew(rows))]
        elif isinstance(value, dict):
            made[name] = ids.get(path)
        else:
            made[name] = value
    return made


def _made_anew(rows: list[NativeDocument]) -> list[Any]:
    return [["create", rows]] if rows else []


def _taken_in(taken: list[int], rows: list[NativeDocument]) -> list[Any]:
    """The commands that take records in. What found them has no id of its own here, and is not written.

    Raises: ErpRefusal: two rows are the same record, and only one of them could be written.
    """
    if len(set(taken)) < len(taken):
        raise ErpRefusal("invalid", "Two lines speak of the same line of an order.")
    own = ({name: value for name, value in row.items() if value is not None} for row in rows)
    return [["add", taken], *(["write", [id_], row] for id_, row in zip(taken, own, strict=True))]
