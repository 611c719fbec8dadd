"""A day and a time of day on a plant's wall is the instant that the zone's own rules give, on every kind of day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.dialects.codecs.moments import datetime_iso, local_datetime, local_day

# Ordinary days, the days clocks move (also by half an hour, at midnight, and twice in a year), and a day that never was.
DAYS = {
    "Europe/Berlin": ("2026-03-28", "2026-03-29", "2026-03-30", "2026-10-25", "2026-07-01"),
    "America/Chicago": ("2026-03-08", "2026-11-01", "2026-12-31"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04", "2026-06-01"),
    "America/Sao_Paulo": ("2018-11-04", "2018-02-17", "2018-02-18"),
    "Africa/Casablanca": ("2026-02-15", "2026-03-22"),
    "Pacific/Apia": ("2011-12-29", "2011-12-30", "2011-12-31"),
    "Asia/Kolkata": ("2026-01-01",),
}
CLOCKS = [timedelta(minutes=minutes) for minutes in range(0, 24 * 60 + 1, 15)]


def _shown(clock: timedelta) -> str:
    minutes = clock // timedelta(minutes=1)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, days in DAYS.items() for day in days])
def test_every_quarter_of_an_hour_of_a_day_is_read_by_the_zones_own_rules(zone: str, day: str) -> None:
    decode = local_datetime(zone=zone, form="iso").decode
    midnight = datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone))
    for clock in CLOCKS:
        assert decode((day, _shown(clock))) == (midnight + clock).astimezone(UTC), clock
    assert decode((day, None)) == midnight.astimezone(UTC)
    assert local_day(zone=zone, form="iso").decode(day) == midnight.astimezone(UTC)


def test_the_first_and_the_last_day_of_the_calendar_are_read_or_refused_and_break_nothing() -> None:
    decode = local_datetime(zone="UTC", form="iso").decode
    assert decode(("9999-12-31", "23:59:59")) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert decode(("0001-01-01", "00:00:00")) == datetime(1, 1, 1, tzinfo=UTC)
    with pytest.raises(OverflowError):
        decode(("9999-12-31", "24:00:00"))


@pytest.mark.parametrize("micro", [0, 1, 250_000, 999_999])
@pytest.mark.parametrize("year", [1, 999, 2026, 9999])
def test_an_instant_is_written_as_iso_8601_with_the_digits_it_has(year: int, micro: int) -> None:
    moment = datetime(year, 2, 3, 4, 5, 6, micro, tzinfo=UTC)
    shown = datetime_iso().encode(moment)
    assert shown.endswith("Z")
    assert len(shown) == {0: 20, 250_000: 24}.get(micro, 27)
    assert datetime.fromisoformat(shown) == moment
