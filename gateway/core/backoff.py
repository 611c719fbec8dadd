"""How long to wait before the next try."""

from __future__ import annotations

FIRST_S, MOST_S = 0.5, 60.0


def wait_s(attempts: int, chance: float, asked_s: float | None = None) -> float:
    """Seconds until the next try: doubled each time, spread by chance, never before the peer's own `Retry-After`.

    Takes: `attempts` so far, from 0; `chance`, a random number in [0, 1).
    """
    most = min(MOST_S, FIRST_S * 2 ** min(attempts, 16))
    # Half fixed and half by chance: a thousand lanes that failed together do not come back together.
    return float(max(asked_s or 0.0, most * (0.5 + chance / 2)))
