"""Named two-way codecs: how one scalar of the canonical model is written elsewhere.

A codec is pure and lawful: on its domain decode(encode(x)) == x, and encode(decode(y)) settles after one round; where that round
may change the writing of y, `normalising` says why. `CODECS` holds the built-in ones; others come by entry point `gateway.codecs`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Schema = Mapping[str, Any]
TEXT: Schema = MappingProxyType({"type": "string"})


@dataclass(frozen=True, slots=True)
class Codec:
    """One way to write a value.

    `canonical` and `native` say how many fields stand on each side; with more than one, values travel as tuples.
    `blank` is the native value that means null. `literal` is the native type a query names (text, decimal, boolean, date, datetime,
    time, date_ms, datetime_ms, plain). `ordered` says that comparing the native values compares the canonical ones.
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    canonical: int = 1
    native: int = 1
    blank: Any = None
    literal: str = "text"
    ordered: bool = False
    schema: tuple[Schema, ...] = (TEXT,)
    normalising: str | None = None
    domain: Callable[[Any], bool] = lambda _: True
    same: bool = False
    known: tuple[tuple[Any, tuple[Any, ...]], ...] = ()
    """For closed lists: (canonical value, native values that read as it)."""


def _anything(_: Any) -> bool:
    return True


def _codec(encode: Callable[[Any], Any], decode: Callable[[Any], Any], **more: Any) -> Codec:
    return Codec(encode, decode, **({"domain": _anything} | more))


def _is(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{kind.__name__} expected, {type(value).__name__} found")
        return value

    return check


_text = _is(str)


def text(*, blank: bool = False, max: int = 0) -> Codec:  # noqa: A002  # the word dialect files use
    """Text as it is. With `blank`, empty text is null there; with `max`, longer text is refused."""

    def encode(value: str) -> str:
        if max and len(value) > max:
            raise ValueError(f"longer than {max} characters")
        return value

    def domain(value: str) -> bool:
        return (not max or len(value) <= max) and not (blank and value == "")

    schema = {"type": "string"} | ({"maxLength": max} if max else {})
    return _codec(encode, _text, blank="" if blank else None, schema=(schema,), domain=domain, same=not max)


def plain() -> Codec:
    """The value itself: the protocol already carries exact numbers and dates."""
    return _codec(lambda v: v, lambda v: v, literal="plain", ordered=True, schema=({},), same=True)


def leading_zeros(*, width: int, blank: bool = True) -> Codec:
    """All-digit values padded with zeros to `width` there, bare here; other values as they are."""

    def encode(value: str) -> str:
        if len(value) > width:
            raise ValueError(f"longer than {width} characters")
        return value.zfill(width) if value.isascii() and value.isdigit() else value

    def decode(value: str) -> str:
        _text(value)
        return (value.lstrip("0") or "0") if value.isascii() and value.isdigit() else value

    def domain(value: str) -> bool:
        return 0 < len(value) <= width and (
            value == "0" or not (value.isascii() and value.isdigit() and value[0] == "0")
        )

    return _codec(
        encode, decode, blank="" if blank else None, domain=domain, normalising="numbers are padded to a fixed width"
    )


def _exact(value: Decimal, scale: int) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        fixed = value.quantize(Decimal(1).scaleb(-scale))
    if fixed != value:
        raise ValueError(f"more than {scale} digits after the point")
    return fixed


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"number expected, {type(value).__name__} found")
    try:
        number = Decimal(value.strip()) if isinstance(value, str) else Decimal(value)
    except InvalidOperation as err:
        raise ValueError("not a number") from err
    if not number.is_finite():
        raise ValueError("not a finite number")
    return number


def decimal_text(*, scale: int, signed: bool = True) -> Codec:
    """A decimal as text with exactly `scale` digits after the point."""

    def decode(value: Any) -> Decimal:
        return _number(_text(value))

    sign = "-?" if signed else ""
    schema = {
        "type": "string",
        "pattern": rf"^{sign}[0-9]{{1,15}}(\.[0-9]{{1,{scale}}})?$" if scale else rf"^{sign}[0-9]{{1,15}}$",
    }
    return _codec(
        lambda v: format(_exact(v, scale), "f"),
        decode,
        literal="decimal",
        ordered=True,
        schema=(schema,),
        normalising="the number of digits after the point is fixed",
    )


