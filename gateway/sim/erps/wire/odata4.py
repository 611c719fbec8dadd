"""OData V4: S/4's flavour, and D365's."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any
from urllib.parse import quote

import orjson

from gateway.sim.erps.declare import EntityType, Property, Row, Value
from gateway.sim.erps.refusal import ErpRefusal
from gateway.sim.erps.wire.dialect import View
from gateway.sim.erps.wire.messages import Headers
from gateway.sim.erps.wire.options import Options, Shape, options4
from gateway.sim.erps.wire.values import Render, moment4, never_if_none, read4, renderer4


@cache
def _columns(entity: EntityType, d365: bool, as_text: bool) -> tuple[tuple[str, str, Render], ...]:  # noqa: FBT001
    found = []
    for prop in entity.properties:
        render = renderer4(prop.kind, plain_numbers=d365, as_text=as_text)
        if d365 and prop.kind.base in ("instant", "stamp"):
            render = never_if_none
        found.append((prop.name, prop.field, render))
    return tuple(found)


class Odata4:
    """The protocol of both newer ERPs."""

    v2 = False
    headers: Headers = (("OData-Version", "4.0"),)

    def __init__(self, *, d365: bool) -> None:
        self._d365 = d365

    def options(self, entity: EntityType, query: str) -> Options:
        return options4(entity, query)

    def etag(self, entity: EntityType, row: Row) -> str | None:
        if entity.etag is None:
            return None
        moment = str(moment4(row[entity.etag.field]))
        if self._d365:
            return f'W/"{base64.b64encode(moment.encode()).decode()}"'
        literal = "datetime" if entity.etag.kind.base == "stamp" else "datetimeoffset"
        return f"W/\"{literal}'{quote(moment.removesuffix('Z') if literal == 'datetime' else moment, safe='')}'\""

    def one(self, entity: EntityType, row: Row, shape: Shape, view: View) -> bytes:
        context = {"@odata.context": f"{view.root}/$metadata#{entity.set_name}/$entity"}
        return orjson.dumps(context | self._entity(entity, row, shape, view))

    def many(
        self, entity: EntityType, rows: list[Row], shape: Shape, view: View, *, count: int | None, next_link: str | None
    ) -> bytes:
        body: dict[str, Any] = {"@odata.context": f"{view.root}/$metadata#{entity.set_name}"}
        if count is not None:
            body["@odata.count"] = count
        body["value"] = [self._entity(entity, row, shape, view) for row in rows]
        if next_link is not None:
            body["@odata.nextLink"] = next_link
        return orjson.dumps(body)

    def service(self, sets: list[str], view: View) -> bytes:
        listed = [{"name": name, "kind": "EntitySet", "url": name} for name in sets]
        return orjson.dumps({"@odata.context": f"{view.root}/$metadata", "value": listed})

    def read(self, prop: Property, value: Any, *, decimals_as_text: bool) -> Value:
        return read4(prop, value, decimals_as_text=decimals_as_text)

    def refusal(self, refusal: ErpRefusal, at: str) -> bytes:
        if self._d365:
            inner = {"message": refusal.message, "type": "Microsoft.OData.ODataException", "stacktrace": ""}
            return orjson.dumps({"error": {"code": refusal.code, "message": refusal.message, "innererror": inner}})
        target = refusal.target or None
        detail = {"code": refusal.code, "message": refusal.message, "target": target, "@Common.numericSeverity": 4}
        return orjson.dumps(
            {
                "error": {
                    "code": refusal.code, "message": refusal.message, "target": target, "details": [detail],
                    "@Common.ExceptionCategory": "Processing_Error",
                }
            }
        )  # fmt: skip

    def _entity(self, entity: EntityType, row: Row, shape: Shape, view: View) -> dict[str, Any]:
        body: dict[str, Any] = {}
        etag = self.etag(entity, row)
        if etag is not None:
            body["@odata.etag"] = etag
        select = shape.select
        for name, field, render in _columns(entity, self._d365, view.decimals_as_text):
            if select is None or name in select:
                body[name] = render(row[field])
        for nav, below in shape.expand.items():
            child = entity.children[nav]
            body[nav] = [self._entity(child, line, below, view) for line in view.children(child, row)]
        return body
