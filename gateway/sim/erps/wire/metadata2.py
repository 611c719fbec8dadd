"""`$metadata` of an OData V2 service, generated from the declarations."""

from __future__ import annotations

from functools import cache
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from gateway.sim.erps.declare import EntityType, Model, Property

Element = Any  # lxml ships no types

EDMX = "http://schemas.microsoft.com/ado/2007/06/edmx"
M = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"
EDM = "http://schemas.microsoft.com/ado/2008/09/edm"
SAP = "http://www.sap.com/Protocols/SAPData"

TYPES = {
    "text": "Edm.String", "decimal": "Edm.Decimal", "flag": "Edm.Boolean", "date": "Edm.DateTime",
    "stamp": "Edm.DateTime", "instant": "Edm.DateTimeOffset", "time": "Edm.Time", "whole": "Edm.Int32",
}  # fmt: skip


@cache
def metadata2(model: Model, service: str) -> bytes:
    edmx = etree.Element(f"{{{EDMX}}}Edmx", {"Version": "1.0"}, nsmap={"edmx": EDMX, "m": M, "sap": SAP})
    services = etree.SubElement(edmx, f"{{{EDMX}}}DataServices", {f"{{{M}}}DataServiceVersion": "2.0"})
    schema = etree.SubElement(services, f"{{{EDM}}}Schema", {"Namespace": service}, nsmap={None: EDM})
    entities = list(model.services[service].values())
    for entity in entities:
        _entity_type(schema, service, entity)
    for entity in entities:
        for nav, child in entity.children.items():
            _association(schema, service, entity, nav, child)
    _container(schema, model, service, entities)
    written: bytes = etree.tostring(edmx, xml_declaration=True, encoding="utf-8")
    return written


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return etree.SubElement(parent, f"{{{EDM}}}{tag}", attributes)


def _name(entity: EntityType, nav: str) -> str:
    return f"assoc_{entity.set_name}_{nav}"


def _entity_type(schema: Element, service: str, entity: EntityType) -> None:
    node = _add(schema, "EntityType", Name=entity.type_name)
    key = _add(node, "Key")
    for prop in entity.keys:
        _add(key, "PropertyRef", Name=prop.name)
    for prop in entity.properties:
        _property(node, prop)
    for nav in entity.children:
        name = _name(entity, nav)
        roles = {"FromRole": f"FromRole_{name}", "ToRole": f"ToRole_{name}"}
        _add(node, "NavigationProperty", Name=nav, Relationship=f"{service}.{name}", **roles)


def _property(node: Element, prop: Property) -> None:
    facets = {"Name": prop.name, "Type": TYPES[prop.kind.base]}
    if prop.has("key"):
        facets["Nullable"] = "false"
    if prop.kind.base == "text":
        facets["MaxLength"] = str(prop.kind.size)
    if prop.kind.base == "decimal":
        facets |= {"Precision": str(prop.kind.size), "Scale": str(prop.kind.scale)}
    if prop.kind.base in ("instant", "time"):
        facets["Precision"] = "0"
    if prop.has("etag"):
        facets["ConcurrencyMode"] = "Fixed"
    child = _add(node, "Property", **facets)
    if prop.kind.base == "date":
        child.set(f"{{{SAP}}}display-format", "Date")
    if prop.has("ro"):
        child.set(f"{{{SAP}}}creatable", "false")
    if prop.traits & {"ro", "fixed", "key"}:
        child.set(f"{{{SAP}}}updatable", "false")


def _association(schema: Element, service: str, entity: EntityType, nav: str, child: EntityType) -> None:
    name = _name(entity, nav)
    node = _add(schema, "Association", Name=name)
    _add(node, "End", Type=f"{service}.{entity.type_name}", Multiplicity="1", Role=f"FromRole_{name}")
    _add(node, "End", Type=f"{service}.{child.type_name}", Multiplicity="*", Role=f"ToRole_{name}")
    constraint = _add(node, "ReferentialConstraint")
    principal = _add(constraint, "Principal", Role=f"FromRole_{name}")
    dependent = _add(constraint, "Dependent", Role=f"ToRole_{name}")
    for own, other in zip(entity.keys, child.keys, strict=False):
        _add(principal, "PropertyRef", Name=own.name)
        _add(dependent, "PropertyRef", Name=other.name)


def _container(schema: Element, model: Model, service: str, entities: list[EntityType]) -> None:
    container = _add(schema, "EntityContainer", Name=f"{service}_Entities")
    container.set(f"{{{M}}}IsDefaultEntityContainer", "true")
    for entity in entities:
        node = _add(container, "EntitySet", Name=entity.set_name, EntityType=f"{service}.{entity.type_name}")
        for verb in ("creat", "updat", "delet"):
            node.set(f"{{{SAP}}}{verb}able", str(f"{verb}e" in entity.can).lower())
    for entity in entities:
        for nav, child in entity.children.items():
            name = _name(entity, nav)
            node = _add(container, "AssociationSet", Name=f"{name}Set", Association=f"{service}.{name}")
            _add(node, "End", EntitySet=entity.set_name, Role=f"FromRole_{name}")
            _add(node, "End", EntitySet=child.set_name, Role=f"ToRole_{name}")
    for name, action in model.actions_of(service):
        entity = model.types[action.role]
        facets = {"Name": name, "ReturnType": f"{service}.{entity.type_name}", "EntitySet": entity.set_name}
        node = _add(container, "FunctionImport", **facets)
        node.set(f"{{{M}}}HttpMethod", "POST")
        for prop in entity.keys:
            size = str(prop.kind.size)
            _add(node, "Parameter", Name=prop.name, Type=TYPES[prop.kind.base], Mode="In", MaxLength=size)
