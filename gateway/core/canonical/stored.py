"""Canonical documents as text for the journal: exact, and the same values back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson


def dumped(value: Any) -> str:
    """Decimals, dates and times stand as one-member objects that name their kind."""
    return orjson.dumps(value, default=_tagged, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _tagged(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no canonical value: {type(value).__name__}")


def loaded(text: str | bytes) -> Any:
    """What `dumped` was given; tuples come back as lists."""
    return _untagged(orjson.loads(text))


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (name, inner), *_ = value.items()
        match name:
            case "$decimal":
                return Decimal(inner)
            case "$time":
                return datetime.fromisoformat(inner)
            case "$date":
                return date.fromisoformat(inner)
    return {name: _untagged(inner) for name, inner in value.items()}
