"""Strict, exact JSON (pure): refuse whatever two readers could understand differently, lose no digit.

Reading is the standard library's C scanner with hooks: the fast readers keep the last of duplicate keys. How deep and
how large a document is, is counted on its bytes before anything is built from them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

import orjson

from gateway.errors import Malformed, TooLarge

_UNSOUND_CHARS = re.compile("[\x00\ud800-\udfff]")
_SUSPECT_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89A-Fa-f])")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)  # possessive, and never failing: linear on any input
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


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
_SURELY_SMALL_CHARS = 32


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
    _check_size(data, limits)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("The JSON document is not UTF-8.", offset=error.start) from None
    try:
        document = _decode(_FAST, text)
    except _FlawFound:
        _name_the_flaw(_decode(_MARKING, text))
    if len(data) > limits.max_string_chars or _SUSPECT_ESCAPE.search(data):
        _check_strings(document, limits)
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


def _check_size(data: bytes, limits: JsonLimits) -> None:
    opened = data.count(b"{") + data.count(b"[")
    if opened <= limits.max_depth and opened + data.count(b",") <= limits.max_members:
        return
    bones = _STRING.sub(b"0", data).translate(None, b" \t\r\n")
    empty = bones.count(b"{}") + bones.count(b"[]")
    if bones.count(b",") + bones.count(b"{") + bones.count(b"[") - empty > limits.max_members:
        raise Malformed(f"The JSON document has more than {limits.max_members} members.")
    brackets = bones.translate(None, _NOT_BRACKETS)
    for _ in range(limits.max_depth):  # each pass takes away the innermost level
        if not brackets:
            return
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    if brackets:
        raise Malformed(f"The JSON document is nested deeper than {limits.max_depth}, or its brackets do not match.")


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


# The same for the fast reading, written out: three calls less for each object and number.


def _fast_integer(text: str) -> int:
    if len(text) > MAX_NUMBER_CHARS:
        raise _FlawFound
    return int(text)


def _fast_decimal(text: str) -> Decimal:
    if len(text) <= _SURELY_SMALL_CHARS and "e" not in text and "E" not in text:
        return Decimal(text)
    number = _decimal(text)
    if isinstance(number, _Flaw):
        raise _FlawFound
    return number


def _fast_constant(_: str) -> NoReturn:
    raise _FlawFound


def _fast_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _FlawFound
    return document


_FAST = json.JSONDecoder(
    object_pairs_hook=_fast_object,
    parse_int=_fast_integer,
    parse_float=_fast_decimal,
    parse_constant=_fast_constant,
)
_MARKING = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_constant
)


# Finding a place: (pointer, value) of everything, in the order of the document.


def _nodes(document: Any) -> Iterator[tuple[str, Any]]:
    open_nodes = [iter([("", document)])]
    while open_nodes:
        for pointer, value in open_nodes[-1]:
            yield pointer, value
            if isinstance(value, dict | list):
                open_nodes.append(_children(pointer, value))
                break
        else:
            open_nodes.pop()


def _children(pointer: str, value: Any) -> Iterator[tuple[str, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in pairs:
        yield f"{pointer}/{_escaped(str(key))}", member


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _name_the_flaw(document: Any) -> NoReturn:
    pointer, flaw = next((pointer, node) for pointer, node in _nodes(document) if isinstance(node, _Flaw))
    if flaw.key is not None:
        pointer += f"/{_escaped(flaw.key)}"
    raise Malformed(flaw.detail, field=_shown(pointer))


def _check_strings(document: Any, limits: JsonLimits) -> None:
    for pointer, value in _nodes(document):
        if isinstance(value, str):
            _check_string(pointer, value, limits)
        elif isinstance(value, dict):
            for key in value:
                _check_string(pointer, key, limits)


def _check_string(pointer: str, value: str, limits: JsonLimits) -> None:
    if len(value) > limits.max_string_chars:
        raise Malformed("The text is too long.", field=_shown(pointer))
    if _UNSOUND_CHARS.search(value):
        raise Malformed("The text holds a NUL or half a surrogate pair.", field=_shown(pointer))


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
