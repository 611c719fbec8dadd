"""Answering POST, PATCH, MERGE, PUT and DELETE."""

from __future__ import annotations

from gateway.sim.erps.declare import Action, EntityType, Key, Row
from gateway.sim.erps.refusal import BAD_REQUEST, ErpRefusal, bad_request, not_allowed
from gateway.sim.erps.rules import verbs
from gateway.sim.erps.site import Site
from gateway.sim.erps.truth import Cause
from gateway.sim.erps.wire.dialect import document, draft_of
from gateway.sim.erps.wire.messages import Answer, Request
from gateway.sim.erps.wire.options import WHOLE, pairs
from gateway.sim.erps.wire.paths import Target, key_from, key_text

TUNNELLED = frozenset({"MERGE", "PATCH", "PUT", "DELETE"})


def method_of(request: Request) -> str:
    """The method meant: old clients send MERGE and the like through a POST."""
    meant = request.headers.get("x-http-method", "")
    return meant if request.method == "POST" and meant in TUNNELLED else request.method


def write(site: Site, request: Request, target: Target, method: str, cause: Cause) -> Answer:
    """Raises: ErpRefusal, and then nothing was written."""
    if method == "POST":
        return _post(site, request, target, cause)
    if target.what == "entity" and method in ("PATCH", "MERGE", "PUT"):
        return _change(site, request, target, cause, replace=method == "PUT")
    if target.what == "entity" and method == "DELETE":
        return _delete(site, request, target, cause)
    raise not_allowed(f"Method {method} is not allowed for this resource")


def _post(site: Site, request: Request, target: Target, cause: Cause) -> Answer:
    if target.what == "action":
        return _act(site, request, target, cause)
    if target.what == "batch":
        raise ErpRefusal(501, BAD_REQUEST, "$batch is not supported")
    if target.what not in ("set", "children"):
        raise not_allowed("Method POST is not allowed for this resource")
    return _create(site, request, target, cause)


def _create(site: Site, request: Request, target: Target, cause: Cause) -> Answer:
    entity = target.subject
    content = document(request.body)
    draft = draft_of(site.dialect, entity, content, decimals_as_text=_text_decimals(request))
    if target.child is not None and target.entity is not None:
        parent = site.row(request, target)
        draft.values |= {p.field: parent[p.field] for p in target.entity.keys}
    with site.business.unit(cause) as unit:
        key = verbs.create(site.business, unit, draft)
    sent = ",".join(name for name in entity.children if name in content)
    return _created(site, request, target, site.business.row(entity.role, key), sent)


def _created(site: Site, request: Request, target: Target, row: Row, sent: str) -> Answer:
    """201 with the document, and below it what was sent below it; or 204 where the caller prefers less."""
    entity, view = target.subject, site.view(request, target)
    location = f"{view.root}/{entity.set_name}{key_text(entity, row)}"
    headers = (*site.headers(entity, row), ("location", location))
    if "return=minimal" in request.headers.get("prefer", "") and not site.dialect.v2:
        return Answer(204, (*headers, ("odata-entityid", location)))
    shape = site.dialect.options(entity, f"$expand={sent}").shape if sent else WHOLE
    return Answer(201, headers, site.dialect.one(entity, row, shape, view))


def _change(site: Site, request: Request, target: Target, cause: Cause, *, replace: bool) -> Answer:
    entity = target.subject
    row = site.row(request, target)
    site.check_etag(request, entity, row)
    draft = draft_of(site.dialect, entity, document(request.body), decimals_as_text=_text_decimals(request))
    if draft.children:
        raise bad_request("Deep update is not supported: change the lines by their own addresses")
    values = _replacing(entity, draft.values) if replace else draft.values
    key = entity.key_of(row)
    with site.business.unit(cause) as unit:
        verbs.change(site.business, unit, entity.role, key, values)
    return Answer(204, site.headers(entity, site.business.row(entity.role, key)))


def _replacing(entity: EntityType, values: Row) -> Row:
    """PUT replaces: what may be changed and was not sent becomes initial."""
    kept = {"key", "ro", "fixed", "req"}
    return {**{p.field: p.kind.initial for p in entity.properties if not p.traits & kept}, **values}


def _delete(site: Site, request: Request, target: Target, cause: Cause) -> Answer:
    row = site.row(request, target)
    site.check_etag(request, target.subject, row)
    with site.business.unit(cause) as unit:
        verbs.delete(site.business, unit, target.subject.role, target.subject.key_of(row))
    return Answer(204, site.dialect.headers)


def _act(site: Site, request: Request, target: Target, cause: Cause) -> Answer:
    entity, action = target.subject, target.action
    assert action is not None  # noqa: S101 - `what` says so
    row = site.row(request, target, target.key or _key_of_call(entity, request.query))
    if request.headers.get("if-match"):
        site.check_etag(request, entity, row)
    arguments = _arguments(site, request, action)
    with site.business.unit(cause) as unit:
        done = verbs.act(site.business, unit, action, entity.key_of(row), arguments)
    after = site.business.row(entity.role, done)
    body = site.dialect.one(entity, after, WHOLE, site.view(request, target))
    return Answer(200, site.headers(entity, after), body)


def _key_of_call(entity: EntityType, query: str) -> Key:
    """A V2 function import names the document by query parameters."""
    given = pairs(query)
    missing = [p.name for p in entity.keys if p.name not in given]
    if missing:
        raise bad_request(f"Parameter {missing[0]} is missing")
    return key_from(entity, ",".join(f"{p.name}={given[p.name]}" for p in entity.keys))


def _arguments(site: Site, request: Request, action: Action) -> Row:
    given = document(request.body) if request.body.strip() else {}
    known = {p.name: p for p in action.arguments}
    if unknown := sorted(set(given) - set(known)):
        raise bad_request(f"Unknown parameter {unknown[0]}", unknown[0])
    as_text = _text_decimals(request)
    return {known[n].field: site.dialect.read(known[n], v, decimals_as_text=as_text) for n, v in given.items()}


def _text_decimals(request: Request) -> bool:
    return "ieee754compatible=true" in request.headers.get("content-type", "").lower()
