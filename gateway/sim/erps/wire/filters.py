"""`$filter`, compiled to a predicate. Parsing is odata-query's; what is here decides what it means for a row."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from gateway.sim.erps.declare import EntityType, Property, Row, Value
from gateway.sim.erps.refusal import ErpRefusal, bad_request

Read = Callable[[Row], Any]
Predicate = Callable[[Row], bool]

_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "length": len,
    "concat": lambda left, right: left + right,
}
_V2_LITERAL = re.compile(
    r"(?P<string>'(?:[^']|'')*')"
    r"|datetimeoffset'(?P<offset>[^']*)'|datetime'(?P<moment>[^']*)'"
    r"|time'PT(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+)S)?'"
    r"|(?P<number>\b\d+(?:\.\d+)?)[mMlLdDfF]\b"
)
_SUBSTRINGOF = re.compile(r"substringof\(\s*('(?:[^']|'')*')\s*,\s*((?:\w+\()?\w+\)?)\s*\)")


@dataclass(frozen=True, slots=True)
class Filter:
    """The predicate, and the fields that must equal a value for it to hold (so that an index can help)."""

    holds: Predicate
    equal: tuple[tuple[str, Value], ...]


@lru_cache(maxsize=2048)
def compiled(entity: EntityType, text: str, *, v2: bool) -> Filter:
    """Raises: 400 for a text that is no filter or names what the entity has not."""
    try:
        tree = ODataParser().parse(ODataLexer().tokenize(from_v2(text) if v2 else text))
    except ODataException as exc:
        raise bad_request(f"Invalid filter expression: {text}") from exc
    if tree is None:
        raise bad_request(f"Invalid filter expression: {text}")
    read = _Compiler(entity).read(tree)
    return Filter(lambda row: bool(read(row)), tuple(_equalities(entity, tree)))


def from_v2(text: str) -> str:
    """The same filter with V4 literals and functions."""
    return _V2_LITERAL.sub(_as_v4, _SUBSTRINGOF.sub(r"contains(\2,\1)", text))


def _as_v4(found: re.Match[str]) -> str:
    if found["string"] is not None:
        return found["string"]
    if found["number"] is not None:
        return found["number"]
    if moment := found["offset"] or found["moment"]:
        return moment if len(moment) > len("2026-10-02") else f"{moment}T00:00:00"
    return f"{int(found['h'] or 0):02}:{int(found['m'] or 0):02}:{int(found['s'] or 0):02}"


class _Compiler:
    def __init__(self, entity: EntityType) -> None:
        self._entity = entity

    def read(self, node: Any) -> Read:
        if isinstance(node, ast.BoolOp):
            return self._both(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.read(node.operand)
            return lambda row: not inner(row)
        if isinstance(node, ast.Compare):
            return self._compare(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.Identifier):
            name = self._property(node).field
            return operator.itemgetter(name)
        if isinstance(node, ast._Literal):
            value = literal(node, None)
            return lambda row: value
        raise ErpRefusal(501, "/IWBEP/CX_MGW_NOT_IMPL_EXC", "This filter expression is not supported")

    def _both(self, node: Any) -> Read:
        left, right = self.read(node.left), self.read(node.right)
        if isinstance(node.op, ast.And):
            return lambda row: left(row) and right(row)
        return lambda row: left(row) or right(row)

    def _compare(self, node: Any) -> Read:
        prop = self._property(node.left) if isinstance(node.left, ast.Identifier) else None
        left = self.read(node.left)
        if isinstance(node.comparator, ast.In):
            values = {literal(v, prop) for v in node.right.val}
            return lambda row: left(row) in values
        right_value = literal(node.right, prop) if isinstance(node.right, (ast._Literal, ast.UnaryOp)) else None
        right: Read = (lambda row: right_value) if prop or right_value is not None else self.read(node.right)
        return _ordered(_COMPARE[type(node.comparator)], left, right)

    def _call(self, node: Any) -> Read:
        function = _FUNCTIONS.get(node.func.name)
        if function is None:
            raise ErpRefusal(501, "/IWBEP/CX_MGW_NOT_IMPL_EXC", f"Function {node.func.name} is not supported")
        arguments = [self.read(a) for a in node.args]
        return lambda row: function(*(a(row) for a in arguments))

    def _property(self, node: Any) -> Property:
        prop = self._entity.by_name.get(node.name)
        if prop is None:
            raise bad_request(f"Property '{node.name}' not found in type '{self._entity.set_name}'", node.name)
        return prop


def _ordered(compare: Callable[[Any, Any], bool], left: Read, right: Read) -> Read:
    if compare in (operator.eq, operator.ne):
        return lambda row: compare(left(row), right(row))

    def judge(row: Row) -> bool:
        one, other = left(row), right(row)
        return one is not None and other is not None and compare(one, other)

    return judge


def literal(node: Any, prop: Property | None) -> Value:
    """The literal as a value of the property it is compared with. Raises: 400 when it does not fit."""
    if isinstance(node, ast.UnaryOp):
        value = literal(node.operand, prop)
        return -value if isinstance(value, (int, Decimal)) else value
    if isinstance(node, ast.Null):
        return None
    base = prop.kind.base if prop else None
    try:
        return _literal(node, base)
    except (ValueError, ArithmeticError) as exc:
        raise bad_request(f"Invalid literal {node.val}") from exc


def _literal(node: Any, base: str | None) -> Value:
    if base is not None and base not in _FITS[type(node)]:
        raise bad_request(f"A literal {node.val} cannot be compared with a property of this type")
    if isinstance(node, (ast.Integer, ast.Float)):
        return Decimal(node.val) if base != "whole" else int(node.val)
    if isinstance(node, ast.Boolean):
        return bool(node.py_val)
    if isinstance(node, (ast.DateTime, ast.Date)):
        return _moment(node.val, base)
    return time.fromisoformat(node.val) if isinstance(node, ast.Time) else str(node.val)


_MOMENTS = ("date", "stamp", "instant")
_FITS: dict[type, tuple[str, ...]] = {
    ast.Integer: ("decimal", "whole"),
    ast.Float: ("decimal",),
    ast.Boolean: ("flag",),
    ast.DateTime: _MOMENTS,
    ast.Date: _MOMENTS,
    ast.Time: ("time",),
    ast.String: ("text",),
    ast.GUID: (),
    ast.Duration: (),
    ast.Geography: (),
    ast.List: (),
}


def _moment(written: str, base: str | None) -> Value:
    if base == "date":
        return date.fromisoformat(written[:10])
    moment = datetime.fromisoformat(written)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _equalities(entity: EntityType, node: Any) -> list[tuple[str, Value]]:
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return _equalities(entity, node.left) + _equalities(entity, node.right)
    simple = isinstance(node, ast.Compare) and isinstance(node.comparator, ast.Eq)
    if simple and isinstance(node.left, ast.Identifier) and isinstance(node.right, ast._Literal):
        prop = entity.by_name[node.left.name]
        return [(prop.field, literal(node.right, prop))]
    return []
