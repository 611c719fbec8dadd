"""`$metadata` of an OData V4 service, generated from the declarations."""

from __future__ import annotations

from functools import cache
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from gateway.sim.erps.declare import RECORD, EntityType, Model, Property

Element = Any  # lxml ships no types

EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
EDM = "http://docs.oasis-open.org/odata/ns/edm"
CORE = "https://oasis-tcs.github.io/odata-vocabularies/vocabularies/Org.OData.Core.V1.xml"

TYPES = {
    "text": "Edm.String", "decimal": "Edm.Decimal", "flag": "Edm.Boolean", "date": "Edm.Date",
    "stamp": "Edm.DateTimeOffset", "instant": "Edm.DateTimeOffset", "time": "Edm.TimeOfDay", "whole": "Edm.Int32",
}  # fmt: skip


def namespace(model: Model, service: str) -> str:
    return "Microsoft.Dynamics.DataEntities" if model.face == "d365" else f"com.sap.gateway.srvd_a2x.{service}.v0001"


@cache
def metadata4(model: Model, service: str) -> bytes:
    edmx = etree.Element(f"{{{EDMX}}}Edmx", {"Version": "4.0"}, nsmap={"edmx": EDMX})
    reference = etree.SubElement(edmx, f"{{{EDMX}}}Reference", {"Uri": CORE})
    etree.SubElement(reference, f"{{{EDMX}}}Include", {"Namespace": "Org.OData.Core.V1", "Alias": "Core"})
    services = etree.SubElement(edmx, f"{{{EDMX}}}DataServices")
    space = namespace(model, service)
    names = {"Namespace": space, "Alias": "SAP__self"}
    schema = etree.SubElement(services, f"{{{EDM}}}Schema", names, nsmap={None: EDM})
    entities = list(model.services[service].values())
    for entity in entities:
        _entity_type(schema, space, entity)
    for name, action in model.actions_of(service):
        _action(schema, space, name, model.types[action.role], action.arguments)
    _container(schema, space, service, entities)
    written: bytes = etree.tostring(edmx, xml_declaration=True, encoding="utf-8")
    return written


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return etree.SubElement(parent, f"{{{EDM}}}{tag}", attributes)


def _facets(prop: Property) -> dict[str, str]:
    facets = {"Name": prop.name, "Type": "Edm.Int64" if prop.kind == RECORD else TYPES[prop.kind.base]}
    if prop.has("key") or prop.kind.base in ("text", "decimal", "flag", "whole", "time"):
        facets["Nullable"] = "false"
    if prop.kind.base == "text":
        facets["MaxLength"] = str(prop.kind.size)
    if prop.kind.base == "decimal":
        facets |= {"Precision": str(prop.kind.size), "Scale": str(prop.kind.scale)}
    return facets


def _entity_type(schema: Element, space: str, entity: EntityType) -> None:
    node = _add(schema, "EntityType", Name=entity.type_name)
    key = _add(node, "Key")
    for prop in entity.keys:
        _add(key, "PropertyRef", Name=prop.name)
    for prop in entity.properties:
        child = _add(node, "Property", **_facets(prop))
        if prop.has("ro"):
            _add(child, "Annotation", Term="Core.Computed", Bool="true")
    for nav, target in entity.children.items():
        _add(node, "NavigationProperty", Name=nav, Type=f"Collection({space}.{target.type_name})")


def _action(schema: Element, space: str, name: str, entity: EntityType, arguments: tuple[Property, ...]) -> None:
    node = _add(schema, "Action", Name=name, IsBound="true")
    _add(node, "Parameter", Name="_it", Type=f"{space}.{entity.type_name}", Nullable="false")
    for prop in arguments:
        _add(node, "Parameter", **_facets(prop))
    _add(node, "ReturnType", Type=f"{space}.{entity.type_name}", Nullable="false")


def _container(schema: Element, space: str, service: str, entities: list[EntityType]) -> None:
    container = _add(schema, "EntityContainer", Name=f"{service}_Container" if service else "Resources")
    for entity in entities:
        node = _add(container, "EntitySet", Name=entity.set_name, EntityType=f"{space}.{entity.type_name}")
        for nav, target in entity.children.items():
            _add(node, "NavigationPropertyBinding", Path=nav, Target=target.set_name)