def decimal_number(*, scale: int) -> Codec:
    """A decimal as a JSON number, exact to the digit."""

    return _codec(
        lambda v: _exact(v, scale),
        _number,
        literal="decimal",
        ordered=True,
        schema=({"type": "number"},),
        normalising="a number may be written as text or with other trailing zeros",
    )


def integer() -> Codec:
    """An identifier written as a whole number."""

    def encode(value: str) -> int:
        if not (value.isascii() and value.isdigit()) or (value[0] == "0" and value != "0"):
            raise ValueError("a number without leading zeros expected")
        return int(value)

    return _codec(
        encode,
        lambda v: str(_is(int)(v)),
        literal="integer",
        schema=({"type": "integer"},),
        domain=lambda v: v.isascii() and v.isdigit() and (v == "0" or v[0] != "0"),
    )


def boolean() -> Codec:
    """true or false."""
    check = _is(bool)
    return _codec(check, check, literal="boolean", schema=({"type": "boolean"},))


def boolean_text(*, true: str = "X", false: str = "") -> Codec:
    """A flag written as a word."""
    words = {true: True, false: False}
    return _codec(lambda v: true if v else false, lambda v: words[v], known=((True, (true,)), (False, (false,))))


def date_iso() -> Codec:
    """YYYY-MM-DD."""
    return _codec(
        date.isoformat,
        _iso_date,
        literal="date",
        ordered=True,
        schema=({"type": "string", "format": "date"},),
    )


def _iso_date(value: str) -> date:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", _text(value), re.ASCII):
        raise ValueError("a date is YYYY-MM-DD")
    return date.fromisoformat(value)


def date_compact() -> Codec:
    """YYYYMMDD, with 00000000 for none."""

    def decode(value: str) -> date:
        if not re.fullmatch(r"\d{8}", _text(value), re.ASCII):
            raise ValueError("a date is YYYYMMDD")
        return date(int(value[:4]), int(value[4:6]), int(value[6:]))

    return _codec(lambda v: f"{v:%Y%m%d}".zfill(8), decode, blank="00000000", ordered=True)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = re.compile(r"/Date\((-?\d{1,15})([+-]\d{4})?\)/", re.ASCII)


def _from_ms(value: str) -> datetime:
    found = _MS.fullmatch(_text(value))
    if not found:
        raise ValueError("a time is /Date(milliseconds)/")
    # The offset only tells the writer's zone: the number itself counts from the epoch in UTC.
    return _EPOCH + timedelta(milliseconds=int(found[1]))


def _to_ms(value: datetime) -> int:
    return (value - _EPOCH) // timedelta(milliseconds=1)


def date_ms() -> Codec:
    """/Date(ms)/ at midnight UTC. Source: OData V2 JSON, Edm.DateTime used as a date."""

    def decode(value: str) -> date:
        moment = _from_ms(value)
        if moment.time() != time():
            raise ValueError("a date with a time of day")
        return moment.date()

    def encode(value: date) -> str:
        return f"/Date({_to_ms(datetime(value.year, value.month, value.day, tzinfo=UTC))})/"

    return _codec(encode, decode, literal="date_ms", ordered=True, normalising="an offset is dropped")


def datetime_ms(*, offset: bool = True) -> Codec:
    """/Date(ms+0000)/. Source: OData V2 JSON, Edm.DateTimeOffset (Edm.DateTime without the offset)."""
    tail = "+0000" if offset else ""
    return _codec(
        lambda v: f"/Date({_to_ms(v)}{tail})/",
        _from_ms,
        literal="datetime_ms" if offset else "date_ms",
        ordered=True,
        normalising="the zone is UTC",
        domain=lambda v: v.microsecond % 1000 == 0,
    )


