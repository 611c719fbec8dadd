"""Whether the two ERPs hold the same documents: their own rows field by field, in the words of the ERPs' tables.

It uses no dialect, so a wrong one cannot hide. What an ERP numbers or stamps by itself is its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.sim.erps.declare import EntityType, Face
from gateway.sim.erps.masters import Masters
from gateway.sim.erps.tables import model_of

Log = list[dict[str, Any]]
Row = dict[str, Any]
FACES: tuple[Face, Face] = ("legacy", "cloud")
_STAMPS = frozenset({"created_on", "created_at", "created_by", "changed_at", "changed_on", "changed_by", "entered_on",
                     "entered_at", "entered_by"})  # fmt: skip
_OWN: Mapping[str, frozenset[str]] = {
    "order": frozenset({"order", "gateway_id", "actual_start", "actual_start_time", "actual_end", "actual_release"}),
    "operation": frozenset({"order", "group"}),
    "component": frozenset({"order", "reservation"}),
    "confirmation": frozenset({"order", "group", "count", "document", "document_year", "posting_date", "start", "end"}),
    "movement_item": frozenset({"order", "document", "document_year"}),
}
"""Per table what each ERP has its own of: numbers, and days by its own clock."""


@dataclass(slots=True)
class Document:
    """An order with all that belongs to it: table -> rows in the engine's words, in one order."""

    rows: dict[str, list[Row]] = field(default_factory=dict)


def diverged(logs: Mapping[str, Log], references: list[str]) -> dict[str, str]:
    """The orders that are not the same in both ERPs, or not once in each. Gives: reference -> what differs."""
    legacy, cloud = (_documents(logs[face], face) for face in FACES)
    found = {}
    for reference in references:
        one, other = legacy.get(reference, []), cloud.get(reference, [])
        if (len(one), len(other)) != (1, 1):
            found[reference] = f"{len(one)} in the legacy ERP, {len(other)} in the cloud ERP"
        elif words := next(_differences(one[0], other[0]), None):
            found[reference] = words
    return found


def _differences(one: Document, other: Document) -> Iterator[str]:
    for role in _OWN:
        here, there = one.rows.get(role, []), other.rows.get(role, [])
        if len(here) != len(there):
            yield f"{len(here)} {role} rows here, {len(there)} there"
        for row, twin in zip(here, there, strict=False):
            yield from (f"{role}.{name}: {row[name]!r} / {twin[name]!r}" for name in row if row[name] != twin[name])


def _documents(log: Log, face: Face) -> dict[str, list[Document]]:
    """The orders of an ERP as they stand at the end of its log, by reference."""
    now: dict[tuple[str, str], Row] = {}
    for entry in log:
        place = (entry["entity"], str(sorted(entry["key"].items())))
        if entry["after"] is None:
            now.pop(place, None)
        else:
            now[place] = entry["after"]
    by_number: dict[str, Document] = {}
    found: dict[str, list[Document]] = {}
    types = model_of(face).types
    for row in _of(now, types["order"]):
        document = by_number[row["order"]] = Document()
        found.setdefault(row["reference"], []).append(document)
    for role in _OWN:
        for row in _of(now, types[role]):
            if (document_ := by_number.get(row["order"])) is not None:
                document_.rows.setdefault(role, []).append(_comparable(row, role, face))
    for document in by_number.values():
        for rows in document.rows.values():
            rows.sort(key=lambda row: str(sorted(row.items())))
    return found


def _of(now: Mapping[tuple[str, str], Row], entity: EntityType) -> Iterator[Row]:
    """The rows of a table, in the engine's words."""
    for (set_name, _), native in now.items():
        if set_name == entity.set_name:
            yield {p.field: native[p.name] for p in entity.properties}


def _comparable(row: Row, role: str, face: Face) -> Row:
    """What both ERPs must agree on, in one spelling: units by their ISO code, numbers of items and lines without zeros."""
    mine, twin = (model_of(f).types[role].by_field for f in (face, "cloud" if face == "legacy" else "legacy"))
    names = mine.keys() & twin.keys() - _OWN[role] - _STAMPS
    return {name: _plain(name, row[name], mine[name].has("unit") or name == "unit", face) for name in sorted(names)}


def _plain(name: str, value: Any, is_unit: bool, face: Face) -> Any:
    if is_unit:
        return Masters(face).units.get(value, value)
    return value.lstrip("0") if name in ("item", "line") else value
