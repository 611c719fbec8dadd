"""Number ranges: which numbers an ERP gives by itself, and where those of two ERPs meet. Source: the write protocol, section 1.9. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

_REST = r"([0-9]+)(?:[^0-9A-Za-z].*)?"
"""Digits, and after a separator what more the key has: a year, a count. Leading zeros may be there or not."""


@dataclass(frozen=True, slots=True)
class NumberRange:
    """The numbers from `first` to `last`, after a prefix that does not end in a digit."""

    first: int
    last: int
    prefix: str = ""

    def holds(self, number: str) -> bool:
        """Whether a number, as the ERP or as canonical form writes it, is one of the range."""
        found = re.fullmatch(re.escape(self.prefix) + _REST, number, re.DOTALL)
        return found is not None and self.first <= int(found[1]) <= self.last

    def meets(self, other: NumberRange) -> NumberRange | None:
        """What two ranges share. The width says nothing here: canonical form has no leading zeros."""
        first, last = max(self.first, other.first), min(self.last, other.last)
        return NumberRange(first, last, self.prefix) if self.prefix == other.prefix and first <= last else None

    def __str__(self) -> str:
        return f"{self.prefix}{self.first}..{self.prefix}{self.last}"


def shared(ones: Iterable[NumberRange], others: Iterable[NumberRange]) -> tuple[NumberRange, ...]:
    """All numbers that two ERPs may both give."""
    return tuple(found for one, other in product(ones, others) if (found := one.meets(other)) is not None)


def outside(ranges: Sequence[NumberRange], numbers: Iterable[str]) -> Iterator[str]:
    """The numbers that no range has; none where no range is declared."""
    return (number for number in numbers if ranges and not any(range_.holds(number) for range_ in ranges))


@dataclass(frozen=True, slots=True)
class Declared:
    """What an ERP says of its own numbers of one object, and where it stands: `file:line:column`."""

    object: str
    erp: str
    ranges: tuple[NumberRange, ...]
    place: str

    def __str__(self) -> str:
        return f"{self.erp} has {' and '.join(map(str, self.ranges))} ({self.place})"


@dataclass(frozen=True, slots=True)
class Overlap:
    """Numbers that two ERPs of a cell may both give: for clients they would mean two documents."""

    one: Declared
    other: Declared
    shared: tuple[NumberRange, ...]

    def __str__(self) -> str:
        both = " and ".join(map(str, self.shared))
        return f"{self.one.object}: {self.one} and {self.other}; both may give {both}"


@dataclass(frozen=True, slots=True)
class Outside:
    """Numbers that an ERP has and does not declare, so that nobody knows which ones come next: how many, and some of them."""

    declared: Declared
    count: int
    some: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.declared.object}: {self.declared}, and {self.count} of its numbers lie outside, such as {', '.join(self.some)}"


Unfit = Overlap | Outside


def overlap(one: Declared, other: Declared) -> Overlap | None:
    """What is wrong with the ranges of two ERPs of a cell, if anything."""
    found = shared(one.ranges, other.ranges)
    return Overlap(one, other, found) if found else None
