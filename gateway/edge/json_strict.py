"""Strict, exact JSON (pure): refuse whatever two readers could understand differently, lose no digit.

Reading is the standard library's C scanner with hooks: the fast readers keep the last of duplicate keys. The slow
checks, which walk the document, run only when a cheap bound on its bytes says they are needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

import orjson

from gateway.errors import Malformed, TooLarge

_UNSOUND_CHARS = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """How large a document may be."""

    max_bytes: int = 8 * 1024 * 1024
    max_depth: int = 32
    max_members: int = 10_000
    """Object members and array elements in the whole document."""
    max_string_chars: int = 1024 * 1024


DEFAULT_LIMITS = JsonLimits()
MAX_NUMBER_CHARS = 64
MAX_EXPONENT = 308


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands in the document where something is wrong, so that its place can be named."""

    detail: str
    key: str | None = None


class _FlawFound(Exception):
    """Ends the fast reading."""


def loads(data: bytes, limits: JsonLimits = DEFAULT_LIMITS) -> Any:
    """Read a document: integers as int, other numbers as Decimal with every digit they had.

    Raises: TooLarge; Malformed, with `field` (a JSON pointer) or `line` and `column`.
    """
    if len(data) > limits.max_bytes:
        raise TooLarge("The JSON document is too large.", limit_bytes=limits.max_bytes)
    if data[:3] == b"\xef\xbb\xbf":
        raise Malformed("The JSON document begins with a byte order mark.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("The JSON document is not UTF-8.", offset=error.start) from None
    try:
        document = _decode(_FAST, text)
    except _FlawFound:
        _name_the_flaw(_decode(_MARKING, text))
    if _needs_walk(data, limits):
        _walk(document, limits)
    return document


def dumps(value: Any) -> bytes:
    """Write a document: Decimals as the exact numbers they are, dates as ISO 8601.

    Raises: TypeError, for what JSON cannot say (NaN, a lone surrogate, an unknown type).
    """
    try:
        return orjson.dumps(value, _plain)
    except orjson.JSONEncodeError:
        return orjson.dumps(_with_large_integers(value), _plain)


def _decode(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        raise Malformed(f"Not JSON: {error.msg}.", line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise Malformed("The JSON document is nested too deeply.") from None


def _needs_walk(data: bytes, limits: JsonLimits) -> bool:
    opened = data.count(b"{") + data.count(b"[")
    return (
        opened > limits.max_depth
        or opened + data.count(b",") > limits.max_members
        or len(data) > limits.max_string_chars
        or b"\\u" in data
    )


# Numbers and objects, as the scanner meets them. Each hook gives the value or a flaw.


def _integer(text: str) -> int | _Flaw:
    return int(text) if len(text) <= MAX_NUMBER_CHARS else _Flaw("The number has too many digits.")


def _decimal(text: str) -> Decimal | _Flaw:
    if len(text) > MAX_NUMBER_CHARS:
        return _Flaw("The number has too many digits.")
    try:
        number = Decimal(text)
    except ArithmeticError:
        return _Flaw("The number is out of range.")
    if abs(number.adjusted()) > MAX_EXPONENT:
        return _Flaw("The number is out of range.")
    return number


def _constant(text: str) -> _Flaw:
    return _Flaw(f"{text} is not a JSON number.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Flaw:
    document = dict(pairs)
    if len(document) == len(pairs):
        return document
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return _Flaw(f"The key {key[:80]!r} is given twice.", key)
        seen.add(key)
    return document


def _raising(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        result = hook(value)
        if result.__class__ is _Flaw:
            raise _FlawFound
        return result

    return checked


_FAST = json.JSONDecoder(
    object_pairs_hook=_raising(_object),
    parse_int=_raising(_integer),
    parse_float=_raising(_decimal),
    parse_constant=_raising(_constant),
)
_MARKING = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)


# The walk: (pointer, value) of everything, in the order of the document, without recursion.


def _children(pointer: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}", member
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield f"{pointer}/{index}", element


def _name_the_flaw(document: Any) -> NoReturn:
    open_nodes = [iter([("", document)])]
    while open_nodes:
        for pointer, value in open_nodes[-1]:
            if isinstance(value, _Flaw):
                at = pointer if value.key is None else f"{pointer}/{value.key.replace('~', '~0').replace('/', '~1')}"
                raise Malformed(value.detail, field=_shown(at))
            if isinstance(value, dict | list):
                open_nodes.append(_children(pointer, value))
                break
        else:
            open_nodes.pop()
    raise Malformed("The JSON document is not sound.")


def _walk(document: Any, limits: JsonLimits) -> None:
    open_nodes = [iter([("", document)])]
    members = 0
    while open_nodes:
        for pointer, value in open_nodes[-1]:
            members += 1
            if isinstance(value, str):
                _check_string(pointer, value, limits)
            elif isinstance(value, dict | list):
                _check_container(pointer, value, len(open_nodes), limits)
                open_nodes.append(_children(pointer, value))
                break
        else:
            open_nodes.pop()
        if members > limits.max_members + 1:  # the document itself is no member
            raise Malformed(f"The JSON document has more than {limits.max_members} members.")


def _check_string(pointer: str, value: str, limits: JsonLimits) -> None:
    if len(value) > limits.max_string_chars:
        raise Malformed("The text is too long.", field=_shown(pointer))
    if _UNSOUND_CHARS.search(value):
        raise Malformed("The text holds a NUL or half a surrogate pair.", field=_shown(pointer))


def _check_container(pointer: str, value: dict[str, Any] | list[Any], depth: int, limits: JsonLimits) -> None:
    if depth > limits.max_depth:
        raise Malformed(f"The JSON document is nested deeper than {limits.max_depth}.", field=_shown(pointer))
    if isinstance(value, dict):
        for key in value:
            _check_string(pointer, key, limits)


def _shown(pointer: str) -> str:
    """A pointer as an error may show it: short, and sayable in UTF-8."""
    return pointer[:200].encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _with_large_integers(value: Any) -> Any:
    """The same document, its integers beyond 64 bits spelled out; orjson refuses them."""
    if isinstance(value, dict):
        return {key: _with_large_integers(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_with_large_integers(element) for element in value]
    if type(value) is int:
        return orjson.Fragment(str(value))
    return value
