"""The scalar kinds of the canonical model: what a value is, whatever an ERP writes it as.

Values are exact: quantities and money are `Decimal`, never float; times carry their zone and are kept in UTC; identifiers are
text, so leading zeros stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema

from gateway.core.units import CURRENCIES, UNITS


@dataclass(frozen=True, slots=True)
class Kind:
    """What a scalar field holds; the marker that dialects, filters and schemas read.

    `name` is one of text, identifier, decimal, integer, boolean, date, datetime, choice, unit, currency.
    """

    name: str
    rules: tuple[Any, ...] = ()
    max_length: int = 0
    pattern: str = ""
    scale: int = 0
    choices: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(Annotated[(source, *self.rules)]) if self.rules else handler(source)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its zone")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time outside the calendar") from None


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError("a number must be finite")
    return value


def _unit(value: str) -> str:
    if value not in UNITS:
        raise ValueError("not a UN/CEFACT Rec 20 unit code, nor a Rec 21 package code behind an X")
    return value


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError("not an ISO 4217 currency code")
    return value


def text(max_length: int) -> Any:
    """A free text up to `max_length` characters, without control characters but line breaks and tabs."""
    pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
    rule = StringConstraints(max_length=max_length, pattern=pattern)
    return Kind("text", rules=(rule,), max_length=max_length, pattern=pattern)


def identifier(max_length: int) -> Any:
    """A key or code: printable, no slash, no space at the ends."""
    # U+0085 is a space to some readers of patterns and none to others.
    body, edge = r"[^\x00-\x1f\x7f/\\]", r"[^\s\x00-\x1f\x7f\x85/\\]"
    pattern = f"^{edge}(?:{body}*{edge})?$"
    rule = StringConstraints(min_length=1, max_length=max_length, pattern=pattern)
    return Kind("identifier", rules=(rule,), max_length=max_length, pattern=pattern)


def decimal(scale: int, digits: int) -> Any:
    """An exact number with at most `scale` digits after the point and `digits` in all."""
    rules = (Field(max_digits=digits, decimal_places=scale), AfterValidator(_finite))
    return Kind("decimal", rules=rules, max_length=digits, scale=scale)


def choice(*choices: str) -> Any:
    """One of a closed list of words."""
    rule = StringConstraints(pattern="^(?:" + "|".join(choices) + ")$")
    return Kind("choice", rules=(rule,), choices=choices)


Id4 = Annotated[str, identifier(4)]
Id8 = Annotated[str, identifier(8)]
Id18 = Annotated[str, identifier(18)]
Id20 = Annotated[str, identifier(20)]
Id24 = Annotated[str, identifier(24)]
Id40 = Annotated[str, identifier(40)]
Id120 = Annotated[str, identifier(120)]
Text16 = Annotated[str, text(16)]
Text40 = Annotated[str, text(40)]
Text50 = Annotated[str, text(50)]
Text80 = Annotated[str, text(80)]
Quantity = Annotated[Decimal, decimal(3, 15)]
Money = Annotated[Decimal, decimal(4, 17)]
Minutes = Annotated[Decimal, decimal(3, 11)]
PricePer = Annotated[Decimal, decimal(0, 5)]
Integer = Annotated[int, Kind("integer", rules=(Field(strict=True, ge=-(2**53), le=2**53),))]
Boolean = Annotated[bool, Kind("boolean", rules=(Field(strict=True),))]
Date = Annotated[date, Kind("date")]
DateTime = Annotated[datetime, Kind("datetime", rules=(AfterValidator(_utc),))]
Unit = Annotated[str, Kind("unit", rules=(AfterValidator(_unit),))]
Currency = Annotated[str, Kind("currency", rules=(AfterValidator(_currency),))]
PLANT_ID = "[A-Z0-9][A-Z0-9_-]{0,15}"
"""A plant's id in paths and content."""
PlantId = Annotated[str, identifier(16)]


class Canonical(BaseModel):
    """Base of every canonical model: frozen, and a field nobody declared is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)
