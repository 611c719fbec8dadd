"""OpenAPI 3.1 of a version, made from its contract, its client dialect and the canonical model. Nothing in it is written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.core.canonical import OBJECTS
from gateway.core.canonical.kinds import PLANT_ID
from gateway.core.contracts import Action, Contract, Resource
from gateway.core.etags import TAG
from gateway.core.letters import LETTERS
from gateway.core.waves import ENTERPRISE
from gateway.dialects.compile import Translation
from gateway.dialects.library import Dialect
from gateway.edge.paths import MAX_KEY_CHARS
from gateway.pipeline.exchange import required
from gateway.pipeline.listing import CURSOR, filter_kinds
from gateway.pipeline.recall import KEY as IDEMPOTENCY_KEY
from gateway.protocols.filter_pattern import filter_pattern
from gateway.protocols.filters import MAX_BYTES, MAX_DEPTH, MAX_NODES
from gateway.surfaces.openapi_answers import ID, SCHEMAS, Asked, Problems, good, headers
from gateway.surfaces.openapi_schemas import fields, patch_name, schemas

Json = dict[str, Any]
PLANT = {
    "name": "plant",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{PLANT_ID}$"},
}
_FIRST, _LAST, _WITHIN = (f"[{ascii_}0-\\[\\]-~{LETTERS}]" for ascii_ in (r"!-$&-\-", "!-$&-.", " -$&-."))
KEY: Json = {
    "name": "key",
    "in": "path",
    "required": True,
    "description": "A colon in it is written %3A. Letters of other scripts are taken too, in Unicode normalisation form C.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_KEY_CHARS,
        "pattern": f"^{_FIRST}({_WITHIN}*{_LAST})?$",
    },
}
"""Printable, without slashes and percent signs, no space at the ends. One that begins with a dot is taken where it is no dot segment."""
OPERATION = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": ID}}


def openapi(contract: Contract, dialect: Dialect, public_url: str) -> Json:
    """The description of one version."""
    problems = Problems(contract, public_url)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": contract.title,
            "version": contract.version,
            "description": contract.description,
            "contact": {"name": contract.owner},
        },
        "servers": [{"url": f"{public_url}/api/{contract.version}"}],
        "paths": _Paths(contract, dialect, problems).made(),
        "components": {
            "schemas": schemas(contract, dialect) | SCHEMAS,
            "headers": headers(contract),
            "responses": problems.responses,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{"token": []}, {"key": []}],
    }


class _Paths:
    """The operations of a version by path and method."""

    def __init__(self, contract: Contract, dialect: Dialect, problems: Problems) -> None:
        self._contract, self._dialect, self._problems = contract, dialect, problems

    def made(self) -> Json:
        paths: Json = {}
        for name, rule in self._contract.resources.items():
            plant = [] if OBJECTS[rule.object].scope == "enterprise" else [PLANT]
            base = f"/plants/{{plant}}/{name}" if plant else f"/{name}"
            if collection := self._collection(rule, name, plant):
                paths[base] = collection
            if document := self._document(rule, name, [*plant, KEY]):
                paths[f"{base}/{{key}}"] = document
            for action, made in rule.actions.items():
                place, own = (f"{base}/{{key}}", [*plant, KEY]) if made.on == "document" else (base, plant)
                paths[f"{place}:{action}"] = {"post": self._action(rule, name, action, made, own)}
        watched = Asked(self._contract, "watch")
        paths["/operations/{id}"] = {
            "get": self._operation("watch-operation", "What became of a write", watched, [OPERATION])
        }
        return paths

    def _collection(self, rule: Resource, name: str, plant: list[Json]) -> Json:
        made: Json = {}
        if "list" in rule.verbs:
            asked = Asked(self._contract, "list", OBJECTS[rule.object])
            client = self._dialect.of(rule.object, ENTERPRISE)
            parameters = [*plant, *_list_parameters(self._contract, rule, required(client, rule.object))]
            made["get"] = self._operation(f"list-{name}", f"List {name}", asked, parameters)
        if "create" in rule.verbs:
            asked = self._write(rule, "create", rule.object, creates=True, body=True)
            body = _body(f"{rule.object}_new", "application/json")
            made["post"] = self._operation(f"create-{name}", f"Create one of {name}", asked, plant, body)
        return made

    def _document(self, rule: Resource, name: str, parameters: list[Json]) -> Json:
        made: Json = {}
        if "read" in rule.verbs:
            asked = Asked(self._contract, "read", OBJECTS[rule.object], named=True)
            made["get"] = self._operation(f"read-{name}", f"Read one of {name}", asked, parameters)
        if "change" in rule.verbs:
            asked = self._write(rule, "change", rule.object, named=True, body=True)
            body = _body(patch_name(self._contract, name), "application/merge-patch+json")
            own = [*parameters, _if_match(required=rule.if_match == "required")]
            made["patch"] = self._operation(f"change-{name}", f"Change one of {name}", asked, own, body)
        return made

    def _action(self, rule: Resource, name: str, action: str, made: Action, parameters: list[Json]) -> Json:
        object_, named = made.object or rule.object, made.on == "document"
        creates = not named or made.binds is not None
        asked = self._write(rule, made.verb, object_, named=named, creates=creates, body=made.takes_document)
        if made.binds is not None:
            parameters = [_bound(object_, made.binds) if each is KEY else each for each in parameters]
        own = parameters if creates else [*parameters, _if_match(required=False)]
        body = _body(f"{object_}_new", "application/json") if made.takes_document else None
        return self._operation(f"{action}-{name}", f"{action.capitalize()} one of {name}", asked, own, body)

    def _write(self, rule: Resource, verb: str, object_: str, **more: bool) -> Asked:
        required = rule.idempotency_key == "required"
        return Asked(self._contract, verb, OBJECTS[object_], key_required=required, **more)

    def _operation(
        self, id_: str, summary: str, asked: Asked, parameters: list[Json], body: Json | None = None
    ) -> Json:
        own = [*parameters, *([_idempotency_key(required=asked.key_required)] if asked.writes else [])]
        if asked.spec is not None:
            own.append(_fields(fields(self._dialect, asked.spec)))
        made: Json = {"operationId": id_, "summary": summary, "parameters": own}
        made["responses"] = good(asked) | self._problems.of(asked)
        made |= {"deprecated": True} if self._contract.deprecated_at else {}
        return made | ({"requestBody": body} if body else {})


def _bound(object_: str, field: str) -> Json:
    """The key in the path of an action that makes it a field of a new document: what that field takes."""
    kind = OBJECTS[object_].field(field).kind
    most = kind.max_length if kind is not None and kind.max_length else KEY["schema"]["maxLength"]
    return {**KEY, "schema": {**KEY["schema"], "maxLength": most}}


def _if_match(*, required: bool) -> Json:
    any_ = "`*` names no version: 428." if required else "`*` is any version."
    text = f"The ETag of the document as it was read. Any other one is 412. {any_}"
    schema = {"type": "string", "pattern": f"^{TAG}$"}
    return {"name": "If-Match", "in": "header", "required": required, "description": text, "schema": schema}


def _idempotency_key(*, required: bool) -> Json:
    text = "A new one for each new write: a repeated one is answered as the first, and carried out once."
    schema = {"type": "string", "pattern": f"^({IDEMPOTENCY_KEY})$"}
    return {"name": "Idempotency-Key", "in": "header", "required": required, "description": text, "schema": schema}


def _listed(name: str, words: list[str], description: str) -> Json:
    """A query parameter of words with commas between them."""
    schema = {"type": "array", "items": {"type": "string", "enum": words}, "minItems": 1}
    return {
        "name": name,
        "in": "query",
        "style": "form",
        "explode": False,
        "description": description,
        "schema": schema,
    }


def _fields(names: list[str]) -> Json:
    return _listed("fields", names, "Only these top-level fields, with commas between them.")


def _list_parameters(contract: Contract, rule: Resource, client: Translation) -> list[Json]:
    limits = contract.limits
    limit = {"type": "integer", "minimum": 1, "maximum": limits.page_max, "default": limits.page_default}
    made: list[Json] = []
    if rule.filter:
        made.append(_filter(rule, client))
    if rule.order:
        words = [f"{name}{direction}" for name in rule.order for direction in ("", " asc", " desc")]
        made.append(_listed("order", words, "By these, the first one first."))
    return [
        *made,
        {"name": "limit", "in": "query", "schema": limit},
        {
            "name": "cursor",
            "in": "query",
            "schema": {"type": "string", "pattern": CURSOR},
            "description": "`next` of the page before; only a page without one is the last. Any other one is 404.",
        },
    ]


def _filter(rule: Resource, client: Translation) -> Json:
    text = (
        f"Comparisons (eq, ne, gt, ge, lt, le, in) with and, or, not, on: {', '.join(rule.filter)}. Up to {MAX_BYTES} bytes and "
        f"{MAX_NODES} parts; parentheses may stand in others, up to {MAX_DEPTH} deep, of which the pattern shows the first."
    )
    schema = {"type": "string", "pattern": filter_pattern(filter_kinds(rule, client))}
    return {"name": "filter", "in": "query", "schema": schema, "description": text}


def _body(name: str, media: str) -> Json:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"required": True, "content": {media: {"schema": schema}}}


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
