"""Whether the numbers of a cell's two ERPs stay apart: what their manifests declare, and what the crosswalk has seen of them.

Found before a cell moves, not after. Source: the write protocol, section 1.9.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.control.content import Content
from gateway.control.content_checks import file_of
from gateway.core.canonical import OBJECTS
from gateway.core.crosswalk import NUMBERED, erp_space
from gateway.core.number_ranges import Declared, Outside, Overlap, outside, overlap
from gateway.core.waves import Cell
from gateway.store.crosswalk_bulk import elsewhere, pages
from gateway.store.sql import Database

_SOME = 3
Couple = tuple[Declared, Declared]
"""What the legacy and the cloud ERP of a cell declare of one object; no ranges where one says nothing."""


def couples(content: Content, cells: Iterable[Cell]) -> list[Couple]:
    """Every object that has numbers of its own in the two ERPs of a cell, once. One ERP on both sides gives no number twice."""
    two = ((cell.legacy, cell.cloud, cell.domain) for cell in cells if cell.cloud not in (None, cell.legacy))
    pairs = {(object_, legacy, cloud) for legacy, cloud, domain in two if cloud for object_ in _of(domain)}
    return [
        (declared(content, legacy, object_), declared(content, cloud, object_))
        for object_, legacy, cloud in sorted(pairs)
        if object_ not in content.manifest(legacy).same_numbers + content.manifest(cloud).same_numbers
    ]


def _of(domain: str) -> Iterator[str]:
    return (name for name in NUMBERED if OBJECTS[name].domain == domain)


def declared(content: Content, erp: str, object_: str) -> Declared:
    """What an ERP's manifest says of its numbers of an object, and where."""
    ranges, name = content.manifest(erp).ranges(object_), content.erps[erp].manifest
    if name is None:
        return Declared(object_, erp, (), "")
    place = file_of(content.marks, "manifests", "manifest", name).mistake(("number_ranges", object_), "").place
    return Declared(object_, erp, ranges, place)


def overlaps(found: Iterable[Couple]) -> tuple[Overlap, ...]:
    """The ranges that meet."""
    return tuple(met for one, other in found if (met := overlap(one, other)) is not None)


def unsaid(found: Iterable[Couple]) -> tuple[Declared, ...]:
    """The ERPs that declare no numbers of an object, where the other one does: nobody knows whether these meet."""
    silent = (one if not one.ranges else other for one, other in found if bool(one.ranges) != bool(other.ranges))
    return tuple(dict.fromkeys(silent))


async def strays(database: Database, content: Content, found: Iterable[Couple]) -> tuple[Outside, ...]:
    """The numbers seen that an ERP does not declare. Raises: StoreDown."""
    sides = dict.fromkeys(each for couple in found for each in couple if each.ranges)
    looked = [await _strays(database, content, each) for each in sides]
    return tuple(each for each in looked if each is not None)


async def _strays(database: Database, content: Content, said: Declared) -> Outside | None:
    space, count, some = erp_space(said.erp), 0, list[str]()
    takes_ours = content.manifest(said.erp).rule(said.object, "create").external_number is not None
    async for page in pages(database, said.object, space):
        strange = list(outside(said.ranges, page))
        if strange and takes_ours:
            # What it was given with a create is another ERP's number, of the same document.
            given = await elsewhere(database, said.object, space, strange)
            strange = [number for number in strange if number not in given]
        count += len(strange)
        some += strange[: _SOME - len(some)]
    return Outside(said, count, tuple(some)) if count else None
