"""Codecs of calendar days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from gateway.dialects.codecs.codec import Codec, as_text, exactly

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
_DAYS_KEPT = 4096  # documents speak of few days: ten years are 3,653
_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"  # all but 0000, which no calendar has
DAY = f"{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
"""A day as descriptions have it: not every reader of them looks at `format`."""
_MS = re.compile(r"/Date\((-?\d{1,15})([+-]\d{4})?\)/", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_COMPACT = re.compile(r"\d{8}", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d+)?Z", re.ASCII)


def from_ms(value: str) -> datetime:
    """Read /Date(ms)/. The offset only tells the writer's zone: the number itself counts from the epoch in UTC."""
    found = _MS.fullmatch(as_text(value))
    if not found:
        raise ValueError("a time is /Date(milliseconds)/")
    try:
        return _EPOCH + timedelta(milliseconds=int(found[1]))
    except OverflowError as err:
        raise ValueError("a time outside the calendar") from err


def to_ms(value: datetime) -> int:
    return (value - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=_DAYS_KEPT)
def iso_date(value: str) -> date:
    """Read YYYY-MM-DD."""
    if not _ISO.fullmatch(as_text(value)):
        raise ValueError("a date is YYYY-MM-DD")
    return date.fromisoformat(value)


def date_iso(*, blank: str | None = None) -> Codec:
    """YYYY-MM-DD."""
    return Codec(
        date.isoformat,
        iso_date,
        blank=blank,
        literal="date",
        ordered=True,
        schema=({"type": "string", "format": "date", "pattern": f"^{DAY}$"},),
        domain=lambda v: v.isoformat() != blank,
    )


def date_compact() -> Codec:
    """YYYYMMDD, with 00000000 for none."""

    def decode(value: str) -> date:
        if not _COMPACT.fullmatch(as_text(value)):
            raise ValueError("a date is YYYYMMDD")
        return date(int(value[:4]), int(value[4:6]), int(value[6:]))

    return Codec(lambda v: v.isoformat().replace("-", ""), decode, blank="00000000", ordered=True, max_length=8)


def date_ms(*, exact: bool = True) -> Codec:
    """/Date(ms)/ at midnight UTC; with `exact` false, a time of day is dropped. Source: OData V2, Edm.DateTime."""

    @lru_cache(maxsize=_DAYS_KEPT)
    def decode(value: str) -> date:
        found = _MS.fullmatch(as_text(value))
        if not found:
            raise ValueError("a date is /Date(milliseconds)/")
        days, rest = divmod(int(found[1]), _DAY_MS)
        if exact and rest:
            raise ValueError("a date with a time of day")
        try:
            return date.fromordinal(_EPOCH_DAY + days)
        except (OverflowError, ValueError) as err:
            raise ValueError("a date outside the calendar") from err

    return Codec(
        lambda v: f"/Date({(v.toordinal() - _EPOCH_DAY) * _DAY_MS})/",
        decode,
        literal="date_ms",
        ordered=True,
        comparable=exact,
        normalising="an offset is dropped" if exact else "an offset and a time of day are dropped",
    )


def date_in_datetime(*, at: str = "00:00:00", exact: bool = True, blank: str | None = None) -> Codec:
    """A day written as a moment of it, YYYY-MM-DDThh:mm:ssZ; with `exact` false, any moment of the day is read."""

    def decode(value: str) -> date:
        found = _MOMENT.fullmatch(as_text(value))
        if not found:
            raise ValueError("a date is YYYY-MM-DDThh:mm:ssZ")
        if exact and (found[2] != at or (found[3] or "").strip(".0")):
            raise ValueError(f"a date with another time of day than {at}")
        return date.fromisoformat(found[1])

    return Codec(
        lambda v: f"{v.isoformat()}T{at}Z",
        decode,
        blank=blank,
        literal="datetime",
        ordered=True,
        comparable=exact,
        schema=({"type": "string", "format": "date-time"},),
        normalising="the time of day stands for nothing",
        domain=lambda v: f"{v.isoformat()}T{at}Z" != blank,
    )


def date_plain() -> Codec:
    """A date object: the protocol carries dates."""
    is_day = exactly(date)
    return Codec(is_day, is_day, literal="plain", ordered=True, schema=({"type": "string", "format": "date"},))
