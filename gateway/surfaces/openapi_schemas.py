"""The documents of a version as JSON Schema: what is shown, what makes a new one, what a change may hold."""

from __future__ import annotations

from typing import Any

from gateway.core.canonical import FieldSpec, ObjectSpec
from gateway.dialects.library import ENTERPRISE, Dialect
from gateway.dialects.resolve import Entry, Level

Json = dict[str, Any]


def schemas(dialect: Dialect, spec: ObjectSpec) -> Json:
    """The schemas of an object: itself, `_new` and `_patch`."""
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


def fields(dialect: Dialect, spec: ObjectSpec) -> list[str]:
    """The top-level fields of an object, in the version's words."""
    translation = dialect.of(spec.name, ENTERPRISE)
    entries = translation.plan.level.entries if translation is not None else ()
    return list(dict.fromkeys(path[0] for entry in entries for path in entry.native))


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
