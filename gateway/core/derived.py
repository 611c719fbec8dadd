"""Documents that two ERPs derived by themselves, compared line by line: what is equal is paired, what is left is named. Pure.

Two ERPs never derive at the same moment, nor always in documents of the same size: so lines are paired, not documents, and of equal
ones the oldest first. Source: the write protocol, section 1.10.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from gateway.core.canonical import Document


class Line(NamedTuple):
    """What one line of a derived document moved, in canonical form and in the numbers that clients know."""

    type: str
    item: str
    quantity: Decimal
    unit: str

    def __str__(self) -> str:
        return f"{self.type} {self.quantity.normalize():f} {self.unit} of {self.item}".strip()


@dataclass(frozen=True, slots=True)
class Record:
    """A document that an ERP derived: its number there, when it was first seen, and its lines.

    `last`: it is known to stand alone (a case names it, or it was there before anybody looked), so that others are paired before it.
    """

    erp: str
    key: str
    seen_us: int
    lines: tuple[Line, ...]
    last: bool = False


@dataclass(frozen=True, slots=True)
class Paired:
    """`equal`: records whose every line has its counterpart. `left`: those with a line that the other ERP has not, the newest first.

    What is in neither is held by a record that is left: its counterpart has more lines.
    """

    equal: tuple[Record, ...]
    left: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Deriving:
    """A write from which ERPs derive documents.

    `both`: it is done in both ERPs; `open`: one of them is still owed it, or got it too lately for what it derived to be seen.
    """

    intent: str
    amounts: frozenset[tuple[Decimal, str | None]]
    both: bool
    open: bool = False


def lines_of(document: Document) -> tuple[Line, ...]:
    """What a document moved: its lines, or itself."""
    rows = document.get("lines") or (document,)
    made = [
        Line(
            str(row.get("type") or ""),
            str(row.get("item") or ""),
            row.get("quantity") or Decimal(0),
            str(row.get("unit") or ""),
        )
        for row in rows
    ]
    return tuple(sorted(made))


def amounts_of(document: Document) -> frozenset[tuple[Decimal, str | None]]:
    """The quantities that a document says, with their units where it says those."""
    rows = document.get("lines") or (document,)
    return frozenset((row["quantity"], row.get("unit")) for row in rows if row.get("quantity") is not None)


def paired(records: Iterable[Record]) -> Paired:
    """Compare all records of two ERPs that refer to the same document."""
    rest, equal = _whole(sorted(records, key=_age))
    links, short = _by_lines(rest)
    held = _reached(short, links)
    left = [record for place, record in enumerate(rest) if place in short]
    equal += [record for place, record in enumerate(rest) if place not in held]
    return Paired(tuple(equal), tuple(sorted(left, key=lambda record: record.seen_us, reverse=True)))


def _age(record: Record) -> tuple[bool, int, str, str]:
    return record.last, record.seen_us, record.erp, record.key


def _whole(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """Whole documents that are alike, the oldest first. Gives: the rest, and those paired."""
    waiting: dict[tuple[Line, ...], list[Record]] = defaultdict(list)
    equal = []
    for record in records:
        alike = waiting[tuple(sorted(record.lines))]
        if alike and alike[0].erp != record.erp:
            equal += [alike.pop(0), record]
        else:
            alike.append(record)
    rest = [record for alike in waiting.values() for record in alike]
    return sorted(rest, key=_age), equal


def _by_lines(records: Sequence[Record]) -> tuple[Mapping[int, set[int]], set[int]]:
    """Pair lines. Gives: which records, by their place, hold counterparts of which; and those with a line that has none."""
    waiting: dict[Line, list[int]] = defaultdict(list)
    links: dict[int, set[int]] = defaultdict(set)
    for place, record in enumerate(records):
        for line in record.lines:
            alike = waiting[line]
            if alike and records[alike[0]].erp != record.erp:
                other = alike.pop(0)
                links[place].add(other)
                links[other].add(place)
            else:
                alike.append(place)
    return links, {place for places in waiting.values() for place in places}


def _reached(starts: Iterable[int], links: Mapping[int, set[int]]) -> set[int]:
    found, ahead = set[int](), list(starts)
    while ahead:
        place = ahead.pop()
        if place not in found:
            found.add(place)
            ahead += links.get(place, ())
    return found


def attributed(left: Iterable[Record], deriving: Sequence[Deriving]) -> dict[Record, Deriving | None]:
    """From which write each record that is left was derived, as far as quantities tell. Takes: both with the newest first.

    One that only this ERP has carried out is why its record is alone. Of others the newest is meant: older ones are paired.
    """
    found: dict[Record, Deriving | None] = {}
    by_erp: dict[str, list[Record]] = defaultdict(list)
    for record in left:
        by_erp[record.erp].append(record)
    for records in by_erp.values():
        free = sorted(deriving, key=lambda write: write.both)
        for record in records:
            if (write := next((w for w in free if _fits(record, w)), None)) is not None:
                found[record] = write
                free.remove(write)
    for records in by_erp.values():
        _assign(records, found, [write for write in deriving if write.both])
    return found


def _fits(record: Record, write: Deriving) -> bool:
    return any((line.quantity, unit) in write.amounts for line in record.lines for unit in (line.unit, None))


def _assign(records: Sequence[Record], found: dict[Record, Deriving | None], deriving: Sequence[Deriving]) -> None:
    """Records whose quantities no write explains: the counterpart of a record that the other ERP has alone comes first."""
    mine = {write.intent for record in records if (write := found.get(record)) is not None}
    alone = {write.intent for record, write in found.items() if write is not None and record not in records}
    free = sorted(
        (write for write in deriving if write.intent not in mine), key=lambda write: write.intent not in alone
    )
    for record in records:
        if record not in found:
            found[record] = free.pop(0) if free else None


def told(records: Sequence[Record], object_: str) -> str:
    """Documents in words: their numbers and what they moved."""
    return "; ".join(f"{object_} {record.key} ({', '.join(map(str, record.lines))})" for record in records)
