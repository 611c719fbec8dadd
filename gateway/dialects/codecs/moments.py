"""Codecs of instants: in UTC, or by the clocks on a plant's walls."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.dialects.codecs.codec import TEXT, Codec, as_text, exactly
from gateway.dialects.codecs.days import DAY, date_ms, from_ms, iso_date, to_ms

_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
MOMENT = rf"{DAY}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,9}})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_WALL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_DURATION = re.compile(r"PT(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:(\d{1,2})(?:\.0+)?S)?", re.ASCII)
_CLOCK = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.0+)?", re.ASCII)
_MICROSECOND_DIGITS = 6
_CLOCKS = {"ms": (_DURATION, "a time of day is PTnnHnnMnnS"), "iso": (_CLOCK, "a time of day is hh:mm:ss")}
_DAY = timedelta(days=1)
_HOURS = tuple(timedelta(hours=hours) for hours in range(25))
_MIDNIGHT = time()
_DAYS_KEPT = 4096  # as in days.py


def datetime_ms(*, offset: bool = True) -> Codec:
    """/Date(ms+0000)/. Source: OData V2 JSON, Edm.DateTimeOffset (Edm.DateTime without the offset)."""
    tail = "+0000" if offset else ""
    return Codec(
        lambda v: f"/Date({to_ms(v)}{tail})/",
        from_ms,
        literal="datetime_ms" if offset else "date_ms",
        ordered=True,
        normalising="the zone is UTC",
        domain=lambda v: v.microsecond % 1000 == 0,
    )


def datetime_iso(*, digits: int = 6, blank: str | None = None) -> Codec:
    """ISO 8601 in UTC with Z. Reads any offset; refuses a time without one."""

    def encode(value: datetime) -> str:
        moment = value if value.tzinfo is UTC else value.astimezone(UTC)
        if not moment.microsecond:  # nearly all; a day and a time without a zone are written in half the time
            return f"{moment.date().isoformat()}T{moment.time().isoformat()}Z"
        spec = "auto" if moment.microsecond % 1000 else "milliseconds"
        return moment.isoformat(timespec=spec)[:-6] + "Z"

    def domain(value: datetime) -> bool:
        fine = digits >= _MICROSECOND_DIGITS or value.microsecond % 10 ** (_MICROSECOND_DIGITS - digits) == 0
        return fine and (blank is None or encode(value) != blank)

    return Codec(
        encode,
        _iso_datetime,
        blank=blank,
        literal="datetime",
        ordered=True,
        schema=({"type": "string", "format": "date-time", "pattern": f"^{MOMENT}$"},),
        normalising="the zone is UTC",
        domain=domain,
    )


def _iso_datetime(value: str) -> datetime:
    if not _ISO.fullmatch(as_text(value)):
        raise ValueError("a time is YYYY-MM-DDThh:mm:ss with Z or an offset")
    # fromisoformat() takes at most six digits of a second.
    text = value if len(value) < len("2026-01-01T00:00:00.000000Z") else re.sub(r"(\.\d{6})\d+", r"\1", value)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as err:
        raise ValueError("a time outside the calendar") from err


def datetime_naive() -> Codec:
    """A datetime object without zone that means UTC."""
    is_moment = exactly(datetime)
    return Codec(
        lambda v: v.astimezone(UTC).replace(tzinfo=None),
        lambda v: is_moment(v).replace(tzinfo=UTC),
        literal="plain",
        ordered=True,
        schema=({"type": "string", "format": "date-time"},),
    )


def datetime_wall(*, zone: str) -> Codec:
    """ISO 8601 without offset in the plant's own time."""
    there = _zone(zone)

    def decode(value: str) -> datetime:
        if not _WALL.fullmatch(as_text(value)):
            raise ValueError("a time is YYYY-MM-DDThh:mm:ss")
        return datetime.fromisoformat(value).replace(tzinfo=there).astimezone(UTC)

    return Codec(
        lambda v: v.astimezone(there).replace(tzinfo=None, fold=0).isoformat(timespec="seconds"),
        decode,
        literal="text",
        comparable=False,
        domain=_once(there),
        normalising=_AUTUMN,
    )


