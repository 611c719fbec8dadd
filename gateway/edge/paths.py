"""The request target, read once from its raw bytes (pure).

The policy, the routing and the outbound URL all take their values from the same `Target`; the server's own decoded
path is never looked at, because decoding first and splitting later lets one request be read in two ways.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from gateway.core.canonical.kinds import PLANT_ID
from gateway.errors import Malformed

MAX_PARAMETERS = 64
MAX_KEY_CHARS = 128

_PLANT = re.compile(PLANT_ID)
_ACTION = re.compile(r"[a-z][a-z-]*")
_PLAIN_PATH = re.compile(rb"/[A-Za-z0-9_~!$&'()*+,;=:@/.|-]*")
_RAW_PATH = re.compile(rb"/[!-~]*")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN_ESCAPE = re.compile(rb"%(?:2[Ff]|5[Cc]|25)|[\\?#]")
# Control, format (zero-width, direction marks), surrogate, private and unassigned characters; line and other spaces.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Target(NamedTuple):
    """A request target. `raw_segments` are still percent-encoded: there `:` separates and `%3A` does not."""

    segments: tuple[str, ...]
    raw_segments: tuple[str, ...]
    query: Mapping[str, tuple[str, ...]]

    def parameter(self, name: str) -> str | None:
        """The value of a parameter that is given at most once."""
        values = self.query.get(name)
        return values[0] if values else None


def parse_target(raw_path: bytes, query_string: bytes, *, repeatable: Collection[str] = ()) -> Target:
    """Read path and query.

    Takes: `repeatable`, the parameters that may be given more than once.
    Raises: Malformed, for everything two servers might read differently.
    """
    raw_segments = _split(raw_path)
    plain = _PLAIN_PATH.fullmatch(raw_path) is not None
    segments = raw_segments if plain else tuple([_decode(raw) for raw in raw_segments])
    for segment in segments:
        if segment in {".", ".."}:
            raise Malformed("The path holds a dot segment.", field="path")
    return Target(segments, raw_segments, _parse_query(query_string, repeatable))


def plant_id(segment: str) -> str:
    """Raises: Malformed, unless it is a plant id (or a domain id written alike)."""
    if _PLANT.fullmatch(segment) is None:
        raise Malformed("A plant id is up to 16 of A-Z, 0-9, _ and -.", field="plant")
    return segment


def document_key(segment: str) -> str:
    """Check a decoded segment as a document key: any printable text of up to 128 characters, joined keys too.

    Raises: Malformed.
    """
    if not segment or len(segment) > MAX_KEY_CHARS:
        raise Malformed(f"A key has 1 to {MAX_KEY_CHARS} characters.", field="key")
    if segment != segment.strip():
        raise Malformed("A key neither begins nor ends with a space.", field="key")
    _check_text(segment, "key")
    if "/" in segment or "\\" in segment:
        raise Malformed("A key holds no slash.", field="key")
    return segment


def key_and_action(raw_segment: str) -> tuple[str, str | None]:
    """Split `key:action` at its last colon. A colon that belongs to the key is written `%3A`.

    Raises: Malformed, for a bad key.
    """
    key, colon, action = raw_segment.rpartition(":")
    if colon and key and _ACTION.fullmatch(action):
        return document_key(_decode(key)), action
    return document_key(_decode(raw_segment)), None


def _split(raw_path: bytes) -> tuple[str, ...]:
    if _RAW_PATH.fullmatch(raw_path) is None:
        raise Malformed("The path is not printable ASCII that begins with a slash.", field="path")
    if b"//" in raw_path:
        raise Malformed("The path holds an empty segment.", field="path")
    parts = raw_path.decode("ascii").split("/")[1:]
    return tuple(parts if parts[-1] else parts[:-1])


def _decode(raw: str) -> str:
    encoded = raw.encode("ascii")
    if _FORBIDDEN_ESCAPE.search(encoded):
        raise Malformed("The path holds an encoded slash, backslash or percent sign.", field="path")
    text = _unquote(encoded, "path")
    if text != text.strip():
        raise Malformed("A path segment neither begins nor ends with a space.", field="path")
    _check_text(text, "path")
    return text


def _unquote(encoded: bytes, where: str) -> str:
    if _BAD_ESCAPE.search(encoded):
        raise Malformed("A percent sign is not followed by two hexadecimal digits.", field=where)
    try:
        return unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("The percent-encoded text is not UTF-8.", field=where) from None


def _check_text(text: str, where: str) -> None:
    if text.isascii():
        if not text.isprintable():
            raise Malformed("Control characters are not allowed.", field=where)
        return
    if not unicodedata.is_normalized("NFC", text):
        raise Malformed("The text is not in Unicode normalisation form C.", field=where)
    for char in text:
        category = unicodedata.category(char)
        wide = unicodedata.east_asian_width(char) == "F"
        if category in _FORBIDDEN_CATEGORIES or wide or (category == "Zs" and char != " "):
            raise Malformed(f"The character U+{ord(char):04X} is not allowed.", field=where)


def _parse_query(query_string: bytes, repeatable: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    if not query_string:
        return _NO_QUERY
    pairs = query_string.split(b"&")
    if len(pairs) > MAX_PARAMETERS:
        raise Malformed(f"More than {MAX_PARAMETERS} query parameters.", field="query")
    values: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        raw_name, _, raw_value = pair.partition(b"=")
        name = _query_text(raw_name, "query")
        if not name:
            raise Malformed("A query parameter has no name.", field="query")
        if name in values and name not in repeatable:
            raise Malformed("This query parameter is given twice.", field=name)
        values[name] = (*values.get(name, ()), _query_text(raw_value, name))
    return MappingProxyType(values)


def _query_text(encoded: bytes, where: str) -> str:
    text = _unquote(encoded.replace(b"+", b" "), where)
    if text.isascii():
        sound = text.isprintable()
    else:
        sound = not any(unicodedata.category(char) in {"Cc", "Cs", "Cn"} for char in text)
    if not sound:
        raise Malformed("Control characters are not allowed.", field=where)
    if not unicodedata.is_normalized("NFC", text):
        raise Malformed("The text is not in Unicode normalisation form C.", field=where)
    return text


_NO_QUERY: Mapping[str, tuple[str, ...]] = MappingProxyType({})
