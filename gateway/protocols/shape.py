"""From a dialect's plan to what a protocol needs to know of it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.dialects.resolve import Entry, Level, Plan
from gateway.protocols.port import Shape


def shape_of(plan: Plan) -> Shape:
    """The native settings of an object, and every path its dialect reads."""
    return _shape(plan.level, dict(plan.native))


def _shape(level: Level, native: dict[str, object]) -> Shape:
    readable = [e for e in level.entries if e.access != "write_only"]
    paths = tuple(dict.fromkeys(path for e in readable if not _is_list(e) for path in e.native))
    return Shape(native, paths, dict(_lists(readable)))


def _is_list(entry: Entry) -> bool:
    return entry.rows is not None or (entry.codec is not None and bool(entry.codec.rows))


def _lists(entries: list[Entry]) -> Iterator[tuple[tuple[str, ...], Shape]]:
    for entry in entries:
        if entry.rows is not None:
            yield entry.native[0], _shape(entry.rows, {})
        elif entry.codec is not None and entry.codec.rows:
            yield entry.native[0], Shape({}, tuple((name,) for name in entry.codec.rows))
