"""The client's filter language: comparisons with and, or, not on listed fields, read by odata-query's parser and nothing more.

A text is parsed, measured, and every node of it is on a list; functions, arithmetic and lambdas do not exist here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from odata_query import ast, exceptions
from odata_query.grammar import ODataLexer, ODataParser

from gateway.core.filters import And, Compare, Filter, Not, Or
from gateway.errors import Malformed

MAX_CHARS = 2048
MAX_NODES = 100
MAX_DEPTH = 16
_OPERATORS: Mapping[type, str] = {ast.Eq: "eq", ast.NotEq: "ne", ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le"}


@dataclass(frozen=True, slots=True)
class FieldKind:
    """What a field is compared with: text, decimal, integer, boolean, date, datetime, or choice of `values`."""

    name: str
    values: tuple[str, ...] = ()


def parse_filter(text: str, fields: Mapping[str, FieldKind]) -> Filter:
    """Read a filter.

    Takes:  `fields`, the fields it may look at, by dotted name; in the text a dot or a slash stands between their parts.
    Raises: Malformed.
    """
    if len(text) > MAX_CHARS:
        raise _wrong(f"The filter has more than {MAX_CHARS} characters.")
    if text.count("(") > MAX_NODES:
        raise _wrong("The filter has too many parentheses.")
    try:
        tree = ODataParser().parse(ODataLexer().tokenize(text))
    except exceptions.ODataException as err:
        raise _wrong(f"The filter cannot be read: {err}") from err
    except RecursionError as err:
        raise _wrong("The filter is nested too deeply.") from err
    if tree is None:
        raise _wrong("The filter is empty.")
    return _Reader(fields).read(tree, 0)


class _Reader:
    """Walks the parser's tree and keeps count."""

    def __init__(self, fields: Mapping[str, FieldKind]) -> None:
        self._fields = fields
        self._nodes = 0

    def read(self, node: Any, depth: int) -> Filter:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise _wrong("The filter is too large.")
        match node:
            case ast.BoolOp(op=ast.And(), left=left, right=right):
                return And((self.read(left, depth + 1), self.read(right, depth + 1)))
            case ast.BoolOp(op=ast.Or(), left=left, right=right):
                return Or((self.read(left, depth + 1), self.read(right, depth + 1)))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.read(operand, depth + 1))
            case ast.Compare(comparator=ast.In(), left=left, right=ast.List(val=values)):
                return Or(tuple(self._compare(left, "eq", value) for value in values))
            case ast.Compare(comparator=comparator, left=left, right=right) if type(comparator) in _OPERATORS:
                return self._compare(left, _OPERATORS[type(comparator)], right)
        raise _wrong(f"The filter holds {type(node).__name__}, which is not among comparisons, and, or and not.")

    def _compare(self, left: Any, op: str, right: Any) -> Compare:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _wrong("The filter is too large.")
        name = _name(left)
        kind = self._fields.get(name)
        if kind is None:
            raise Malformed(f"A list cannot be filtered on {name!r}.", field=name)
        if isinstance(right, ast.Null):
            if op not in ("eq", "ne"):
                raise Malformed("null is only compared with eq and ne.", field=name)
            return Compare(name, op, None)
        try:
            return Compare(name, op, _value(kind, right))
        except (ValueError, InvalidOperation) as err:
            raise Malformed(f"{name} is compared with something that is no {kind.name}: {err}", field=name) from err


def _name(node: Any) -> str:
    match node:
        case ast.Identifier(name=name, namespace=namespace):
            return ".".join((*namespace, name))
        case ast.Attribute(owner=owner, attr=attr):
            return f"{_name(owner)}.{attr}"
    raise _wrong("The left side of a comparison is a field.")


def _value(kind: FieldKind, node: Any) -> Any:
    match kind.name, node:
        case "text", ast.String(val=text):
            return text
        case "choice", ast.String(val=text):
            if text not in kind.values:
                raise ValueError(f"one of {', '.join(kind.values)}")
            return text
        case "decimal", ast.Integer(val=text) | ast.Float(val=text):
            return _finite(text)
        case "integer", ast.Integer(val=text):
            return int(text)
        case "boolean", ast.Boolean(val=text):
            return text == "true"
        case "date", ast.Date(val=text):
            return date.fromisoformat(text)
        case "datetime", ast.DateTime(val=text):
            return _moment(text)
    raise ValueError(f"{type(node).__name__.lower()} found")


def _finite(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError("not finite")
    return number


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    return moment.astimezone(UTC)


def _wrong(detail: str) -> Malformed:
    return Malformed(detail, field="filter")


def evaluate(where: Filter, document: Mapping[str, Any]) -> bool:
    """Whether a document matches; the oracle of tests. A missing field is null, and null matches only `eq null` and `ne`."""
    match where:
        case Compare(field, op, value, _):
            return _compared(document.get(field), op, value)
        case Not(part):
            return not evaluate(part, document)
        case And(parts):
            return all(evaluate(p, document) for p in parts)
        case Or(parts):
            return any(evaluate(p, document) for p in parts)


def _compared(have: Any, op: str, value: Any) -> bool:
    if op in ("eq", "ne"):
        return (have == value) is (op == "eq")
    if have is None or value is None:
        return False
    return bool({"gt": have > value, "ge": have >= value, "lt": have < value, "le": have <= value}[op])
