"""What Tryton says of its models, read into the neutral form. Source: trytond 8.2, `fields_get`, `ir.model.field`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.core.filters import Compare, Or, both
from gateway.dialects.metadata import EntityType, Property
from gateway.protocols.port import AnswerBroken, NativeDocument, Query, Shape
from gateway.protocols.tryton import loads

_MOST = 500


def described(model: str, body: bytes) -> EntityType:
    """A model as the answer to `fields_get` tells it. Raises: AnswerBroken: an error, such as a model that is not there."""
    answer = loads(body)
    found = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(found, dict):
        raise AnswerBroken(f"{model} is not described: {str(answer)[:80]}")
    fields = {name: rule for name, rule in found.items() if isinstance(rule, dict)}
    properties = {name: _property(name, rule) for name, rule in fields.items()}
    return _type(model, properties, {name: rule.get("relation") for name, rule in fields.items()})


def _property(name: str, rule: Mapping[str, Any]) -> Property:
    size, listed = rule.get("size"), rule.get("selection")
    words = [pair[0] for pair in listed if isinstance(pair, list) and pair] if isinstance(listed, list) else []
    return Property(
        name,
        str(rule.get("type")),
        nullable=not rule.get("required"),
        max_length=size if isinstance(size, int) else 0,
        words=tuple(word for word in words if isinstance(word, str)),
    )


def recorded(model: str, rows: Iterable[NativeDocument]) -> EntityType:
    """The same from the ERP's own list of its fields, which knows no lengths and no closed lists."""
    by_name = {str(row.get("name")): row for row in rows}
    properties = {name: Property(name, str(row.get("ttype"))) for name, row in by_name.items()}
    return _type(model, properties, {name: row.get("relation") for name, row in by_name.items()})


def _type(model: str, properties: Mapping[str, Property], relations: Mapping[str, Any]) -> EntityType:
    return EntityType(model, ("id",), properties, {name: to for name, to in relations.items() if isinstance(to, str)})


def fields_shape(native: Mapping[str, Any], model: str, names: Iterable[str]) -> Shape:
    """What `fields_get` of a model is asked for."""
    return Shape({**native, "model": model}, tuple((name,) for name in sorted(names)))


def listed_fields(native: Mapping[str, Any], model: str, names: Iterable[str]) -> tuple[Shape, Query]:
    """What the ERP's list of its fields is asked for."""
    shape = _of_system(native, "ir.model.field", ("name", "ttype", "relation"))
    wanted = Or(tuple(Compare("name", "eq", name) for name in sorted(names)))
    return shape, Query(both(Compare("model", "eq", model), wanted), limit=_MOST)


def listed_buttons(native: Mapping[str, Any], model: str) -> tuple[Shape, Query]:
    """What the ERP's list of its buttons is asked for."""
    return _of_system(native, "ir.model.button", ("name",)), Query(Compare("model", "eq", model), limit=_MOST)


def _of_system(native: Mapping[str, Any], model: str, names: tuple[str, ...]) -> Shape:
    context = {"context": native["context"]} if "context" in native else {}
    return Shape({"model": model, "key": ["id"], **context}, tuple((name,) for name in names))
