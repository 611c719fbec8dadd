"""What a codec is: one scalar of the canonical model, and how it is written elsewhere.

A codec is pure and lawful: on its domain decode(encode(x)) == x, and encode(decode(y)) settles after one round; where
that round may change the writing of y, `normalising` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

Schema = Mapping[str, Any]
TEXT: Schema = MappingProxyType({"type": "string"})


def _anything(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to write a value.

    `canonical` and `native` say how many fields stand on each side; with more than one, values travel as tuples.
    `blank` is the native value that means null. `literal` (or `literals`, one per native field) is the native type a
    query names (text, decimal, integer, boolean, date, datetime, time, date_ms, datetime_ms, plain). `ordered` says
    that comparing the native values compares the canonical ones; without `comparable` a query cannot name the field.
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    canonical: int = 1
    native: int = 1
    blank: Any = None
    nothing: tuple[Any, ...] = ()
    """What stands for null in several native fields, where that is not null in each."""
    literal: str = "text"
    literals: tuple[str, ...] = ()
    ordered: bool = False
    comparable: bool = True
    schema: tuple[Schema, ...] = (TEXT,)
    normalising: str | None = None
    domain: Callable[[Any], bool] = _anything
    same: bool = False
    partial: bool = False
    """Of several canonical fields some may be absent; they count as null, and null is read as absent."""
    max_length: int = 0
    """The longest native text it writes; 0 where it sets no limit."""
    scale: int | None = None
    """The digits after the point that it writes; None where it writes no numbers."""
    rows: tuple[str, ...] = ()
    """The native value is a list; these are the fields of its rows."""
    alone: tuple[tuple[int, Codec], ...] = ()
    """Of several canonical fields: the native field that each may be searched by on its own, and how."""
    known: tuple[tuple[Any, tuple[Any, ...]], ...] = ()
    """For closed lists: (canonical value, native values that read as it)."""


def exactly(kind: type) -> Callable[[Any], Any]:
    """A check that a value is of `kind` and nothing else."""

    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{kind.__name__} expected, {type(value).__name__} found")
        return value

    return check


as_text = exactly(str)
