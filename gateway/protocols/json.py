"""JSON for ERPs, exact: numbers become `Decimal`, and go out as the digits they are."""

from __future__ import annotations

from codecs import BOM_UTF8
from decimal import Decimal
from typing import Any

import msgspec
import orjson

from gateway.protocols.port import AnswerBroken

_DECODER = msgspec.json.Decoder(float_hook=Decimal)  # sees each number as it is written


def loads(body: bytes) -> Any:
    """Read an ERP's JSON. Raises: AnswerBroken."""
    try:
        return _DECODER.decode(body.removeprefix(BOM_UTF8))
    except (ValueError, ArithmeticError, RecursionError) as err:
        raise AnswerBroken(f"the answer is no JSON: {err}") from err


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(type(value).__name__)


def dumps(value: Any) -> bytes:
    """Write JSON; a Decimal is a number with all its digits."""
    return orjson.dumps(value, default=_exact)
