"""Codecs of numbers. Every digit counts: what a form cannot hold is refused, never rounded in silence."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from typing import Any

from gateway.dialects.codecs.codec import Codec, as_text, exactly

_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
_PLAIN_DIGITS = 6  # up to here str() of a Decimal has no exponent, and costs less than format()
_NUMBERS_KEPT = 4096  # most quantities of most documents are 0
_SHORT = 20
_NUMBER = re.compile(r"\s*[+-]?\d{1,40}(?:\.\d{1,40})?\s*", re.ASCII)


def _exact_to(scale: int) -> Callable[[Decimal], Decimal]:
    """A function that gives a number exactly `scale` digits after the point, and refuses one that has more."""
    context = Context(prec=60, traps=[Inexact, InvalidOperation])
    step = Decimal(1).scaleb(-scale)

    def exact(value: Decimal) -> Decimal:
        try:
            fixed = value.quantize(step, context=context)
        except Inexact as err:
            raise ValueError(f"more than {scale} digits after the point") from err
        return fixed if fixed else abs(fixed)

    return exact


@lru_cache(maxsize=32)  # one for each scale, whatever the number of fields
def _written_to(scale: int) -> Callable[[Decimal], str]:
    """A function that writes a number with exactly `scale` digits after the point, up to `_PLAIN_DIGITS` of them."""
    exact = _exact_to(scale)
    return lru_cache(maxsize=_NUMBERS_KEPT, typed=True)(lambda value: str(exact(value)))


def _fits(scale: int) -> Callable[[Decimal], bool]:
    return lambda value: value == round(value, scale)


def number(value: Any) -> Decimal:
    """Read a number in any of the forms that systems write."""
    kind = type(value)
    if kind is str:
        if not _NUMBER.fullmatch(value):
            raise ValueError("not a number")
        return Decimal(value)
    if kind is Decimal and value.is_finite():
        return value  # type: ignore[no-any-return]
    if kind is int:
        return Decimal(value)
    raise ValueError(f"number expected, {kind.__name__} found")


@lru_cache(maxsize=_NUMBERS_KEPT)
def _short_number(value: str) -> Decimal:
    return number(value)


def _number_text(value: Any) -> Decimal:
    """Read a number written as text; only short ones are remembered, whatever spaces a long one has."""
    if type(value) is str and len(value) <= _SHORT:
        return _short_number(value)
    return number(as_text(value))


def decimal_pattern(scale: int, *, whole: int = 15, signed: bool = True) -> str:
    """How a decimal is written: up to `whole` digits before the point, and up to `scale` after it."""
    sign = "-?" if signed else ""
    tail = rf"(\.[0-9]{{1,{scale}}})?" if scale else ""
    return rf"^{sign}[0-9]{{1,{whole}}}{tail}$"


def decimal_text(*, scale: int, signed: bool = True) -> Codec:
    """A decimal as text with exactly `scale` digits after the point."""
    exact = _exact_to(scale)
    return Codec(
        _written_to(scale) if scale <= _PLAIN_DIGITS else (lambda v: format(exact(v), "f")),
        _number_text,
        literal="decimal",
        ordered=True,
        schema=({"type": "string", "pattern": decimal_pattern(scale, signed=signed)},),
        normalising="the number of digits after the point is fixed",
        scale=scale,
        domain=_fits(scale),
    )


def decimal_number(*, scale: int) -> Codec:
    """A decimal as a JSON number, exact to the digit."""
    return Codec(
        _exact_to(scale),
        number,
        literal="decimal",
        ordered=True,
        schema=({"type": "number"},),
        normalising="a number may be written as text or with other trailing zeros",
        scale=scale,
        domain=_fits(scale),
    )


def decimal_float(*, scale: int) -> Codec:
    """A decimal whose field is a binary float there; refused where the float would not give the same digits back."""

    def encode(value: Decimal) -> float:
        made = float(value)
        if Decimal(repr(made)) != value:
            raise ValueError("more digits than a float keeps")
        return made

    exact = _exact_to(scale)
    return Codec(
        lambda v: encode(exact(v)),
        lambda v: Decimal(repr(v)) if type(v) is float else number(v),
        literal="plain",
        ordered=True,
        schema=({"type": "number"},),
        normalising="a float has no trailing zeros",
        domain=lambda v: _fits(scale)(v) and Decimal(repr(float(v))) == v,
    )


def integer() -> Codec:
    """An identifier written as a whole number."""

    def encode(value: str) -> int:
        if not (value.isascii() and value.isdigit()) or (value[0] == "0" and value != "0"):
            raise ValueError("a number without leading zeros expected")
        return int(value)

    whole = exactly(int)
    return Codec(
        encode,
        lambda v: str(whole(v)),
        literal="integer",
        schema=({"type": "integer"},),
        domain=lambda v: v.isascii() and v.isdigit() and (v == "0" or v[0] != "0"),
    )


def unit_price(*, scale: int, exact: bool = True, form: str = "text") -> Codec:
    """A price and the number of units it is for, as the price of one unit.

    With `exact`, a price that has more than `scale` digits per unit is refused; else it is rounded half-even. `form` is
    `text` or `number`.
    """
    if form not in {"text", "number"}:
        raise ValueError("form is text or number")
    step = Decimal(1).scaleb(-scale)

    def single(values: tuple[Decimal, Decimal]) -> Decimal:
        amount, per = values
        if amount is None or per is None or per <= 0:
            raise ValueError("a price needs the positive number of units it is for")
        found = _WIDE.divide(amount, per).quantize(step, context=_WIDE)
        if exact and found * per != amount:
            raise ValueError(f"{amount} per {per} has more than {scale} digits for one unit")
        return found

    return Codec(
        (lambda v: format(single(v), "f")) if form == "text" else single,
        lambda v: (number(v), Decimal(1)),
        canonical=2,
        literal="decimal" if form == "text" else "plain",
        schema=({"type": "string", "pattern": decimal_pattern(scale)},) if form == "text" else ({"type": "number"},),
        normalising="the price is for one unit",
        domain=lambda v: v[1] == 1 and v[0] == round(v[0], scale),
    )


def work_minutes(*, minutes: str, hours: str, form: str = "text") -> Codec:
    """A time of work in minutes as an amount and its unit; nothing in no unit is null. `form` is text or number."""
    amounts = decimal_number(scale=3) if form == "number" else decimal_text(scale=3)
    factors = {minutes: Decimal(1), hours: Decimal(60)}

    def decode(values: tuple[Any, ...]) -> Decimal | None:
        amount, unit = None if values[0] is None else amounts.decode(values[0]), values[1] or None
        if not amount and unit is None:
            return None
        if unit not in factors or amount is None:
            raise ValueError(f"an amount in {minutes} or {hours} expected")
        return Decimal(amount) * factors[unit]

    return Codec(
        lambda v: (amounts.encode(v), minutes),
        decode,
        native=2,
        literals=("decimal", "text"),
        comparable=False,
        schema=(*amounts.schema, {"type": "string"}),
        normalising="hours are written as minutes",
        scale=3,
        domain=amounts.domain,
    )
