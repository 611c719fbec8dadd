"""The client's filter language (pure): comparisons of listed fields, joined by and, or, not.

odata-query's parser reads the text; it is measured, and every node of it is on a list. There are no functions, no
arithmetic and no lambdas.
Nothing is ever made by joining texts: what a policy adds is another part of the tree.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from operator import ge, gt, le, lt
from typing import Any

from odata_query import ast, exceptions
from odata_query.grammar import ODataLexer, ODataParser

from gateway.core.filters import And, Compare, Filter, Not, Or
from gateway.errors import Malformed

MAX_BYTES = 2048
MAX_NODES = 100
MAX_DEPTH = 16
_OPERATORS: Mapping[type, str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Lt: "lt",
    ast.LtE: "le",
}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {"gt": gt, "ge": ge, "lt": lt, "le": le}
_PLAIN_INTEGER = re.compile(r"[+-]?[0-9]{1,38}", re.ASCII)
_PLAIN_DECIMAL = re.compile(r"[+-]?[0-9]{1,38}(?:\.[0-9]{1,38})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class FieldKind:
    """What a field is compared with: text, decimal, integer, boolean, date, datetime, or choice of `values`."""

    name: str
    values: tuple[str, ...] = ()


class _Lexer(ODataLexer):
    """The library's lexer takes the `all` of `allocation` for a keyword; this one asks what follows."""

    tokens = ODataLexer.tokens
    # A pattern given as text replaces the base's pattern and keeps its function: the lexer generator's own rule.
    ANY = r"any(?=\s*\()"  # type: ignore[assignment]
    ALL = r"all(?=\s*\()"  # type: ignore[assignment]
    NULL = r"null(?!\w)"  # type: ignore[assignment]
    BOOLEAN = r"(?:true|false)(?!\w)"  # type: ignore[assignment]


