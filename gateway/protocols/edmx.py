"""`$metadata` of OData V2 and V4, read into the neutral form. Source: CSDL 2.0 (MC-CSDL), OData CSDL XML 4.01."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.dialects.metadata import EntityType, Metadata, Property
from gateway.errors import Refused
from gateway.protocols import xml
from gateway.protocols.port import AnswerBroken


def metadata_of(body: bytes) -> Metadata:
    """Read a service's `$metadata`. Raises: AnswerBroken: not XML, a DOCTYPE, too large, or no EDMX."""
    try:
        root = xml.loads(body)
    except Refused as err:
        raise AnswerBroken(f"$metadata: {err.detail}") from err
    if _tag(root) != "Edmx":
        raise AnswerBroken("$metadata is no EDMX document")
    schemas = [node for node in root.iter() if _tag(node) == "Schema"]
    ends = _association_ends(schemas)
    enums = {_attribute(node, "Name") for node in _all(schemas, "EnumType")}
    types = {name: found for node in _all(schemas, "EntityType") for name, found in [_entity_type(node, ends, enums)]}
    sets = {
        _attribute(node, "Name"): _local(_attribute(node, "EntityType"))
        for container in _all(schemas, "EntityContainer")
        for node in _children(container, "EntitySet")
    }
    bases = {_attribute(n, "Name"): _local(n.get("BaseType")) for n in _all(schemas, "EntityType") if n.get("BaseType")}
    return Metadata({name: _inherited(name, types, bases) for name in types}, sets, dict(_operations(schemas)))


def _tag(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]


def _children(node: Any, tag: str) -> Iterator[Any]:
    return (child for child in node if _tag(child) == tag)


def _all(schemas: list[Any], tag: str) -> Iterator[Any]:
    return (child for schema in schemas for child in _children(schema, tag))


def _attribute(node: Any, name: str) -> str:
    value = node.get(name)
    if not value:
        raise AnswerBroken(f"$metadata: {_tag(node)} without {name}")
    return str(value)


def _local(name: str) -> str:
    """The name without its namespace, and without Collection()."""
    return name.removeprefix("Collection(").removesuffix(")").rpartition(".")[2]


def _entity_type(node: Any, ends: Mapping[tuple[str, str], str], enums: set[str]) -> tuple[str, EntityType]:
    name = _attribute(node, "Name")
    keys = tuple(_attribute(ref, "Name") for key in _children(node, "Key") for ref in _children(key, "PropertyRef"))
    properties = {_attribute(p, "Name"): _property(p, enums) for p in _children(node, "Property")}
    navigations = {_attribute(n, "Name"): _target(n, ends) for n in _children(node, "NavigationProperty")}
    return name, EntityType(name, keys, properties, navigations)


def _property(node: Any, enums: set[str]) -> Property:
    kind = _attribute(node, "Type")
    return Property(
        _attribute(node, "Name"),
        "enum" if _local(kind) in enums else kind,
        nullable=node.get("Nullable", "true") != "false",
        max_length=_whole(node.get("MaxLength")) or 0,
        scale=_whole(node.get("Scale")),
    )


def _whole(text: str | None) -> int | None:
    """A facet as a number; `max` and `variable` set no limit."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _target(node: Any, ends: Mapping[tuple[str, str], str]) -> str:
    if node.get("Type"):
        return _local(node.get("Type"))
    return ends.get((_local(node.get("Relationship", "")), node.get("ToRole", "")), "")


def _association_ends(schemas: list[Any]) -> dict[tuple[str, str], str]:
    """V2 names the other end of a navigation by association and role."""
    return {
        (_attribute(association, "Name"), end.get("Role", "")): _local(end.get("Type", ""))
        for association in _all(schemas, "Association")
        for end in _children(association, "End")
    }


def _inherited(name: str, types: Mapping[str, EntityType], bases: Mapping[str, str]) -> EntityType:
    """A type with what its base types declare."""
    chain = [name]
    while (base := bases.get(chain[-1], "")) in types and base not in chain:
        chain.append(base)
    found = [types[step] for step in reversed(chain)]
    return EntityType(
        name,
        tuple(key for t in found for key in t.keys),
        {k: v for t in found for k, v in t.properties.items()},
        {k: v for t in found for k, v in t.navigations.items()},
    )


def _operations(schemas: list[Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Function imports of V2; actions and functions of V4."""
    imports = (node for c in _all(schemas, "EntityContainer") for node in _children(c, "FunctionImport"))
    for node in (*imports, *_all(schemas, "Action"), *_all(schemas, "Function")):
        yield _attribute(node, "Name"), tuple(_attribute(p, "Name") for p in _children(node, "Parameter"))
