"""Since when: a moment, or an age before now, as people write it. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_AGE = re.compile(r"([0-9]{1,5})([mhd])", re.ASCII)
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
FORM = "a moment such as 2026-11-23 or 2026-11-23T10:00:00Z (UTC where no zone is said), or an age such as 90m, 12h, 7d"


def since(text: str, now_us: int) -> int:
    """Microseconds since the epoch. Raises: ValueError: it is neither."""
    if age := _AGE.fullmatch(text):
        return now_us - int(age[1]) * _SECONDS[age[2]] * 1_000_000
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1_000_000 + aware.microsecond
