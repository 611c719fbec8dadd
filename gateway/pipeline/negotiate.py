"""Stage: from the version's words to the canonical operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.core import etags
from gateway.core.canonical import OBJECTS, Document
from gateway.core.canonical.validate import Flaw, document_flaws, field_flaws
from gateway.core.contracts import Action, Contract, Resource, Verb
from gateway.core.waves import ENTERPRISE
from gateway.dialects.compile import Translation
from gateway.dialects.running import Mismatch
from gateway.edge.json_strict import JsonLimits, loads
from gateway.edge.paths import Target, document_key, key_and_action, plant_id
from gateway.errors import Invalid, Malformed, MethodNotAllowed, UnknownResource, UnsupportedMedia
from gateway.pipeline.exchange import Exchange, Operation, filled, required
from gateway.pipeline.listing import listing, selected
from gateway.pipeline.recall import watch

MERGE_PATCH = "application/merge-patch+json"
JSON = "application/json"
_ON_COLLECTION: Mapping[str, Verb] = {"GET": "list", "HEAD": "list", "POST": "create"}
_ON_DOCUMENT: Mapping[str, Verb] = {"GET": "read", "HEAD": "read", "PATCH": "change"}

_WATCHED: Mapping[str, str] = {"GET": "watch", "HEAD": "watch"}


class Place(NamedTuple):
    """Where in a version a path leads: a collection, a document, or an action on one."""

    plant: str
    name: str
    resource: Resource
    key: str | None
    action: str | None


async def negotiate(x: Exchange) -> Exchange:
    """Read path, query and body as the version's contract says.

    Raises: UnknownResource, MethodNotAllowed, UnsupportedMedia, Malformed, Invalid.
    """
    contract, target = required(x.contract, "contract"), required(x.target, "target")
    if (id_ := operation_id(target)) is not None:
        if x.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("An operation can only be read.", allow=allowed(contract, target))
        return await watch(x, id_)
    place = locate(contract, target)
    action = _action(place)
    verb = _verb(x.method, place, action)
    object_ = action.object if action and action.object else place.resource.object
    spec, client = OBJECTS[object_], _client(x, contract, object_, place.plant)
    x = filled(
        x,
        resource_name=place.name,
        resource=place.resource,
        action=action,
        client=client,
        operation=Operation(place.plant, spec, verb, place.key),
        fields=selected(x, client),
    )
    if verb == "list":
        asked = listing(x, contract, place.resource, client)
        return filled(x, operation=Operation(place.plant, spec, verb, place.key, listing=asked))
    _no_parameters(x)
    if verb == "read":
        return x
    document = _document(x, place, action)
    key = None if action and action.binds else place.key
    # A new document has no version to hold against what the caller has read.
    if_match = _if_match(x, place.resource, verb) if key is not None else etags.ANY_VERSION
    return filled(x, if_match=if_match, operation=Operation(place.plant, spec, verb, key, document))


def operation_id(target: Target) -> str | None:
    """The operation that a path names: `/api/<version>/operations/<id>`."""
    rest = target.segments[2:]
    return rest[1] if len(rest) == 2 and rest[0] == "operations" else None  # noqa: PLR2004  # operations/<id>


def locate(contract: Contract, target: Target) -> Place:
    """Find the resource a path names. Raises: UnknownResource, Malformed."""
    rest, raw = target.segments[2:], target.raw_segments[2:]
    plant = ENTERPRISE
    if rest and rest[0] == "plants":
        if len(rest) < 3:  # noqa: PLR2004  # plants/<plant>/<resource>
            raise UnknownResource(f"A path goes on with /plants/{{plant}}/{{resource}} in {contract.version}.")
        plant, rest, raw = plant_id(rest[1]), rest[2:], raw[2:]
    if not rest or len(rest) > 2:  # noqa: PLR2004  # <resource>/<key>
        raise UnknownResource(f"There is nothing here in {contract.version}.")
    name, action = _collection(rest[0])
    resource = contract.resources.get(name)
    if resource is None or (OBJECTS[resource.object].scope == "enterprise") != (plant == ENTERPRISE):
        raise UnknownResource(f"There is no {name!r} here in {contract.version}.")
    if len(rest) == 1:
        return Place(plant, name, resource, None, action)
    if action is not None:
        raise UnknownResource("An action stands at the end of a path.")
    key, action = key_and_action(raw[1])
    return Place(plant, name, resource, document_key(key), action)


def _collection(segment: str) -> tuple[str, str | None]:
    name, colon, action = segment.partition(":")
    return name, action if colon else None


def allowed(contract: Contract, target: Target) -> list[str]:
    """The methods of what a path names, as every `Allow` has them. Raises: UnknownResource, Malformed."""
    if operation_id(target) is not None:
        return _allow(_WATCHED)
    place = locate(contract, target)
    return _allow(_methods(place, _action(place)))


def _action(place: Place) -> Action | None:
    if place.action is None:
        return None
    rule = place.resource.actions.get(place.action)
    if rule is None or (rule.on == "collection") != (place.key is None):
        raise UnknownResource(f"There is no action {place.action!r} here.")
    return rule


def _verb(method: str, place: Place, action: Action | None) -> str:
    offered = _methods(place, action)
    if method not in offered:
        raise MethodNotAllowed(f"{method} is not among the methods of this resource.", allow=_allow(offered))
    return offered[method]


def _methods(place: Place, action: Action | None) -> Mapping[str, str]:
    """The methods of a place, and the canonical verb of each."""
    if action is not None:
        return {"POST": action.verb}
    offered = _ON_COLLECTION if place.key is None else _ON_DOCUMENT
    return {method: verb for method, verb in offered.items() if verb in place.resource.verbs}


def _allow(offered: Mapping[str, str]) -> list[str]:
    return sorted({*offered, "OPTIONS"})


def _client(x: Exchange, contract: Contract, object_: str, plant: str) -> Translation:
    dialect = x.in_force.content.dialects[contract.dialect]
    return required(dialect.of(object_, plant), f"{contract.dialect}/{object_}")  # type: ignore[no-any-return]


def _no_parameters(x: Exchange) -> None:
    unknown = [name for name in required(x.target, "target").query if name != "fields"]
    if unknown:
        raise Malformed(f"The parameter {unknown[0]!r} has no meaning here.", field=unknown[0])


def _document(x: Exchange, place: Place, action: Action | None) -> Document | None:
    operation, client = required(x.operation, "operation"), required(x.client, "client dialect")
    if action is not None and not action.takes_document:
        if x.body:
            raise Malformed("This action takes no body.", field="body")
        return None
    native = _json(x, MERGE_PATCH if operation.verb == "change" else JSON)
    try:
        document: Document = client.decode_strict(native)
    except Mismatch as err:
        raise Invalid(
            "The document does not fit this version.", errors=[_error(".".join(map(str, err.native)), err.reason)]
        ) from err
    if operation.verb == "change":
        return _patch(x, client, document)
    if operation.plant != ENTERPRISE:
        document["plant"] = operation.plant
    if action is not None and action.binds is not None:
        document[action.binds] = place.key
    _sound(client, document_flaws(operation.spec.name, document))
    return document


def _patch(x: Exchange, client: Translation, patch: Document) -> Document:
    changeable = required(x.resource, "resource").changeable
    fixed = [name for name in patch if name not in changeable]
    if not patch:
        raise Invalid("The patch changes nothing.", errors=[])
    if fixed:
        _sound(client, [Flaw((name,), "the field cannot be changed") for name in fixed])
    _sound(client, field_flaws(required(x.operation, "operation").spec.name, patch))
    return patch


def _sound(client: Translation, flaws: list[Flaw]) -> None:
    if flaws:
        errors = [_error(client_path(client, flaw.path), flaw.reason) for flaw in flaws]
        raise Invalid("The document breaks the contract.", errors=errors)


def _error(field: str, reason: str) -> dict[str, str]:
    return {"field": field, "reason": reason}


def client_path(client: Translation, path: tuple[str | int, ...]) -> str:
    """A canonical path in the client's own words, as far as its dialect has them."""
    level: Any = client.plan.level
    words: list[str] = []
    for step in path:
        entry = level.entry(step) if level is not None and isinstance(step, str) else None
        words.append(".".join(entry.native[0]) if entry else str(step))
        if entry is not None:
            level = entry.rows
    return ".".join(words)


def _json(x: Exchange, media: str) -> Any:
    given = (x.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if given != media:
        raise UnsupportedMedia(f"This operation takes {media}, not {given or 'a body without a type'}.", accept=media)
    if x.headers.get("content-encoding") not in (None, "identity"):
        raise UnsupportedMedia("A coded body is not taken.", accept="identity")
    if not x.body:
        raise Malformed("The body is empty.", field="body")
    limits = required(x.contract, "contract").limits
    value = loads(x.body, JsonLimits(max_bytes=limits.body_bytes))
    if not isinstance(value, dict):
        raise Malformed("The body is no JSON object.", field="body")
    return value


def _if_match(x: Exchange, resource: Resource, verb: str) -> etags.Condition:
    required = verb == "change" and resource.if_match == "required"
    return etags.condition(x.headers.get("if-match"), required=required)
