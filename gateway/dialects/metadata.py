"""What a system says of itself, in no protocol's words: the sets, properties and operations a dialect relies on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Property:
    """One property. `type` is the protocol's name (`Edm.String`, `char`), or `enum`; 0 and None are no limit."""

    name: str
    type: str
    nullable: bool = True
    max_length: int = 0
    scale: int | None = None
    words: tuple[str, ...] = ()
    """Of a closed list: all that may stand there; empty where nobody says."""


@dataclass(frozen=True, slots=True)
class EntityType:
    """The properties of a document or row, and the navigations to further types by name."""

    name: str
    keys: tuple[str, ...]
    properties: Mapping[str, Property]
    navigations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Metadata:
    """One service: its types, which type each entity set holds, and the parameters of each operation."""

    types: Mapping[str, EntityType]
    sets: Mapping[str, str]
    operations: Mapping[str, tuple[str, ...]]

    def of_set(self, name: str) -> EntityType | None:
        return self.types.get(self.sets.get(name, ""))
