"""OpenAPI 3.1 of a version, made from its contract, its client dialect and the canonical model. Nothing in it is written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.core.canonical import OBJECTS, FieldSpec, ObjectSpec
from gateway.core.contracts import Action, Contract, Resource
from gateway.dialects.library import ENTERPRISE, Dialect
from gateway.dialects.resolve import Entry, Level

Json = dict[str, Any]
_PROBLEM = {"$ref": "#/components/responses/Problem"}
_ERRORS = ("400", "401", "403", "404", "406", "429", "502", "503", "504")
_BODY_ERRORS = ("409", "413", "415", "422")
PLANT = {
    "name": "plant",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Z0-9][A-Z0-9_-]{0,31}$"},
}
KEY = {"name": "key", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 128}}


def openapi(contract: Contract, dialect: Dialect, public_url: str) -> Json:
    """The description of one version."""
    names = {rule.object for rule in contract.resources.values()}
    names |= {a.object for rule in contract.resources.values() for a in rule.actions.values() if a.object}
    schemas: Json = {}
    for name in sorted(names):
        schemas |= _schemas(dialect, OBJECTS[name])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": contract.title,
            "version": contract.version,
            "description": contract.description,
            "contact": {"name": contract.owner},
        },
        "servers": [{"url": f"{public_url}/api/{contract.version}"}],
        "paths": _paths(contract),
        "components": {
            "schemas": schemas | {"Problem": PROBLEM_SCHEMA},
            "responses": {"Problem": _problem_response()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{"token": []}, {"key": []}],
    }


def _problem_response() -> Json:
    return {
        "description": "Why not (RFC 9457).",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


PROBLEM_SCHEMA: Json = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "Its documentation stands at this address."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": {"field": {"type": "string"}, "reason": {"type": "string"}}},
        },
        "reasons": {"type": "array", "items": {"type": "string"}},
        "erp_message": {"type": "string"},
        "retryable": {"type": "boolean"},
        "in_doubt": {"type": "boolean"},
    },
}


def _paths(contract: Contract) -> Json:
    paths: Json = {}
    for name, rule in contract.resources.items():
        plant = [] if OBJECTS[rule.object].scope == "enterprise" else [PLANT]
        base = f"/plants/{{plant}}/{name}" if plant else f"/{name}"
        collection = _collection(contract, rule, name, plant)
        document = _document(rule, name, plant)
        if collection:
            paths[base] = collection
        if document:
            paths[f"{base}/{{key}}"] = document
        for action, made in rule.actions.items():
            on_document = made.on == "document"
            path = f"{base}/{{key}}:{action}" if on_document else f"{base}:{action}"
            paths[path] = {"post": _action(rule, name, action, made, [*plant, *([KEY] if on_document else [])])}
    for operations in paths.values():
        for operation in operations.values():
            if contract.deprecated_at:
                operation["deprecated"] = True
    return paths


def _collection(contract: Contract, rule: Resource, name: str, plant: list[Json]) -> Json:
    made: Json = {}
    if "list" in rule.verbs:
        rows = {
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": {"type": "array", "items": _ref(rule.object)},
                "next": {"type": ["string", "null"]},
            },
        }
        made["get"] = _operation(
            f"list-{name}", f"List {name}", [*plant, *_list_parameters(contract, rule)], {"200": _json("A page.", rows)}
        )
    if "create" in rule.verbs:
        made["post"] = _operation(
            f"create-{name}",
            f"Create one of {name}",
            plant,
            _created(rule.object),
            body=_body(rule.object, "application/json"),
        )
    return made


def _document(rule: Resource, name: str, plant: list[Json]) -> Json:
    made: Json = {}
    parameters = [*plant, KEY]
    if "read" in rule.verbs:
        made["get"] = _operation(
            f"read-{name}",
            f"Read one of {name}",
            [*parameters, _FIELDS],
            {"200": _json("The document.", _ref(rule.object), etag=True)},
        )
    if "change" in rule.verbs:
        if_match = {
            "name": "If-Match",
            "in": "header",
            "required": rule.if_match == "required",
            "schema": {"type": "string"},
        }
        answers = {
            "200": _json("The document after the change.", _ref(rule.object), etag=True),
            "204": {"description": "Changed."},
            "412": _PROBLEM,
            "428": _PROBLEM,
        }
        made["patch"] = _operation(
            f"change-{name}",
            f"Change one of {name}",
            [*parameters, if_match],
            answers,
            body=_body(rule.object, "application/merge-patch+json", partial=True),
        )
    return made


def _action(rule: Resource, name: str, action: str, made: Action, parameters: list[Json]) -> Json:
    object_ = made.object or rule.object
    answers: Json = {
        "200": _json("The document after it.", _ref(object_), etag=True),
        "204": {"description": "Done."},
        "412": _PROBLEM,
    }
    body = _body(object_, "application/json") if made.takes_document else None
    if body:
        answers |= _created(object_)
    return _operation(
        f"{action}-{name}", f"{action.capitalize()} one of {name}", parameters, answers, body=body, conflicts=True
    )


def _created(object_: str) -> Json:
    return {"201": _json("Created.", _ref(object_), etag=True, location=True)}


_FIELDS: Json = {
    "name": "fields",
    "in": "query",
    "description": "Only these top-level fields, with commas between them.",
    "schema": {"type": "string"},
}


def _list_parameters(contract: Contract, rule: Resource) -> list[Json]:
    limits = contract.limits
    limit = {"type": "integer", "minimum": 1, "maximum": limits.page_max, "default": limits.page_default}
    return [
        {"name": "filter", "in": "query", "schema": {"type": "string"},
         "description": "Comparisons (eq, ne, gt, ge, lt, le, in) with and, or, not, on: " + ", ".join(rule.filter or ["nothing"])},
        {"name": "order", "in": "query", "schema": {"type": "string"}, "description": "By: " + ", ".join(rule.order or ["nothing"])},
        {"name": "limit", "in": "query", "schema": limit},
        {"name": "cursor", "in": "query", "schema": {"type": "string"}, "description": "`next` of the page before."},
        _FIELDS,
    ]  # fmt: skip


def _operation(
    id_: str, summary: str, parameters: list[Json], answers: Json, *, body: Json | None = None, conflicts: bool = False
) -> Json:
    errors = dict.fromkeys((*_ERRORS, *(_BODY_ERRORS if body or conflicts else ())), _PROBLEM)
    made = {"operationId": id_, "summary": summary, "parameters": parameters, "responses": answers | errors}
    return made | ({"requestBody": body} if body else {})


def _json(description: str, schema: Json, *, etag: bool = False, location: bool = False) -> Json:
    headers = {name: {"schema": {"type": "string"}} for name, on in (("ETag", etag), ("Location", location)) if on}
    return {"description": description, "content": {"application/json": {"schema": schema}}} | (
        {"headers": headers} if headers else {}
    )


def _ref(object_: str, suffix: str = "") -> Json:
    return {"$ref": f"#/components/schemas/{object_}{suffix}"}


def _body(object_: str, media: str, *, partial: bool = False) -> Json:
    return {"required": True, "content": {media: {"schema": _ref(object_, "_patch" if partial else "_new")}}}


def _schemas(dialect: Dialect, spec: ObjectSpec) -> Json:
    translation = dialect.of(spec.name, ENTERPRISE)
    if translation is None:
        return {}
    level = translation.plan.level
    given = {"plant"} if spec.scope == "plant" else set()
    return {
        spec.name: _object(level, spec.fields, writing=False),
        f"{spec.name}_new": _object(level, spec.fields, writing=True, needed=True, given=given),
        f"{spec.name}_patch": _object(level, spec.fields, writing=True) | {"minProperties": 1},
    }


def _object(
    level: Level, specs: tuple[FieldSpec, ...], *, writing: bool, needed: bool = False, given: set[str] | None = None
) -> Json:
    by_name = {spec.name: spec for spec in specs}
    root: Json = {"type": "object", "properties": {}, "additionalProperties": not writing}
    for entry in level.entries:
        if writing and entry.access == "read_only":
            continue
        spec = by_name[entry.canonical[0]]
        must = needed and spec.required and entry.canonical[0] not in (given or ())
        for path, schema in zip(entry.native, _field(entry, spec, writing=writing), strict=True):
            _place(root, path, schema if must else _nullable(schema), required=must, writing=writing)
    return root


def _field(entry: Entry, spec: FieldSpec, *, writing: bool) -> list[Json]:
    if entry.rows is not None:
        return [{"type": "array", "items": _object(entry.rows, spec.rows, writing=writing, needed=writing)}]
    made = [dict(schema) for schema in (entry.codec.schema if entry.codec else ())]
    if (
        spec.kind is not None
        and spec.kind.max_length
        and made[0].get("type") == "string"
        and not {"enum", "format", "pattern"} & set(made[0])
    ):
        made[0] = {**made[0], "maxLength": spec.kind.max_length} | (
            {"minLength": 1} if spec.kind.name == "identifier" else {}
        )
    if entry.access == "read_only":
        made = [schema | {"readOnly": True} for schema in made]
    return made


def _nullable(schema: Json) -> Json:
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]} | (
            {"type": [schema["type"], "null"]} if "type" in schema else {}
        )
    return schema | {"type": [schema["type"], "null"]} if isinstance(schema.get("type"), str) else schema


def _place(root: Json, path: tuple[str, ...], schema: Json, *, required: bool, writing: bool) -> None:
    here = root
    for step in path[:-1]:
        inner: Json = here["properties"].setdefault(
            step, {"type": "object", "properties": {}, "additionalProperties": not writing}
        )
        if required:
            _require(here, step)
        here = inner
    here["properties"][path[-1]] = schema
    if required:
        _require(here, path[-1])


def _require(schema: Json, name: str) -> None:
    names = schema.setdefault("required", [])
    if name not in names:
        names.append(name)


def index(contracts: Mapping[str, Contract]) -> Json:
    """The versions there are."""
    return {
        "versions": [
            {
                "version": version,
                "title": contract.title,
                "deprecated_at": contract.deprecated_at,
                "sunset_at": contract.sunset_at,
                "openapi": f"/openapi/{version}.json",
                "docs": f"/docs/{version}",
            }
            for version, contract in sorted(contracts.items())
        ]
    }
