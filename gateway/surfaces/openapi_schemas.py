"""The documents of a version as JSON Schema: what is shown, what makes a new one, what a change may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gateway.core.canonical import OBJECTS, FieldSpec, ObjectSpec
from gateway.core.contracts import Action, Contract
from gateway.dialects.library import ENTERPRISE, Dialect
from gateway.dialects.resolve import Entry, Level
from gateway.surfaces.openapi_values import CODES, nullable, sent, shown

Json = dict[str, Any]


class _Use(NamedTuple):
    """What a schema is for: `takes` chooses the fields, `needs` those that must be there, `nulls` those that may be null."""

    takes: Callable[[Entry], bool]
    needs: Callable[[FieldSpec], bool]
    nulls: Callable[[FieldSpec], bool]
    values: Callable[[Entry, Any], list[Json]] = sent
    object: Json = {"additionalProperties": False}


_SHOWN = _Use(lambda e: True, lambda s: False, lambda s: True, shown, {"additionalProperties": True})
_ROWS = _Use(lambda e: e.access != "read_only", lambda s: s.required, lambda s: not s.required)


def schemas(contract: Contract, dialect: Dialect) -> Json:
    """The schemas of a version's objects: each as it is shown, `_new` where one can be made, `_patch` where one can be changed."""
    made: Json = dict(CODES)
    for name in sorted({object_ for object_, _ in _makers(contract)} | {r.object for r in contract.resources.values()}):
        level, spec = _level(dialect, name), OBJECTS[name]
        made[name] = _object(level, spec.fields, _SHOWN)
        given = [each for object_, each in _makers(contract) if object_ == name]
        if given:
            made[f"{name}_new"] = _object(level, spec.fields, _new(frozenset.intersection(*given)))
    for resource, rule in contract.resources.items():
        if "change" in rule.verbs:
            level, spec = _level(dialect, rule.object), OBJECTS[rule.object]
            made[patch_name(contract, resource)] = _object(level, spec.fields, _patch(rule.changeable))
    return made


def patch_name(contract: Contract, resource: str) -> str:
    """The name of the schema of what may be changed in a resource."""
    object_ = contract.resources[resource].object
    alike = [rule for rule in contract.resources.values() if rule.object == object_ and "change" in rule.verbs]
    return f"{object_}_patch" if len(alike) == 1 else f"{resource}_{object_}_patch"


def fields(dialect: Dialect, spec: ObjectSpec) -> list[str]:
    """The top-level fields of an object, in the version's words."""
    return list(dict.fromkeys(path[0] for entry in _level(dialect, spec.name).entries for path in entry.native))


def _level(dialect: Dialect, object_: str) -> Level:
    translation = dialect.of(object_, ENTERPRISE)
    return translation.plan.level if translation is not None else Level(())


def _makers(contract: Contract) -> Iterator[tuple[str, frozenset[str]]]:
    """(object, fields that the URL gives) of everything that takes a new document."""
    for rule in contract.resources.values():
        if "create" in rule.verbs:
            yield rule.object, _by_url(rule.object, None)
        for action in rule.actions.values():
            if action.takes_document:
                yield action.object or rule.object, _by_url(action.object or rule.object, action)


def _by_url(object_: str, action: Action | None) -> frozenset[str]:
    plant = {"plant"} if OBJECTS[object_].scope == "plant" else set()
    return frozenset(plant | ({action.binds} if action is not None and action.binds else set()))


def _new(given: frozenset[str]) -> _Use:
    def needs(spec: FieldSpec) -> bool:
        return spec.required and spec.name not in given

    return _Use(lambda e: e.access != "read_only", needs, lambda s: not needs(s))


def _patch(changeable: list[str]) -> _Use:
    """Null takes a field away: none that the document needs."""
    return _Use(
        lambda e: e.access != "read_only" and set(e.canonical) <= set(changeable),
        lambda s: False,
        lambda s: not s.required,
        object={"additionalProperties": False, "minProperties": 1},
    )


def _object(level: Level, specs: tuple[FieldSpec, ...], use: _Use) -> Json:
    by_name = {spec.name: spec for spec in specs}
    root: Json = {"type": "object", "properties": {}, **use.object}
    for entry in level.entries:
        if use.takes(entry):
            spec = by_name[entry.canonical[0]]
            for path, schema in zip(entry.native, _field(entry, spec, use), strict=True):
                _place(root, path, nullable(schema) if use.nulls(spec) else schema, use, required=use.needs(spec))
    if use.values is sent:
        _empty(root, level, by_name, use)
    return root


def _field(entry: Entry, spec: FieldSpec, use: _Use) -> list[Json]:
    if entry.rows is None:
        return use.values(entry, spec.kind)
    rows = _ROWS if use.values is sent else use
    return [{"type": "array", "items": _object(entry.rows, spec.rows, rows)}]


def _empty(root: Json, level: Level, by_name: dict[str, FieldSpec], use: _Use) -> None:
    """A nested object that is null stands for null in all that it holds."""
    within: dict[str, list[Entry]] = {}
    for entry in level.entries:
        if entry.access != "read_only" and len(entry.native[0]) > 1:
            within.setdefault(entry.native[0][0], []).append(entry)
    for name, entries in within.items():
        if name in root["properties"] and all(use.takes(e) and use.nulls(by_name[e.canonical[0]]) for e in entries):
            root["properties"][name] = nullable(root["properties"][name])


def _place(root: Json, path: tuple[str, ...], schema: Json, use: _Use, *, required: bool) -> None:
    here = root
    for step in path[:-1]:
        inner: Json = here["properties"].setdefault(step, {"type": "object", "properties": {}, **use.object})
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
