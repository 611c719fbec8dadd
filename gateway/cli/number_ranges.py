"""How commands tell of number ranges that do not fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.core.number_ranges import Declared, Overlap, Unfit


def unfit(found: Unfit) -> dict[str, Any]:
    """One mistake as data."""
    if isinstance(found, Overlap):
        shared = [str(range_) for range_ in found.shared]
        return {"object": found.one.object, "shared": shared, "ranges": [_said(found.one), _said(found.other)]}
    return {
        "object": found.declared.object, "numbers": found.count, "some": list(found.some), "ranges": [_said(found.declared)],
    }  # fmt: skip


def _said(declared: Declared) -> dict[str, Any]:
    return {"erp": declared.erp, "ranges": [str(range_) for range_ in declared.ranges], "declared_at": declared.place}


def refusal(found: Iterable[Unfit]) -> str:
    """What holds an apply up, and what can be done about it."""
    lines = "\n".join(f"  {each}" for each in found)
    help_ = (
        "Give one of the ERPs another range, and declare the numbers that there are (number_ranges of its manifest); "
        "`changeover crosswalk check` looks at all of them."
    )
    return f"Numbers of two ERPs that clients could not tell apart:\n{lines}\n{help_}"