_AUTUMN = "the hour that autumn repeats reads as its first pass"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError) as err:
        raise ValueError(f"unknown time zone {name!r}") from err


def _runs_through(midnight: datetime) -> bool:
    """Whether no clock is moved from this midnight to the next one. Takes: a wall time."""
    try:
        offsets = {(midnight + hours).replace(fold=fold).utcoffset() for hours in _HOURS for fold in (0, 1)}
    except OverflowError:  # the calendar's last day
        return False
    return len(offsets) == 1


def _once(zone: ZoneInfo) -> Callable[[datetime], bool]:
    return lambda v: v.microsecond == 0 and v.astimezone(zone).fold == 0


@lru_cache(maxsize=8192)
def _time_of_day(value: str, form: str) -> timedelta:
    """Read a time of day; 24:00:00 is SAP's end of the day."""
    pattern, reason = _CLOCKS[form]
    found = pattern.fullmatch(as_text(value))
    if not found:
        raise ValueError(reason)
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    made = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if minutes >= 60 or seconds >= 60 or made > _DAY:  # noqa: PLR2004  # a clock's own limits
        raise ValueError(reason)
    return made


def local_datetime(*, zone: str, form: str) -> Codec:
    """One instant as a date field and a time-of-day field in the plant's own zone.

    `form` is `ms` (/Date(ms)/ and PTnnHnnMnnS, OData V2) or `iso` (YYYY-MM-DD and hh:mm:ss, OData V4).
    """
    there = _zone(zone)
    if form not in _CLOCKS:
        raise ValueError("form is ms or iso")
    days = _days(form)
    write = "PT%02dH%02dM%02dS" if form == "ms" else "%02d:%02d:%02d"

    def encode(value: datetime) -> tuple[str, str]:
        wall = value.astimezone(there)
        if wall.microsecond:
            raise ValueError("finer than a second")
        return days.encode(wall), write % (wall.hour, wall.minute, wall.second)

    @lru_cache(maxsize=_DAYS_KEPT)
    def begin(day: Any) -> tuple[datetime, bool]:
        """The instant a day begins; and whether its clocks run through, so that every later instant is a sum."""
        wall = datetime.combine(days.decode(day), _MIDNIGHT, there)
        return wall.astimezone(UTC), _runs_through(wall)

    def decode(values: tuple[Any, Any]) -> datetime | None:
        day, clock = values
        if day is None:
            return None
        start, runs_through = begin(day)
        if not clock:
            return start
        if runs_through:
            return start + _time_of_day(clock, form)
        # Adding to a wall time stays on the wall; only then does it become an instant.
        return (datetime.combine(days.decode(day), _MIDNIGHT, there) + _time_of_day(clock, form)).astimezone(UTC)

    return Codec(
        encode,
        decode,
        native=2,
        literals=("date_ms", "time") if form == "ms" else ("date", "time"),
        ordered=True,
        domain=_once(there),
        schema=(TEXT, TEXT),
        normalising=f"{_AUTUMN}; a time without a date is dropped",
    )


def local_day(*, zone: str, form: str) -> Codec:
    """An instant of which the system keeps only the day in the plant's own zone. `form` is ms, iso or plain."""
    there = _zone(zone)
    days = _days(form)

    @lru_cache(maxsize=_DAYS_KEPT)
    def decode(value: Any) -> datetime:
        return datetime.combine(days.decode(value), time(), there).astimezone(UTC)

    return Codec(
        lambda v: days.encode(v.astimezone(there).date()),
        decode,
        literal=days.literal,
        comparable=False,
        normalising="the system keeps the day, not the time of day",
        domain=lambda v: v.astimezone(there).time() == time() and _once(there)(v),
    )


def _days(form: str) -> Codec:
    if form == "ms":
        return date_ms()
    if form == "iso":
        return Codec(lambda v: v.isoformat()[:10], iso_date, literal="date")
    if form == "plain":
        return Codec(lambda v: v, exactly(date), literal="plain")
    raise ValueError("form is ms, iso or plain")
