"""From a dialect's plan to what a protocol needs to know of it."""

from __future__ import annotations

from gateway.dialects.resolve import Level, Plan
from gateway.protocols.port import Shape


def shape_of(plan: Plan) -> Shape:
    """The native settings of an object, and every path its dialect reads."""
    return _shape(plan.level, dict(plan.native))


def _shape(level: Level, native: dict[str, object]) -> Shape:
    readable = [e for e in level.entries if e.access != "write_only"]
    paths = tuple(dict.fromkeys(path for e in readable if e.rows is None for path in e.native))
    lists = {e.native[0]: _shape(e.rows, {}) for e in readable if e.rows is not None}
    return Shape(native, paths, lists)
