"""W3C Trace Context: one valid `traceparent` is taken up, anything else starts a new trace. Source: W3C Trace Context, level 1."""

from __future__ import annotations

import re

_PARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)


def continued(given: str | None, new_id: str) -> str:
    """The traceparent of our own span.

    Takes: `new_id`, 32 random hex digits; the first half names the span, all of it a new trace.
    """
    found = _PARENT.fullmatch(given) if given else None
    if found and found[1].strip("0") and found[2].strip("0"):
        return f"00-{found[1]}-{new_id[:16]}-{found[3]}"
    return f"00-{new_id}-{new_id[:16]}-01"
