"""How an entity is declared: one row per property, one column per ERP, compiled into what a face serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal

Face = Literal["legacy", "cloud", "d365"]
Value = str | int | bool | Decimal | date | datetime | time | None
Row = dict[str, Value]
Key = tuple[str | int, ...]

ABSENT = "-"  # this ERP does not have the property
SAME = "="  # the cloud ERP kept the legacy ERP's name


@dataclass(frozen=True, slots=True)
class Kind:
    """What a property holds. `size` is characters or digits; `wide` is the size in the newer ERPs where it grew."""

    base: Literal["text", "decimal", "flag", "date", "time", "stamp", "instant", "whole"]
    size: int = 0
    scale: int = 0
    wide: int = 0

    def at(self, face: Face) -> Kind:
        size = self.wide if self.wide and face != "legacy" else self.size
        return Kind(self.base, size, self.scale)

    @property
    def initial(self) -> Value:
        return _INITIAL[self.base]


_INITIAL: Mapping[str, Value] = {
    "text": "",
    "decimal": Decimal(0),
    "flag": False,
    "date": None,
    "time": time(0),
    "stamp": None,
    "instant": None,
    "whole": 0,
}


def text(size: int) -> Kind:
    return Kind("text", size)


ITEM = Kind("text", 18, wide=40)  # MATNR grew from 18 to 40 characters
QTY = Kind("decimal", 13, 3)
MONEY = Kind("decimal", 16, 2)
FLAG = Kind("flag")
DATE = Kind("date")  # V2 Edm.DateTime at midnight, V4 Edm.Date
TIME = Kind("time")
STAMP = Kind("stamp")  # V2 Edm.DateTime, V4 Edm.DateTimeOffset
INSTANT = Kind("instant")  # Edm.DateTimeOffset in both
WHOLE = Kind("whole")
RECORD = Kind("whole", 64)  # D365 numbers every row of a table; V4 Edm.Int64

Column = tuple[str, Kind, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Property:
    """One property as one ERP serves it. `field` is the engine's word for it, `name` the wire's."""

    field: str
    name: str
    kind: Kind
    traits: frozenset[str]

    def has(self, trait: str) -> bool:
        return trait in self.traits


@dataclass(frozen=True, slots=True)
class Table:
    """An entity in all ERPs: its columns, and per ERP (service, set name, name of the parent's navigation to it)."""

    role: str
    columns: tuple[Column, ...]
    legacy: tuple[str, str, str] | None = None
    cloud: tuple[str, str, str] | None = None
    d365: tuple[str, str, str] | None = None
    parent: str | None = None
    can: frozenset[str] = frozenset({"create", "update"})


@dataclass(frozen=True, slots=True)
class Action:
    """A verb that is not create, read, update or delete. `arguments` are properties beside the key."""

    role: str
    verb: str
    legacy: str = ABSENT
    cloud: str = ABSENT
    d365: str = ABSENT
    arguments: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class EntityType:
    """A table as one face serves it."""

    role: str
    service: str
    set_name: str
    type_name: str
    parent: str | None
    navigation: str
    can: frozenset[str]
    properties: tuple[Property, ...]
    hidden: Mapping[str, Kind]
    by_name: Mapping[str, Property] = field(default_factory=dict)
    by_field: Mapping[str, Property] = field(default_factory=dict)
    keys: tuple[Property, ...] = ()
    etag: Property | None = None
    indexed: tuple[str, ...] = ()
    children: dict[str, EntityType] = field(default_factory=dict)

    def key_of(self, row: Row) -> Key:
        return tuple(row[p.field] for p in self.keys)  # type: ignore[misc]

    def blank(self) -> Row:
        row: Row = {p.field: p.kind.initial for p in self.properties}
        row.update({name: kind.initial for name, kind in self.hidden.items()})
        return row


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Everything one face serves."""

    face: Face
    types: Mapping[str, EntityType]
    services: Mapping[str, Mapping[str, EntityType]]
    actions: Mapping[tuple[str, str], Action]

    def actions_of(self, service: str) -> list[tuple[str, Action]]:
        return [(name, action) for (of, name), action in self.actions.items() if of == service]


def compiled(face: Face, tables: tuple[Table, ...], actions: tuple[Action, ...]) -> Model:
    """The declarations as `face` serves them."""
    types = {t.role: e for t in tables if (e := _entity(face, t)) is not None}
    for entity in types.values():
        if entity.parent and entity.navigation:
            types[entity.parent].children[entity.navigation] = entity
    services: dict[str, dict[str, EntityType]] = {}
    for entity in types.values():
        services.setdefault(entity.service, {})[entity.set_name] = entity
    named = ((a, getattr(a, face)) for a in actions)
    served = {(types[a.role].service, name): a for a, name in named if name != ABSENT}
    return Model(face, types, services, served)


def _entity(face: Face, table: Table) -> EntityType | None:
    place: tuple[str, str, str] | None = getattr(table, face)
    if place is None:
        return None
    service, set_name, navigation = place
    properties = tuple(p for c in table.columns if (p := _property(face, c)) is not None)
    names = {p.field for p in properties}
    hidden = {c[0]: c[1] for c in table.columns if c[0] not in names and "engine" in c[5].split()}
    type_name = f"{set_name}Type" if face != "d365" else set_name.removesuffix("s")
    return EntityType(
        table.role, service, set_name, type_name, table.parent, navigation, table.can, properties, hidden,
        by_name={p.name: p for p in properties},
        by_field={p.field: p for p in properties},
        keys=tuple(p for p in properties if p.has("key")),
        etag=next((p for p in properties if p.has("etag")), None),
        indexed=tuple(p.field for p in properties if p.has("index")),
    )  # fmt: skip


def _property(face: Face, column: Column) -> Property | None:
    name, kind, legacy, cloud, d365, traits = column
    wire: Any = {"legacy": legacy, "cloud": legacy if cloud == SAME else cloud, "d365": d365}[face]
    if wire == ABSENT:
        return None
    return Property(name, wire, kind.at(face), frozenset(traits.split()))
