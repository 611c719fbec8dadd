"""Every service describes itself, and serves exactly what it describes."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from gateway.sim.erps import cloud_app, d365_app, legacy_app
from tests.integration.sim_erps.caller import V2, Caller, Start, v4

MAKERS = {"legacy": legacy_app, "cloud": cloud_app, "d365": d365_app}


def services(caller: Caller) -> list[tuple[str, str]]:
    names = caller.app.erp.model.services
    place = {"legacy": lambda s: f"{V2}{s}/", "cloud": v4, "d365": lambda s: "/data/"}[caller.app.erp.config.face]
    return [(name, place(name)) for name in names]


def local(tree: Any, tag: str) -> list[Any]:
    return [node for node in tree.iter() if etree.QName(node).localname == tag]


def rows_of(caller: Caller, answer: Any) -> list[dict[str, Any]]:
    return list(answer["d"]["results"] if caller.app.erp.dialect.v2 else answer["value"])


def fill(caller: Caller) -> None:
    """One posting, so that confirmations and movements have rows to compare."""
    business, model = caller.app.erp.business, caller.app.erp.model
    order = next(row for row in caller.app.erp.ledger.stored["order"].rows.values() if row["is_released"])
    given = {p.name: order[p.field] for p in model.types["confirmation"].properties if p.field in ("order", "company")}
    name = model.types["confirmation"].by_field["yield_qty"].name
    body = given | {name: "1" if business.face == "legacy" else 1}
    caller.app.control.edit(model.types["confirmation"].set_name, None, body)
    if business.face == "d365":
        (company, number), *_ = caller.app.erp.ledger.stored["purchase"].rows
        at = {"dataAreaId": company, "PurchaseOrderNumber": number}
        caller.app.control.edit("PurchaseOrderHeadersV2", at, {}, "Confirm")
        caller.app.control.edit("ProductReceiptHeaders", None, {**at, "ProductReceiptNumber": "DN-1"})


@pytest.mark.parametrize("face", list(MAKERS))
def test_metadata_names_every_property_served_and_no_other(start: Start, face: str) -> None:
    caller = start(MAKERS[face])
    fill(caller)
    for _, root in services(caller):
        answer = caller.get(f"{root}$metadata")
        assert answer.headers["content-type"] == "application/xml"
        tree = etree.fromstring(answer.content)
        types = {t.get("Name"): t for t in local(tree, "EntityType")}
        for entity_set in local(tree, "EntitySet"):
            described = types[entity_set.get("EntityType").rpartition(".")[2]]
            names = {p.get("Name") for p in local(described, "Property")}
            navigations = {n.get("Name") for n in local(described, "NavigationProperty")}
            served = rows_of(caller, caller.get(f"{root}{entity_set.get('Name')}?$top=1&cross-company=true").json())
            assert served, entity_set.get("Name")
            shown = {k for k in served[0] if not k.startswith(("@", "__"))}
            assert shown - navigations == names
            assert {k.get("Name") for k in local(described, "PropertyRef")} <= names


@pytest.mark.parametrize("face", list(MAKERS))
def test_every_type_a_document_refers_to_is_defined_in_it(start: Start, face: str) -> None:
    caller = start(MAKERS[face])
    for _, root in services(caller):
        tree = etree.fromstring(caller.get(f"{root}$metadata").content)
        [schema] = local(tree, "Schema")
        space = schema.get("Namespace")
        defined = {f"{space}.{n.get('Name')}" for tag in ("EntityType", "Association") for n in local(tree, tag)}
        used = {n.get(a, "") for n in tree.iter() for a in ("Type", "EntityType", "ReturnType", "Relationship")}
        own = {u.removeprefix("Collection(").removesuffix(")") for u in used if space in u}
        assert own <= defined
        assert all(n.get("Name") for n in local(tree, "Property"))


@pytest.mark.parametrize("face", list(MAKERS))
def test_the_service_document_lists_the_sets(start: Start, face: str) -> None:
    caller = start(MAKERS[face])
    for name, root in services(caller):
        body = caller.get(root).json()
        listed = body["d"]["EntitySets"] if face == "legacy" else [s["name"] for s in body["value"]]
        assert set(listed) == set(caller.app.erp.model.services[name])