def datetime_iso(*, digits: int = 6) -> Codec:
    """ISO 8601 in UTC with Z. Reads any offset; refuses a time without one."""

    def encode(value: datetime) -> str:
        spec = "microseconds" if value.microsecond % 1000 else "milliseconds" if value.microsecond else "seconds"
        return value.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")

    return _codec(
        encode,
        _iso_datetime,
        literal="datetime",
        ordered=True,
        schema=({"type": "string", "format": "date-time"},),
        normalising="the zone is UTC",
        domain=lambda v: digits >= 6 or v.microsecond % 10 ** (6 - digits) == 0,  # noqa: PLR2004  # microseconds have six digits
    )


_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _iso_datetime(value: str) -> datetime:
    if not _ISO.fullmatch(_text(value)):
        raise ValueError("a time is YYYY-MM-DDThh:mm:ss with Z or an offset")
    # fromisoformat() takes at most six digits of a second.
    moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.upper()))
    try:
        return moment.astimezone(UTC)
    except OverflowError as err:
        raise ValueError("a time outside the calendar") from err


def datetime_naive() -> Codec:
    """A datetime object without zone that means UTC."""
    return _codec(
        lambda v: v.astimezone(UTC).replace(tzinfo=None),
        lambda v: _is(datetime)(v).replace(tzinfo=UTC),
        literal="plain",
        ordered=True,
    )


def datetime_wall(*, zone: str) -> Codec:
    """ISO 8601 without offset in the plant's own time."""
    there = _zone(zone)

    def decode(value: str) -> datetime:
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", _text(value), re.ASCII):
            raise ValueError("a time is YYYY-MM-DDThh:mm:ss")
        return datetime.fromisoformat(value).replace(tzinfo=there).astimezone(UTC)

    return _codec(
        lambda v: v.astimezone(there).replace(tzinfo=None, fold=0).isoformat(timespec="seconds"),
        decode,
        literal="text",
        ordered=True,
        domain=_once_a_day(there),
        normalising="the hour that autumn repeats reads as its first pass",
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as err:
        raise ValueError(f"unknown time zone {name!r}") from err


def _once_a_day(zone: ZoneInfo) -> Callable[[datetime], bool]:
    return lambda v: v.microsecond == 0 and v.astimezone(zone).fold == 0


_DURATION = re.compile(r"PT(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:(\d{1,2})(?:\.\d+)?S)?", re.ASCII)


def _duration_time(value: str) -> time:
    found = _DURATION.fullmatch(_text(value))
    if not found:
        raise ValueError("a time of day is PTnnHnnMnnS")
    return time(*(int(part or 0) for part in found.groups()))


def _clock_time(value: str) -> time:
    if not re.fullmatch(r"\d\d:\d\d:\d\d", _text(value), re.ASCII):
        raise ValueError("a time of day is hh:mm:ss")
    return time.fromisoformat(value)


def local_datetime(*, zone: str, form: str) -> Codec:
    """One instant as a date field and a time-of-day field in the plant's own zone.

    `form` is `ms` (/Date(ms)/ and PTnnHnnMnnS, OData V2) or `iso` (YYYY-MM-DD and hh:mm:ss, OData V4).
    """
    there = _zone(zone)
    if form not in ("ms", "iso"):
        raise ValueError("form is ms or iso")
    days = date_ms() if form == "ms" else date_iso()
    clock = _duration_time if form == "ms" else _clock_time

    def encode(value: datetime) -> tuple[str, str]:
        wall = value.astimezone(there)
        if wall.microsecond:
            raise ValueError("finer than a second")
        return days.encode(wall.date()), f"{wall:PT%HH%MM%SS}" if form == "ms" else f"{wall:%H:%M:%S}"

    def decode(values: tuple[Any, Any]) -> datetime | None:
        if values[0] is None:
            return None
        moment = clock(values[1]) if values[1] else time()
        return datetime.combine(days.decode(values[0]), moment, there).astimezone(UTC)

    return _codec(
        encode,
        decode,
        native=2,
        literal=days.literal,
        domain=_once_a_day(there),
        schema=(TEXT, TEXT),
        normalising="the hour that autumn repeats reads as its first pass; a time without a date is dropped",
    )


def joined(*, separator: str = "-", parts: int = 2) -> Codec:
    """A key whose parts are several native fields."""

    def encode(value: str) -> tuple[str, ...]:
        found = tuple(value.split(separator))
        if len(found) != parts or not all(found):
            raise ValueError(f"a key of {parts} parts with {separator!r} between them")
        return found

    def decode(values: tuple[Any, ...]) -> str | None:
        if all(v in (None, "") for v in values):
            return None
        if any(not isinstance(v, str) or not v or separator in v for v in values):
            raise ValueError(f"a part of the key is empty or holds {separator!r}")
        return str(separator).join(values)

    return _codec(
        encode,
        decode,
        native=parts,
        schema=(TEXT,) * parts,
        domain=lambda v: v.count(separator) == parts - 1 and all(v.split(separator)),
    )


def unit_price(*, scale: int, exact: bool = True) -> Codec:
    """A price and the number of units it is for, as the price of one unit.

    With `exact`, a price that has more than `scale` digits per unit is refused; else it is rounded half-even.
    """

    def encode(values: tuple[Decimal, Decimal]) -> str:
        amount, per = values
        if amount is None or per is None or per <= 0:
            raise ValueError("a price needs the positive number of units it is for")
        with localcontext() as context:
            context.prec = 60
            single = (amount / per).quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_EVEN)
            if exact and single * per != amount:
                raise ValueError(f"{amount} per {per} has more than {scale} digits for one unit")
        return format(single, "f")

    return _codec(
        encode,
        lambda v: (_number(v), Decimal(1)),
        canonical=2,
        literal="decimal",
        schema=({"type": "string", "pattern": rf"^-?[0-9]{{1,15}}(\.[0-9]{{1,{scale}}})?$"},),
        normalising="the price is for one unit",
        domain=lambda v: v[1] == 1,
    )


