"""What an ERP says of itself, asked as its protocol wants to be asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from gateway.connectors.port import Connector
from gateway.dialects.metadata import EntityType, Metadata
from gateway.dialects.resolve import Level, Plan
from gateway.protocols import tryton_fields
from gateway.protocols.edmx import metadata_of
from gateway.protocols.port import AnswerBroken, ErpRefusal
from gateway.protocols.shape import shape_of

Path = tuple[str, ...]
Describe = Callable[[str, frozenset[str]], Awaitable[EntityType]]
"""A model and the fields of it that a dialect relies on -> what the ERP says of them."""


async def described(connector: Connector, protocol: str, plan: Plan, deadline_s: float) -> Metadata:
    """What the ERP says of an object. Raises: ErpAnswerBroken, AnswerBroken, Unavailable."""
    if protocol not in ("tryton-rpc", "tryton-rest"):
        return metadata_of(await connector.metadata(shape_of(plan), deadline_s))
    try:
        return await _models(plan, _of_tryton(connector, protocol, plan.native, deadline_s), connector, deadline_s)
    except ErpRefusal as err:
        raise AnswerBroken(f"{plan.native['model']} is not described: {err.message}") from err


def _of_tryton(connector: Connector, protocol: str, native: Mapping[str, Any], deadline_s: float) -> Describe:
    async def by_fields_get(model: str, names: frozenset[str]) -> EntityType:
        body = await connector.metadata(tryton_fields.fields_shape(native, model, names), deadline_s)
        return tryton_fields.described(model, body)

    async def by_list(model: str, names: frozenset[str]) -> EntityType:
        page = await connector.search(*tryton_fields.listed_fields(native, model, names), deadline_s)
        return tryton_fields.recorded(model, page.documents)

    return by_fields_get if protocol == "tryton-rpc" else by_list


async def _models(plan: Plan, describe: Describe, connector: Connector, deadline_s: float) -> Metadata:
    """The model of an object, and all those that its paths lead to."""
    model = str(plan.native["model"])
    types: dict[str, EntityType] = {}
    asked: dict[str, frozenset[str]] = {}
    while wanted := {m: n for m, n in _wanted(plan, model, types).items() if n - asked.get(m, frozenset())}:
        for name, fields in wanted.items():
            asked[name] = fields
            types[name] = _with_settings(plan, await describe(name, fields), model)
    buttons = await connector.search(*tryton_fields.listed_buttons(plan.native, model), deadline_s)
    operations = {str(row.get("name")): () for row in buttons.documents}
    return Metadata(types, {model: model} if types[model].properties else {}, operations)


def _with_settings(plan: Plan, found: EntityType, model: str) -> EntityType:
    """The ways that only the dialect knows: which model a field means that may name several, and where stock is counted."""
    origins = {n: rule["model"] for n, rule in plan.native.get("origins", {}).items() if n in found.properties}
    places = {"location": "stock.location"} if found.name == model and plan.native.get("places") else {}
    return replace(found, navigations={**found.navigations, **origins, **places})


def _wanted(plan: Plan, model: str, types: Mapping[str, EntityType]) -> dict[str, frozenset[str]]:
    """The fields that the dialect relies on, by the model they belong to, as far as the ways there are known."""
    found: dict[str, set[str]] = {}
    for path in _paths(plan.level):
        here: str | None = model
        for step in path:
            if here is None:
                break
            found.setdefault(here, set()).add(step)
            here = types[here].navigations.get(step) if here in types else None
    return {name: frozenset(fields) for name, fields in found.items()}


def _paths(level: Level, above: Path = ()) -> Iterator[Path]:
    for entry in level.entries:
        inside: Iterable[Path] = ((name,) for name in entry.codec.rows) if entry.codec is not None else ()
        yield from ((*above, *path) for path in entry.native)
        yield from ((*above, *entry.native[0], *path) for path in inside)
        if entry.rows is not None:
            yield from _paths(entry.rows, (*above, *entry.native[0]))
    yield from ((*above, *path) for path, _ in level.constants)