def parse_filter(text: str, fields: Mapping[str, FieldKind]) -> Filter:
    """Read a filter.

    Takes:  `fields`, the fields it may look at, by dotted name; in the text their parts are joined by a dot or a slash.
    Gives:  a tree in which `in` has become comparisons with `eq`, and values have their Python types.
    Raises: Malformed, with `field`: the field that is wrong, or `filter`.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _wrong(f"The filter has more than {MAX_BYTES} bytes.")
    return _Reader(fields).read(_parse(text.strip()), 0)


def _parse(text: str) -> Any:
    if not text:
        raise _wrong("The filter is empty.")
    try:
        return ODataParser().parse(_tokens(_Lexer().tokenize(text)))
    except (exceptions.TokenizingException, exceptions.ParsingException) as err:
        raise _wrong(_unreadable(err.token)) from None
    except (exceptions.ODataException, AttributeError, NotImplementedError):
        # The last two are what the library's own slips in rarely used rules raise; none of those rules is used here.
        raise _wrong("The filter holds a function; there are none here.") from None


def _unreadable(token: Any) -> str:
    if token is None:
        return "The filter ends too early."
    return f"The filter cannot be read from character {token.index + 1} on."


def _tokens(tokens: Iterable[Any]) -> Iterator[Any]:
    """Count parentheses; and let `in ('a')` be a list of one, for which the library wants a comma."""
    depth, in_list, comma = 0, False, False
    for token in tokens:
        if token.type == "(":
            depth += 1
            if depth > MAX_DEPTH:
                raise _wrong(f"The filter is nested deeper than {MAX_DEPTH}.")
        elif token.type == "IN":
            in_list, comma = True, False
        elif token.type == ",":
            comma = True
        elif token.type == ")":
            depth -= 1
            if in_list and not comma:
                yield _as_comma(token)
            in_list = False
        yield token


def _as_comma(token: Any) -> Any:
    made = copy.copy(token)
    made.type = made.value = ","
    return made


class _Reader:
    """Walks the parser's tree and keeps count."""

    def __init__(self, fields: Mapping[str, FieldKind]) -> None:
        self._fields = fields
        self._nodes = 0

    def read(self, node: Any, depth: int) -> Filter:
        self._count(depth)
        match node:
            case ast.BoolOp(op=ast.And()):
                return And(tuple([self.read(part, depth + 1) for part in _chain(node)]))
            case ast.BoolOp(op=ast.Or()):
                return Or(tuple([self.read(part, depth + 1) for part in _chain(node)]))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.read(operand, depth + 1))
            case ast.Compare(comparator=ast.In(), left=left, right=ast.List(val=values)):
                equal = tuple([self._compare(left, "eq", value, depth + 1) for value in values])
                return equal[0] if len(equal) == 1 else Or(equal)
            case ast.Compare(comparator=comparator, left=left, right=right) if type(comparator) in _OPERATORS:
                return self._compare(left, _OPERATORS[type(comparator)], right, depth)
        raise _wrong("The filter holds something else than comparisons, and, or and not.")

    def _count(self, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise _wrong(f"The filter has more than {MAX_NODES} parts, or they are nested deeper than {MAX_DEPTH}.")

    def _compare(self, left: Any, op: str, right: Any, depth: int) -> Compare:
        self._count(depth)
        name = _name(left)
        kind = self._fields.get(name)
        if kind is None:
            raise Malformed(f"A list cannot be filtered on {name[:80]!r}.", field=name[:80])
        if isinstance(right, ast.Null):
            if op not in ("eq", "ne"):
                raise Malformed("null is only compared with eq and ne.", field=name)
            return Compare(name, op, None)
        if kind.name in ("boolean", "choice") and op not in ("eq", "ne"):
            raise Malformed(f"{name} has no order: it is only compared with eq and ne.", field=name)
        try:
            return Compare(name, op, _value(kind, right))
        except (ValueError, InvalidOperation) as err:
            raise Malformed(f"{name} cannot be compared with this: {err}.", field=name) from None


def _chain(node: Any) -> list[Any]:
    """The parts of `a and b and c`, which the parser nests to the left."""
    parts: list[Any] = []
    open_nodes = [node]
    while open_nodes:
        part = open_nodes.pop()
        if isinstance(part, ast.BoolOp) and type(part.op) is type(node.op):
            open_nodes += [part.right, part.left]
        else:
            parts.append(part)
    return parts


def _name(node: Any) -> str:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.owner
    if not isinstance(node, ast.Identifier):
        raise _wrong("The left side of a comparison is a field; what `not` denies stands in parentheses.")
    return ".".join((*node.namespace, node.name, *reversed(names)))


def _value(kind: FieldKind, node: Any) -> Any:
    match kind.name, node:
        case "text", ast.String(val=text):
            return _sayable(text)
        case "choice", ast.String(val=text):
            if text not in kind.values:
                raise ValueError(f"the values are {', '.join(kind.values)}")
            return text
        case "decimal", ast.Integer(val=text) | ast.Float(val=text) if _PLAIN_DECIMAL.fullmatch(text):
            return Decimal(text)
        case "integer", ast.Integer(val=text) if _PLAIN_INTEGER.fullmatch(text):
            return int(text)
        case "boolean", ast.Boolean(val=text):
            return text.lower() == "true"
        case "date", ast.Date(val=text):
            return date.fromisoformat(text)
        case "datetime", ast.DateTime(val=text):
            return _moment(text)
    raise ValueError(f"it is no {kind.name}")


def _sayable(text: str) -> str:
    if any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("it holds a control character")
    return text


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range") from None


def _wrong(detail: str) -> Malformed:
    return Malformed(detail, field="filter")


def evaluate(where: Filter, document: Mapping[str, Any]) -> bool:
    """Whether a document matches. A missing field is null, and null matches only `eq null` and `ne`."""
    match where:
        case Compare(field, op, value, _):
            return _compared(_found(document, field), op, value)
        case Not(part):
            return not evaluate(part, document)
        case And(parts):
            return all(evaluate(p, document) for p in parts)
        case Or(parts):
            return any(evaluate(p, document) for p in parts)


def _found(document: Mapping[str, Any], field: str) -> Any:
    if field in document:
        return document[field]
    value: Any = document
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _compared(have: Any, op: str, value: Any) -> bool:
    have = _typed(have, value)
    if op in ("eq", "ne"):
        return (have == value and isinstance(have, bool) == isinstance(value, bool)) is (op == "eq")
    if have is None or value is None or isinstance(have, bool):
        return False
    try:
        return _ORDER[op](have, value)
    except TypeError:  # text against a number: no order, no match
        return False


def _typed(have: Any, value: Any) -> Any:
    """A date or time that the document holds as text."""
    if not isinstance(have, str) or not isinstance(value, date):
        return have
    try:
        return type(value).fromisoformat(have)
    except ValueError:
        return have
