"""Since when: people write a moment or an age, and everything else is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.control.since import since

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", datetime(2026, 11, 23, 10, 30, tzinfo=UTC)),
        ("12h", datetime(2026, 11, 23, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 16, 12, tzinfo=UTC)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-21T18:00:00Z", datetime(2026, 11, 21, 18, tzinfo=UTC)),
        ("2026-11-21T18:00:00.000001+01:00", datetime(2026, 11, 21, 17, microsecond=1, tzinfo=UTC)),
    ],
)
def test_a_moment_and_an_age_are_understood(text: str, moment: datetime) -> None:
    assert since(text, NOW_US) == int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond


@pytest.mark.parametrize("text", ["", "yesterday", "7w", "-1d", "\u0667d", "999999d", "2026-13-01", "d"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        since(text, NOW_US)
