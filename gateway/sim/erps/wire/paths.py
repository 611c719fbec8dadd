"""From a URL path to what it addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

from gateway.sim.erps.declare import Action, EntityType, Face, Key, Model, Row
from gateway.sim.erps.refusal import bad_request, not_found

What = Literal["service", "metadata", "batch", "set", "count", "entity", "children", "children_count", "action"]

_CLOUD = re.compile(r"/sap/opu/odata4/sap/(\w+)/srvd_a2x/sap/(\w+)/0001(?:/(.*))?")
_LEGACY = re.compile(r"/sap/opu/odata/sap/(\w+)(?:/(.*))?")
_D365 = re.compile(r"/data(?:/(.*))?")
_SEGMENT = re.compile(r"([\w.$]+)(?:\((.*)\))?")
_KEY_PART = re.compile(r"\s*(?:(\w+)\s*=\s*)?('(?:[^']|'')*'|[^,']+)\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path addresses. `child` is set behind a navigation, `action` on a call."""

    what: What
    service: str
    root: str
    entity: EntityType | None = None
    key: Key | None = None
    child: EntityType | None = None
    action: Action | None = None

    @property
    def subject(self) -> EntityType:
        """The entity whose rows are meant."""
        subject = self.child or self.entity
        assert subject is not None  # noqa: S101 - `what` says so
        return subject


def resolve(model: Model, path: str) -> Target:
    """Raises: 404 for what is not served, 400 for a key that does not fit."""
    service, root, rest = _service(model.face, path)
    if service not in model.services:
        raise not_found(f"No service found for namespace '', name '{service}', version '0001'")
    segments = [unquote(s) for s in rest.split("/") if s]
    if not segments:
        return Target("service", service, root)
    if segments[0] in ("$metadata", "$batch"):
        return Target("metadata" if segments[0] == "$metadata" else "batch", service, root)
    return _addressed(model, service, root, segments)


def _service(face: Face, path: str) -> tuple[str, str, str]:
    """The service, the service root (without a trailing slash), and the rest of the path."""
    if face == "legacy" and (found := _LEGACY.fullmatch(path)):
        return found[1], f"/sap/opu/odata/sap/{found[1]}", found[2] or ""
    if face == "cloud" and (found := _CLOUD.fullmatch(path)) and found[1] == found[2]:
        return found[1], f"/sap/opu/odata4/sap/{found[1]}/srvd_a2x/sap/{found[1]}/0001", found[3] or ""
    if face == "d365" and (found := _D365.fullmatch(path)):
        return "", "/data", found[1] or ""
    raise not_found(f"Resource not found for the segment '{path.lstrip('/')}'")


def _addressed(model: Model, service: str, root: str, segments: list[str]) -> Target:
    name, inner = _split(segments[0])
    action = model.actions.get((service, name))
    if action and model.face == "legacy" and len(segments) == 1:
        return Target("action", service, root, model.types[action.role], action=action)
    entity = model.services[service].get(name)
    if entity is None:
        raise not_found(f"Resource not found for the segment '{name}'")
    if inner is None:
        what: What | None = {("$count",): "count", (): "set"}.get(tuple(segments[1:]))  # type: ignore[assignment]
        if what is None:
            raise not_found(f"Resource not found for the segment '{segments[1]}'")
        return Target(what, service, root, entity)
    return _below(model, Target("entity", service, root, entity, key_from(entity, inner)), segments[1:])


def _below(model: Model, at: Target, rest: list[str]) -> Target:
    if not rest:
        return at
    child = at.subject.children.get(rest[0])
    if child is not None and rest[1:] in ([], ["$count"]):
        what: What = "children_count" if rest[1:] else "children"
        return Target(what, at.service, at.root, at.entity, at.key, child)
    name = rest[0].rpartition(".")[2]
    action = model.actions.get((at.service, name))
    if action is not None and "." in rest[0] and action.role == at.subject.role and len(rest) == 1:
        return Target("action", at.service, at.root, at.entity, at.key, action=action)
    raise not_found(f"Resource not found for the segment '{rest[0]}'")


def _split(segment: str) -> tuple[str, str | None]:
    found = _SEGMENT.fullmatch(segment)
    if found is None:
        raise not_found(f"Resource not found for the segment '{segment}'")
    return found[1], found[2]


def key_from(entity: EntityType, inner: str) -> Key:
    """The key in the parentheses: `'v'` for a single key, `A='v',B=2` for more."""
    parts = _KEY_PART.findall(inner)
    given = {name: value for name, value in parts}  # noqa: C416 - a repeated name keeps its last value
    if len(parts) == 1 and not parts[0][0] and len(entity.keys) == 1:
        given = {entity.keys[0].name: parts[0][1]}
    if set(given) != {p.name for p in entity.keys} or len(parts) != len(entity.keys):
        raise bad_request(f"Invalid key predicate for '{entity.set_name}': ({inner})")
    return tuple(_key_value(p.kind.base, p.name, given[p.name]) for p in entity.keys)


def _key_value(base: str, name: str, written: str) -> str | int:
    quoted = written.startswith("'")
    if base == "whole" and not quoted and written.strip().isdecimal():
        return int(written)
    if base == "text" and quoted:
        return written[1:-1].replace("''", "'")
    raise bad_request(f"Invalid value for key property '{name}': {written}", name)


def key_text(entity: EntityType, row: Row) -> str:
    """The key predicate of a row, as it stands in a URL."""
    parts = [(p.name, _literal(row[p.field])) for p in entity.keys]
    if len(parts) == 1:
        return f"({parts[0][1]})"
    return "(" + ",".join(f"{name}={value}" for name, value in parts) + ")"


def _literal(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    return "'" + quote(str(value).replace("'", "''"), safe="'") + "'"
