"""Property values on the wire: rendered and read per OData version. Reading is as strict as the real ERPs are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson

from gateway.sim.erps.declare import Kind, Property, Value
from gateway.sim.erps.refusal import bad_request

Render = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE2 = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
_TIME2 = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?")
_NEVER = datetime(1900, 1, 1, 12, tzinfo=UTC)  # D365 has no null in its date columns


# -- rendering


def renderer2(kind: Kind) -> Render:
    if kind.base == "decimal":
        return f"{{:.{kind.scale}f}}".format
    return _RENDER2.get(kind.base, _as_is)


def renderer4(kind: Kind, *, plain_numbers: bool, as_text: bool) -> Render:
    """`plain_numbers` drops trailing zeros (D365); `as_text` is IEEE754Compatible."""
    if kind.base != "decimal":
        return _RENDER4.get(kind.base, _as_is)
    template = f"{{:.{kind.scale}f}}".format
    if as_text:
        return template
    if plain_numbers:
        return lambda value: orjson.Fragment(_trimmed(template(value)).encode())
    return lambda value: orjson.Fragment(template(value).encode())


def _as_is(value: Any) -> Any:
    return value


def _trimmed(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


@lru_cache(maxsize=4096)
def _millis(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=4096)
def _date2(value: date | None) -> str | None:
    if value is None:
        return None
    return f"/Date({_millis(datetime(value.year, value.month, value.day, tzinfo=UTC))})/"


def _stamp2(value: datetime | None) -> str | None:
    return None if value is None else f"/Date({_millis(value)})/"


def _instant2(value: datetime | None) -> str | None:
    return None if value is None else f"/Date({_millis(value)}+0000)/"


@lru_cache(maxsize=4096)
def _time2(value: time) -> str:
    return f"PT{value.hour:02}H{value.minute:02}M{value.second:02}S"


@lru_cache(maxsize=4096)
def _date4(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


@lru_cache(maxsize=4096)
def _time4(value: time) -> str:
    return value.isoformat()


@lru_cache(maxsize=4096)
def moment4(value: datetime | None) -> str | None:
    if value is None:
        return None
    precision = "milliseconds" if value.microsecond else "seconds"
    return value.isoformat(timespec=precision).replace("+00:00", "Z")


def never_if_none(value: datetime | None) -> str | None:
    return moment4(value or _NEVER)


_RENDER2: dict[str, Render] = {"date": _date2, "stamp": _stamp2, "instant": _instant2, "time": _time2}
_RENDER4: dict[str, Render] = {"date": _date4, "stamp": moment4, "instant": moment4, "time": _time4}


# -- reading


def read2(prop: Property, value: Any) -> Value:
    """A JSON value of an OData V2 body: decimals are text there. Raises: 400."""
    if value is None:
        return prop.kind.initial
    reader = _READ2[prop.kind.base]
    return _read(prop, value, reader)


def read4(prop: Property, value: Any, *, decimals_as_text: bool) -> Value:
    """A JSON value of an OData V4 body: decimals are numbers, or text with IEEE754Compatible. Raises: 400."""
    if value is None:
        return prop.kind.initial
    reader = _READ4[prop.kind.base]
    if prop.kind.base == "decimal":
        reader = _decimal_text if decimals_as_text else _decimal_number
    return _read(prop, value, reader)


def _read(prop: Property, value: Any, reader: Callable[[Any], Value]) -> Value:
    try:
        found = reader(value)
    except (ValueError, ArithmeticError, TypeError) as exc:
        raise bad_request(f"Property '{prop.name}' has invalid value '{value}'", prop.name) from exc
    _check_size(prop, found)
    return found


def _check_size(prop: Property, value: Value) -> None:
    kind = prop.kind
    if kind.base == "text" and len(str(value)) > kind.size:
        raise bad_request(f"Property '{prop.name}' is longer than {kind.size} characters", prop.name)
    if isinstance(value, Decimal):
        digits = value.as_tuple()
        decimals = max(0, -int(digits.exponent))
        if decimals > kind.scale or len(digits.digits) - decimals > kind.size - kind.scale:
            raise bad_request(f"Property '{prop.name}' exceeds precision {kind.size}, scale {kind.scale}", prop.name)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _decimal_text(value: Any) -> Decimal:
    return _finite(Decimal(_text(value)))


def _decimal_number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise TypeError
    return _finite(Decimal(value))


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ValueError
    return value


def _moment2(value: Any) -> datetime:
    found = _DATE2.fullmatch(_text(value))
    if found:
        return _EPOCH + timedelta(milliseconds=int(found[1]))
    return _moment4(value)


def _day2(value: Any) -> date:
    return _moment2(value).date()


def _clock2(value: Any) -> time:
    found = _TIME2.fullmatch(_text(value))
    if not found:
        raise ValueError
    hour, minute, second = (int(part or 0) for part in found.groups())
    return time(hour, minute, second)


def _moment4(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_READ2: dict[str, Callable[[Any], Value]] = {
    "text": _text, "flag": _flag, "whole": _whole, "decimal": _decimal_text, "date": _day2, "stamp": _moment2,
    "instant": _moment2, "time": _clock2,
}  # fmt: skip
_READ4: dict[str, Callable[[Any], Value]] = {
    "text": _text, "flag": _flag, "whole": _whole, "date": lambda v: date.fromisoformat(_text(v)), "stamp": _moment4,
    "instant": _moment4, "time": lambda v: time.fromisoformat(_text(v)), "decimal": _decimal_number,
}  # fmt: skip
