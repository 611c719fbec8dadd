"""The canonical model: one shape per business object, in no ERP's words. `OBJECTS` is the list of all there is.

Each object says its domain, its scope (of a plant or of the enterprise) and which field is its key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, get_args

from pydantic.fields import FieldInfo

from gateway.core.canonical.inventory import InventoryPosition, Movement
from gateway.core.canonical.items import Item, ItemPlant
from gateway.core.canonical.kinds import Canonical, Kind
from gateway.core.canonical.orders import Confirmation, ProductionOrder
from gateway.core.canonical.procurement import PurchaseOrder, Receipt

Document = dict[str, Any]
Scope = Literal["plant", "enterprise"]
DOMAINS = ("production", "inventory", "procurement", "quality", "master_data", "logistics", "finance")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a canonical object: a scalar of `kind`, or a list whose rows have `rows`."""

    name: str
    kind: Kind | None
    required: bool
    rows: tuple[FieldSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """A canonical object: its place in the business and its fields.

    `key` is the field that names a document within its cell; `plant_of_lines` is the list whose rows tell the document's plant;
    `plants` are the paths of all fields that name plants beside the document's own.
    """

    name: str
    model: type[Canonical]
    domain: str
    scope: Scope
    key: str
    plant_of_lines: str | None = None
    fields: tuple[FieldSpec, ...] = field(default=())
    plants: tuple[tuple[str, ...], ...] = ()

    def field(self, name: str) -> FieldSpec:
        return next(f for f in self.fields if f.name == name)


def _kind(info: FieldInfo) -> Kind | None:
    found = [m for m in info.metadata if isinstance(m, Kind)]
    for arg in get_args(info.annotation):
        found += [m for m in getattr(arg, "__metadata__", ()) if isinstance(m, Kind)]
    return found[0] if found else None


def _row_model(info: FieldInfo) -> type[Canonical] | None:
    for arg in (info.annotation, *get_args(info.annotation)):
        for inner in get_args(arg):
            if isinstance(inner, type) and issubclass(inner, Canonical):
                return inner
    return None


def field_specs(model: type[Canonical]) -> tuple[FieldSpec, ...]:
    """Read a model's fields as data."""
    specs = []
    for name, info in model.model_fields.items():
        row = _row_model(info)
        rows = field_specs(row) if row else ()
        specs.append(FieldSpec(name, None if row else _kind(info), info.is_required(), rows))
    return tuple(specs)


def _object(name: str, model: type[Canonical], domain: str, **more: Any) -> ObjectSpec:
    more = {"scope": "plant", "key": "id"} | more
    fields = field_specs(model)
    return ObjectSpec(name, model, domain, fields=fields, plants=tuple(_plants(fields)), **more)


def _plants(fields: tuple[FieldSpec, ...]) -> Iterator[tuple[str, ...]]:
    for spec in fields:
        if spec.name.endswith("_plant"):
            yield (spec.name,)
        if any(row.name == "plant" for row in spec.rows):
            yield (spec.name, "plant")


def values_at(document: Document, path: tuple[str, ...]) -> Iterator[str]:
    """The texts at a path: of a field, or of a field of each row of a list."""
    if len(path) == 1:
        yield document.get(path[0]) or ""
        return
    for row in document.get(path[0]) or ():
        yield row.get(path[1]) or ""


OBJECTS = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            _object("production_order", ProductionOrder, "production"),
            _object("confirmation", Confirmation, "production"),
            _object("item", Item, "master_data", scope="enterprise"),
            _object("item_plant", ItemPlant, "master_data", key="item"),
            _object("inventory_position", InventoryPosition, "inventory"),
            _object("movement", Movement, "inventory", plant_of_lines="lines"),
            _object("purchase_order", PurchaseOrder, "procurement", plant_of_lines="lines"),
            _object("receipt", Receipt, "procurement", plant_of_lines="lines"),
        )
    }
)
