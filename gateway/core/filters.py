"""A filter as a value: comparisons joined by and, or, not. The same shape in canonical and in native fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison. `op` is eq, ne, gt, ge, lt or le; `literal` is the native type of the value, empty on canonical fields."""

    field: str
    op: str
    value: Any
    literal: str = ""


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold; no parts is true."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Some part holds; no parts is false."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Filter


Filter = Compare | And | Or | Not
EVERYTHING = And(())


def compared(where: Filter) -> Iterator[Compare]:
    """Every comparison in a filter."""
    match where:
        case Compare():
            yield where
        case Not(part):
            yield from compared(part)
        case And(parts) | Or(parts):
            for each in parts:
                yield from compared(each)


def with_values(where: Filter, value: Callable[[Compare], Any]) -> Filter:
    """The same filter with other values compared to."""
    match where:
        case Compare():
            return replace(where, value=value(where))
        case Not(part):
            return Not(with_values(part, value))
        case And(parts):
            return And(tuple(with_values(part, value) for part in parts))
        case Or(parts):
            return Or(tuple(with_values(part, value) for part in parts))


def both(*parts: Filter | None) -> Filter:
    """All of the given filters together."""
    kept = tuple(p for p in parts if p is not None and p != EVERYTHING)
    return kept[0] if len(kept) == 1 else And(kept)
