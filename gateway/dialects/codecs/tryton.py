"""Codecs of what Tryton wants said twice. Source: the records its server needs for an order to be carried out."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from gateway.dialects.codecs.codec import Codec, as_text, exactly
from gateway.dialects.codecs.numbers import decimal_float

_US_IN_MINUTE = 60_000_000


def twice(*, of: Codec) -> Codec:
    """One value in two native fields; the first is read."""
    return Codec(
        lambda v: (of.encode(v),) * 2,
        lambda values: None if values[0] is None else of.decode(values[0]),
        native=2,
        comparable=False,
        schema=of.schema * 2,
        normalising="the second field only repeats the first",
        domain=of.domain,
    )


def with_address(*, key: str) -> Codec:
    """A party, and beside it the party's one address, named by the party's code in `key`; the party is read."""
    return Codec(
        lambda v: (v, {key: v}),
        lambda values: None if values[0] is None else as_text(values[0]),
        native=2,
        comparable=False,
        schema=({"type": "string"}, {}),
        normalising="the address follows from the party",
        alone=((0, Codec(as_text, as_text)),),
    )


def made_product(*, units: Codec, production: str, storage: str, currency: str) -> Codec:
    """Item, quantity and unit of an order, and beside them the one stock move that its product will come out with.

    The move's price is 0 until the ERP works it out from what went in; `currency` is the company's.
    """
    quantities = decimal_float(scale=3)

    def encode(values: tuple[Any, ...]) -> tuple[Any, ...]:
        item, quantity, unit = values
        amount = None if quantity is None else quantities.encode(quantity)
        symbol = None if unit is None else units.encode(unit)
        if None in values:
            return item, amount, symbol, []
        move = {"product": {"code": item}, "quantity": amount, "unit": {"symbol": symbol}}
        places = {"from_location": {"code": production}, "to_location": {"code": storage}}
        price = {"unit_price": Decimal(0), "currency": {"code": currency}}
        return item, amount, symbol, [move | places | price]

    def decode(values: tuple[Any, ...]) -> tuple[Any, ...]:
        item, quantity, unit = values[:3]
        return (
            None if item is None else as_text(item),
            None if quantity is None else quantities.decode(quantity),
            None if unit is None else units.decode(unit),
        )

    return Codec(
        encode,
        decode,
        canonical=3,
        native=4,
        literals=("text", "plain", "text", "plain"),
        schema=({"type": "string"}, {"type": "number"}, {"type": "string"}, {"type": "array"}),
        normalising="the move of the product follows from the order",
        domain=lambda v: (v[1] is None or quantities.domain(v[1])) and (v[2] is None or units.domain(v[2])),
        alone=((0, Codec(as_text, as_text)), (1, quantities), (2, units)),
    )


def internal_transfer() -> Codec:
    """Type, from and to of a move in an internal shipment, which is always a transfer, as its two places."""

    def encode(values: tuple[Any, ...]) -> tuple[Any, ...]:
        if values[0] != "transfer":
            raise ValueError("only a transfer from a place to a place can be moved here")
        return values[1:]

    return Codec(
        encode,
        lambda values: ("transfer", *(None if v is None else as_text(v) for v in values)),
        canonical=3,
        native=2,
        comparable=False,
        schema=({"type": "string"},) * 2,
        domain=lambda v: v[0] == "transfer" and v[1:] != (None, None),
    )


def duration_minutes() -> Codec:
    """Minutes as a length of time; a thousandth of a minute is read, shorter ones are rounded."""
    length = exactly(timedelta)

    def encode(value: Decimal) -> timedelta:
        if value != round(value, 3):
            raise ValueError("more than 3 digits after the point")
        return timedelta(microseconds=int(value * _US_IN_MINUTE))

    def decode(value: Any) -> Decimal:
        return round(Decimal(length(value) // timedelta(microseconds=1)) / _US_IN_MINUTE, 3)

    return Codec(
        encode,
        decode,
        literal="plain",
        ordered=True,
        comparable=False,
        schema=({"type": "object"},),
        normalising="shorter times than a thousandth of a minute are rounded",
        scale=3,
        domain=lambda v: v == round(v, 3),
    )
