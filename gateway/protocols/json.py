"""JSON for ERPs, exact: numbers become `Decimal`, and go out as the digits they are."""

from __future__ import annotations

from codecs import BOM_UTF8
from decimal import Decimal
from typing import Any

import msgspec
import orjson

from gateway.protocols.port import AnswerBroken

MAX_DEPTH = 64  # far above any document; how deep Python itself can read differs from version to version
_DECODER = msgspec.json.Decoder(float_hook=Decimal)  # sees each number as it is written
_NESTING = frozenset((dict, list))


def loads(body: bytes) -> Any:
    """Read an ERP's JSON. Raises: AnswerBroken."""
    try:
        found = _DECODER.decode(body.removeprefix(BOM_UTF8))
    except (ValueError, ArithmeticError, RecursionError) as err:
        raise AnswerBroken(f"the answer is no JSON: {err}") from err
    return within_depth(body, found)


def within_depth(body: bytes, found: Any) -> Any:
    """What was read from a body. Raises: AnswerBroken: it nests deeper than `MAX_DEPTH`."""
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _nests_deeper(found):
        raise AnswerBroken(f"the answer is nested deeper than {MAX_DEPTH}")
    return found


def _nests_deeper(found: Any) -> bool:
    level: list[Any] = [[found]]
    for _ in range(MAX_DEPTH + 1):  # with the list around it
        level = [
            below
            for each in level
            for below in (each.values() if each.__class__ is dict else each)
            if below.__class__ in _NESTING
        ]
        if not level:
            return False
    return True


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(type(value).__name__)


def dumps(value: Any) -> bytes:
    """Write JSON; a Decimal is a number with all its digits."""
    return orjson.dumps(value, default=_exact)
