"""What really happened in an ERP, whatever it answered: an append-only log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from gateway.sim.erps.declare import EntityType, Row, Value

Origin = Literal["api", "derived", "screen"]
Verb = Literal["create", "update", "delete"]
Plain = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a change is made: who sent it, and the identifiers its request carried."""

    origin: Origin = "api"
    user: str = "GATEWAY"
    request: str = ""
    references: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One committed change of one row. `unit` is shared by what was committed together.

    Rows are never edited in place, so the entry holds them as they were and renders them when it is read.
    """

    seq: int
    at: str
    erp: str
    unit: int
    type: EntityType
    verb: Verb
    row_before: Row | None
    row_after: Row | None
    origin: Origin
    user: str
    request: str
    references: dict[str, str]

    @property
    def entity(self) -> str:
        """The entity set, as it stands in URLs."""
        return self.type.set_name

    @property
    def key(self) -> dict[str, Plain]:
        row = self.row_after or self.row_before or {}
        return {p.name: plain(row[p.field]) for p in self.type.keys}

    @property
    def before(self) -> dict[str, Plain] | None:
        return plain_row(self.type, self.row_before)

    @property
    def after(self) -> dict[str, Plain] | None:
        """The row in the ERP's own names; None when it was deleted."""
        return plain_row(self.type, self.row_after)

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _SHOWN}


_SHOWN = (
    "seq",
    "at",
    "erp",
    "unit",
    "entity",
    "key",
    "verb",
    "before",
    "after",
    "origin",
    "user",
    "request",
    "references",
)


def plain(value: Value, scale: int = 3) -> Plain:
    """`value` as JSON can hold it exactly: decimals (with their declared scale) and moments are text."""
    if isinstance(value, Decimal):
        return f"{value:.{scale}f}"
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return value


def plain_row(entity: EntityType, row: Row | None) -> dict[str, Plain] | None:
    return None if row is None else {p.name: plain(row[p.field], p.kind.scale) for p in entity.properties}
