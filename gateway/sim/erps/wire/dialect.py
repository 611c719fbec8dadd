"""What the engine asks of a protocol, and what both OData versions share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from gateway.sim.erps.declare import EntityType, Property, Row, Value
from gateway.sim.erps.refusal import ErpRefusal, bad_request
from gateway.sim.erps.rules.business import Draft
from gateway.sim.erps.wire.messages import Headers
from gateway.sim.erps.wire.options import Options, Shape

Children = Callable[[EntityType, Row], list[Row]]


@dataclass(frozen=True, slots=True)
class View:
    """What rendering needs beside the row: the absolute service root, and how to find the rows below a row."""

    root: str
    children: Children
    decimals_as_text: bool = False


class Dialect(Protocol):
    """One protocol version."""

    v2: bool
    headers: Headers

    def options(self, entity: EntityType, query: str) -> Options: ...
    def etag(self, entity: EntityType, row: Row) -> str | None: ...
    def one(self, entity: EntityType, row: Row, shape: Shape, view: View) -> bytes: ...
    def many(
        self, entity: EntityType, rows: list[Row], shape: Shape, view: View, *, count: int | None, next_link: str | None
    ) -> bytes: ...
    def service(self, sets: list[str], view: View) -> bytes: ...
    def read(self, prop: Property, value: Any, *, decimals_as_text: bool) -> Value: ...
    def refusal(self, refusal: ErpRefusal, at: str) -> bytes: ...


def document(body: bytes) -> dict[str, Any]:
    """The JSON object of a request body, decimals exact. Raises: 400."""
    try:
        found = json.loads(body, parse_float=Decimal)
    except ValueError as exc:
        raise bad_request("Error while parsing the request body") from exc
    if isinstance(found, dict) and set(found) == {"d"}:
        found = found["d"]
    if not isinstance(found, dict):
        raise bad_request("The request body must be one object")
    return found


def draft_of(dialect: Dialect, entity: EntityType, content: dict[str, Any], *, decimals_as_text: bool) -> Draft:
    """A document and its lines as sent. Raises: 400 for what the entity does not have."""
    draft = Draft(entity.role, {})
    for name, value in content.items():
        if name.startswith(("@", "__")) or "@odata." in name:
            continue
        child = entity.children.get(name)
        if child is not None:
            lines = [draft_of(dialect, child, c, decimals_as_text=decimals_as_text) for c in _collection(name, value)]
            draft.children.extend(lines)
            continue
        prop = entity.by_name.get(name)
        if prop is None:
            raise bad_request(f"Property '{name}' does not exist in type '{entity.set_name}'", name)
        draft.values[prop.field] = dialect.read(prop, value, decimals_as_text=decimals_as_text)
    return draft


def _collection(name: str, value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict) and isinstance(value.get("results"), list):
        value = value["results"]
    if not isinstance(value, list) or not all(isinstance(line, dict) for line in value):
        raise bad_request(f"Navigation property '{name}' must be a list of objects", name)
    return value
