"""Single values as JSON Schema: what a dialect's codec writes, and what the canonical model takes of it."""

from __future__ import annotations

from typing import Any

from gateway.core.canonical.kinds import Kind
from gateway.core.units import CURRENCIES, UNITS
from gateway.dialects.codecs.numbers import decimal_pattern
from gateway.dialects.resolve import Entry

Json = dict[str, Any]
CODES: Json = {
    "Unit": {
        "type": "string",
        "description": "A code of UN/CEFACT Recommendation 20, or one of Recommendation 21 behind an X.",
        # A pattern: who makes clients or tests of a description makes something of each value of an enum, and these are 2,162.
        "pattern": f"^(?:{'|'.join(sorted(UNITS))})$",
    },
    "Currency": {"type": "string", "description": "A code of ISO 4217.", "enum": sorted(CURRENCIES)},
}
"""The closed lists that many fields share."""
_LISTS = {"unit": "Unit", "currency": "Currency"}


def shown(entry: Entry, kind: Kind | None) -> list[Json]:
    """The native fields of an entry as answers have them: an ERP may hold what no client could send."""
    made = [dict(schema) for schema in (entry.codec.schema if entry.codec else ())]
    if kind is not None and kind.max_length and _free(made[0]):
        made[0] |= {"maxLength": kind.max_length} | ({"minLength": 1} if kind.name == "identifier" else {})
    return [schema | {"readOnly": True} for schema in made] if entry.access == "read_only" else made


def sent(entry: Entry, kind: Kind | None) -> list[Json]:
    """The native fields of an entry as a request may have them: all that the model demands of a value."""
    made = shown(entry, kind)
    if kind is None or entry.codec is None:
        return made
    if _free(made[0]) and kind.name in _LISTS:
        return [{"$ref": f"#/components/schemas/{_LISTS[kind.name]}"}, *made[1:]]
    if _free(made[0]) and kind.pattern:
        made[0]["pattern"] = kind.pattern
    if kind.name == "decimal":
        made[0] |= _digits(made[0], kind, entry.codec.scale)
    return made


def nullable(schema: Json) -> Json:
    """The same, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    made = schema | {"enum": [*schema["enum"], None]} if "enum" in schema else schema
    return made | {"type": [schema["type"], "null"]} if isinstance(schema.get("type"), str) else made


def _free(schema: Json) -> bool:
    """Whether the codec takes any text."""
    return schema.get("type") == "string" and not {"enum", "format", "pattern"} & set(schema)


def _digits(schema: Json, kind: Kind, scale: int | None) -> Json:
    """How many digits a number may have: pydantic counts those before the point and those after it each by itself."""
    whole = kind.max_length - kind.scale
    if schema.get("type") == "number":
        # No `multipleOf`: many validators divide binary floats, and would refuse 1.001.
        most, text = 10**whole - 1, f"At most {kind.scale} digits after the point."
        return {"minimum": -most, "maximum": most, "description": text}
    if "pattern" in schema and scale is not None:
        signed = schema["pattern"].startswith("^-")
        return {"pattern": decimal_pattern(min(scale, kind.scale), whole=whole, signed=signed)}
    return {}
