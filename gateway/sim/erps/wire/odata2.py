"""OData V2 as SAP Gateway writes it."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import quote

import orjson

from gateway.sim.erps.declare import EntityType, Property, Row, Value
from gateway.sim.erps.refusal import ErpRefusal
from gateway.sim.erps.wire.dialect import View
from gateway.sim.erps.wire.messages import Headers
from gateway.sim.erps.wire.options import Options, Shape, options2
from gateway.sim.erps.wire.paths import key_text
from gateway.sim.erps.wire.values import Render, moment4, read2, renderer2


@cache
def _columns(entity: EntityType) -> tuple[tuple[str, str, Render], ...]:
    return tuple((p.name, p.field, renderer2(p.kind)) for p in entity.properties)


class Odata2:
    """The legacy ERP's protocol."""

    v2 = True
    headers: Headers = (("DataServiceVersion", "2.0"),)

    def options(self, entity: EntityType, query: str) -> Options:
        return options2(entity, query)

    def etag(self, entity: EntityType, row: Row) -> str | None:
        if entity.etag is None:
            return None
        literal = "datetime" if entity.etag.kind.base == "stamp" else "datetimeoffset"
        moment = str(moment4(row[entity.etag.field]))
        return f"W/\"{literal}'{quote(moment.removesuffix('Z') if literal == 'datetime' else moment, safe='')}'\""

    def one(self, entity: EntityType, row: Row, shape: Shape, view: View) -> bytes:
        return orjson.dumps({"d": self._entity(entity, row, shape, view)})

    def many(
        self, entity: EntityType, rows: list[Row], shape: Shape, view: View, *, count: int | None, next_link: str | None
    ) -> bytes:
        body: dict[str, Any] = {"results": [self._entity(entity, row, shape, view) for row in rows]}
        if count is not None:
            body["__count"] = str(count)
        if next_link is not None:
            body["__next"] = next_link
        return orjson.dumps({"d": body})

    def service(self, sets: list[str], view: View) -> bytes:
        return orjson.dumps({"d": {"EntitySets": sets}})

    def read(self, prop: Property, value: Any, *, decimals_as_text: bool) -> Value:
        return read2(prop, value)

    def refusal(self, refusal: ErpRefusal, at: str) -> bytes:
        detail = {
            "code": refusal.code, "message": refusal.message, "propertyref": refusal.target, "severity": "error",
            "target": refusal.target,
        }  # fmt: skip
        inner = {
            "application": {"component_id": "", "service_namespace": "/SAP/", "service_id": ""},
            "transactionid": "SIM00000000000000000000000000000",
            "timestamp": at,
            "errordetails": [detail],
        }
        message = {"lang": "en", "value": refusal.message}
        return orjson.dumps({"error": {"code": refusal.code, "message": message, "innererror": inner}})

    def _entity(self, entity: EntityType, row: Row, shape: Shape, view: View) -> dict[str, Any]:
        uri = f"{view.root}/{entity.set_name}{key_text(entity, row)}"
        metadata = {"id": uri, "uri": uri, "type": f"{entity.service}.{entity.type_name}"}
        etag = self.etag(entity, row)
        if etag is not None:
            metadata["etag"] = etag
        body: dict[str, Any] = {"__metadata": metadata}
        select = shape.select
        for name, field, render in _columns(entity):
            if select is None or name in select:
                body[name] = render(row[field])
        for nav, child in entity.children.items():
            if nav in shape.expand:
                below = shape.expand[nav]
                rows = view.children(child, row)
                body[nav] = {"results": [self._entity(child, line, below, view) for line in rows]}
            elif shape.shows(nav):
                body[nav] = {"__deferred": {"uri": f"{uri}/{nav}"}}
        return body