CODECS: Mapping[str, Callable[..., Codec]] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            text,
            plain,
            leading_zeros,
            decimal_text,
            decimal_number,
            integer,
            boolean,
            boolean_text,
            date_iso,
            date_compact,
            date_ms,
            datetime_ms,
            datetime_iso,
            datetime_naive,
            datetime_wall,
            local_datetime,
            joined,
            unit_price,
        )
    }
)


def value_map(
    pairs: Mapping[str, Any], *, encode_also: Mapping[str, Any], decode_also: Mapping[str, str], reason: str | None
) -> Codec:
    """A closed list of words on both sides.

    Takes: `pairs` canonical -> native, one to one; `encode_also` and `decode_also`, words of one side that the other has no own
           word for, with the `reason` that makes the codec normalising.
    """
    if len(set(map(str, pairs.values()))) != len(pairs):
        raise ValueError("two words have the same native word; put one under `normalising`")
    there = {**pairs, **encode_also}
    here = {native: canonical for canonical, native in pairs.items()} | dict(decode_also)
    known = tuple((c, tuple(n for n, to in here.items() if to == c)) for c in pairs)
    return _codec(
        _lookup(there),
        _lookup(here),
        known=known,
        schema=({"type": "string", "enum": list(dict.fromkeys(here))},),
        normalising=reason,
        domain=lambda v: v in pairs,
    )


def _lookup(table: Mapping[Any, Any]) -> Callable[[Any], Any]:
    def look(value: Any) -> Any:
        try:
            return table[value]
        except (KeyError, TypeError):
            raise ValueError(f"{value!r} is none of {', '.join(map(str, table))}") from None

    return look


def flags(states: Mapping[str, tuple[bool, ...]], *, width: int) -> Codec:
    """One state as several native booleans; the last listed state whose flags all hold is the one that is read.

    Takes: `states`, canonical state -> the value of each flag, ordered from the weakest to the strongest.
    """
    if len(set(states.values())) != len(states):
        raise ValueError("two states have the same flags")

    strongest = tuple(reversed(list(states.items())))

    def decode(values: tuple[Any, ...]) -> str:
        have = tuple(bool(v) for v in values)
        for state, needed in strongest:
            if all(h for h, n in zip(have, needed, strict=True) if n):
                return state
        raise ValueError("no state has these flags")

    return _codec(
        _lookup(states),
        decode,
        native=width,
        literal="boolean",
        known=tuple((state, (needed,)) for state, needed in states.items()),
        schema=({"type": "boolean"},) * width,
        normalising="flags of earlier states may stay set beside the one that counts",
        domain=lambda v: v in states,
    )
