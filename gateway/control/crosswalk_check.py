"""Whether the number ranges of two ERPs overlap: found before a flip, not after. Source: the write protocol, section 1.9."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from gateway.store.crosswalk_bulk import Clash, Span, clashes, spans
from gateway.store.sql import Database

SHOWN_MOST = 1000


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two ranges of one object that share numbers."""

    object: str
    one: Span
    other: Span

    @property
    def first(self) -> int:
        return max(self.one.first, self.other.first)

    @property
    def last(self) -> int:
        return min(self.one.last, self.other.last)


@dataclass(frozen=True, slots=True)
class Checked:
    """What stands in the way: numbers that mean two documents, and ranges in which the next one may."""

    clashes: Sequence[Clash]
    overlaps: Sequence[Overlap]
    spans: Sequence[Span]

    @property
    def clean(self) -> bool:
        return not self.clashes and not self.overlaps


async def check(database: Database, same_numbers: Iterable[str]) -> Checked:
    """Look through the whole crosswalk.

    Takes: `same_numbers`, objects that have one number in every ERP, whose ranges are one. Raises: StoreDown.
    """
    found = await spans(database)
    ranges = tuple(_overlaps(found, frozenset(same_numbers)))
    return Checked(await clashes(database, SHOWN_MOST), ranges, found)


def _overlaps(found: Sequence[Span], same: frozenset[str]) -> Iterator[Overlap]:
    for one, other in combinations(found, 2):
        if one.object == other.object and one.object not in same and _meet(one, other):
            yield Overlap(one.object, one, other)


def _meet(one: Span, other: Span) -> bool:
    return one.first <= other.last and other.first <= one.last
