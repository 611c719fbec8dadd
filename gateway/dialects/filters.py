"""Filters across a dialect: from a dialect's fields to canonical ones, and on to another dialect's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.core.filters import And, Compare, Filter, Not, Or
from gateway.dialects.resolve import Entry, Plan


class Unfilterable(Exception):
    """The field cannot be compared this way in this dialect."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field, self.reason = field, reason


def to_native(plan: Plan, where: Filter) -> Filter:
    """Say a canonical filter in the dialect's fields. Raises: Unfilterable."""
    return _mapped(where, lambda c: _native(plan, c))


def _mapped(where: Filter, leaf: Callable[[Compare], Filter]) -> Filter:
    match where:
        case Compare():
            return leaf(where)
        case Not(part):
            return Not(_mapped(part, leaf))
        case And(parts):
            return And(tuple(_mapped(p, leaf) for p in parts))
        case Or(parts):
            return Or(tuple(_mapped(p, leaf) for p in parts))


def _native(plan: Plan, compare: Compare) -> Filter:
    entry = plan.level.entry(compare.field)
    if entry is None or entry.codec is None:
        raise Unfilterable(compare.field, "the system behind this plant has no such field to filter on")
    return _native_of(entry, compare)


def _native_of(entry: Entry, compare: Compare) -> Filter:
    assert entry.codec is not None  # noqa: S101  # the callers have looked
    if entry.codec.alone:
        return _alone(entry, compare)
    if entry.codec.canonical > 1:
        raise Unfilterable(compare.field, "the field is kept together with another one")
    if not entry.codec.comparable or entry.access == "write_only":
        raise Unfilterable(compare.field, "the system behind this plant cannot search by this field")
    if len(entry.native) > 1:
        return _split(entry, compare)
    if entry.codec.known and compare.op in ("eq", "ne"):
        return _listed(entry, compare)
    if compare.op not in ("eq", "ne") and not entry.codec.ordered:
        raise Unfilterable(compare.field, "the field has no order")
    leaf = _leaf(entry, 0, compare.op, _encoded(entry, compare))
    if compare.op in ("eq", "ne") or entry.codec.blank is None:
        return leaf
    # What means null would stand before or behind every value.
    return And((_leaf(entry, 0, "ne", entry.codec.blank), leaf))


def _alone(entry: Entry, compare: Compare) -> Filter:
    """One of several fields that are kept together, where it also stands in a native field of its own."""
    assert entry.codec is not None  # noqa: S101  # the caller has looked
    index, codec = entry.codec.alone[entry.canonical.index(compare.field)]
    single = Entry((compare.field,), (entry.native[index],), codec, entry.access)
    return _native_of(single, compare)


def _encoded(entry: Entry, compare: Compare) -> Any:
    assert entry.codec is not None  # noqa: S101  # the caller has looked
    if compare.value is None:
        return entry.codec.blank
    try:
        return entry.codec.encode(compare.value)
    except ValueError as err:
        raise Unfilterable(compare.field, str(err)) from err


def _leaf(entry: Entry, index: int, op: str, value: Any) -> Compare:
    assert entry.codec is not None  # noqa: S101  # the caller has looked
    literal = entry.codec.literals[index] if entry.codec.literals else entry.codec.literal
    return Compare(".".join(entry.native[index]), op, value, literal)


def _listed(entry: Entry, compare: Compare) -> Filter:
    """A word of a closed list: all native words that read as it."""
    assert entry.codec is not None  # noqa: S101  # the caller has looked
    if compare.value is None:
        return _leaf(entry, 0, compare.op, entry.codec.blank)
    words = dict(entry.codec.known).get(compare.value, ())
    equal = tuple(_leaf(entry, 0, "eq", word) for word in words)
    found: Filter = equal[0] if len(equal) == 1 else Or(equal)
    return found if compare.op == "eq" else Not(found)


def _split(entry: Entry, compare: Compare) -> Filter:
    codec = entry.codec
    assert codec is not None  # noqa: S101  # the caller has looked
    if codec.known:
        return _flags(entry, compare)
    values = _encoded(entry, compare) or (None,) * len(entry.native)
    equal = And(tuple(_leaf(entry, i, "eq", v) for i, v in enumerate(values)))
    if compare.op in ("eq", "ne"):
        return equal if compare.op == "eq" else Not(equal)
    if not codec.ordered:
        raise Unfilterable(compare.field, "the field has no order")
    first, *rest = values
    strict = compare.op[0] + "t"
    later = And((_leaf(entry, 0, "eq", first), *(_leaf(entry, i + 1, compare.op, v) for i, v in enumerate(rest))))
    return Or((_leaf(entry, 0, strict, first), later))


def _flags(entry: Entry, compare: Compare) -> Filter:
    """A state is read when its flags hold and no stronger state's do."""
    assert entry.codec is not None  # noqa: S101  # the caller has looked
    if compare.op not in ("eq", "ne"):
        raise Unfilterable(compare.field, "the field has no order")
    states = [(state, needed[0]) for state, needed in entry.codec.known]
    if compare.value is None:
        no_state = And(tuple(Not(_holds(entry, needed)) for _, needed in states))
        return no_state if compare.op == "eq" else Not(no_state)
    if compare.value not in dict(states):
        raise Unfilterable(compare.field, f"the system has no state {compare.value!r}")
    place = [state for state, _ in states].index(compare.value)
    stronger = tuple(Not(_holds(entry, needed)) for _, needed in states[place + 1 :])
    found = And((_holds(entry, states[place][1]), *stronger))
    return found if compare.op == "eq" else Not(found)


def _holds(entry: Entry, needed: tuple[bool, ...]) -> Filter:
    parts = tuple(_leaf(entry, i, "eq", value=True) for i, flag in enumerate(needed) if flag)
    return parts[0] if len(parts) == 1 else And(parts)
