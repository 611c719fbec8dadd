"""Whether the number ranges of two ERPs overlap: found before a flip, not after. Source: the write protocol, section 1.9."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from gateway.control import number_ranges
from gateway.control.content import Content
from gateway.core.number_ranges import Declared, Outside
from gateway.core.number_ranges import Overlap as DeclaredOverlap
from gateway.store.crosswalk_bulk import Clash, Span, clashes, places, span_of
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
    """What stands in the way: numbers that mean two documents, and ranges in which the next one may, as seen and as declared.

    `outside`: numbers that an ERP has and does not declare. `unsaid`: ERPs that declare none where the cell's other one does.
    """

    clashes: Sequence[Clash]
    overlaps: Sequence[Overlap]
    spans: Sequence[Span]
    declared: Sequence[DeclaredOverlap]
    outside: Sequence[Outside]
    unsaid: Sequence[Declared]

    @property
    def clean(self) -> bool:
        return not (self.clashes or self.overlaps or self.declared or self.outside)


async def check(database: Database, content: Content) -> Checked:
    """Look through the whole crosswalk, and through what the manifests of all cells' ERPs declare. Raises: StoreDown."""
    same_numbers = {name for manifest in content.manifests.values() for name in manifest.same_numbers}
    found = await places(database)
    pairs = [(one, other) for one, other in combinations(found, 2) if one[0] == other[0]]
    shared = [clash for one, other in pairs for clash in await clashes(database, *one, other[1], SHOWN_MOST)]
    ranges = [await span_of(database, *place) for place in found]
    couples = number_ranges.couples(content, content.cells)
    return Checked(
        shared,
        tuple(_overlaps(ranges, frozenset(same_numbers))),
        ranges,
        number_ranges.overlaps(couples),
        await number_ranges.strays(database, content, couples),
        number_ranges.unsaid(couples),
    )


def _overlaps(found: Sequence[Span], same: frozenset[str]) -> Iterator[Overlap]:
    numeric = [span for span in found if span.count]
    for one, other in combinations(numeric, 2):
        if one.object == other.object and one.object not in same and _meet(one, other):
            yield Overlap(one.object, one, other)


def _meet(one: Span, other: Span) -> bool:
    return one.first <= other.last and other.first <= one.last
