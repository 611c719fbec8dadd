"""Tryton's REST interface with bearer keys. Source: trytond 8.2, REST routes; answers seen on its server.

It has no lock: `_timestamp` is readable and ignored on write, so the caller compares before it writes.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from gateway.protocols.json import loads as plain_loads
from gateway.protocols.port import (
    Answer,
    AnswerBroken,
    ErpRefusal,
    HttpCall,
    HttpReply,
    NativeDocument,
    NativeKey,
    Page,
    Query,
    Reference,
    Shape,
    StepCall,
    by_key,
    refusal_kind,
    retry_after_s,
)
from gateway.protocols.tryton import (
    clauses,
    dumps,
    field_names,
    listed,
    loads,
    order,
    places_wanted,
    record_id,
    references,
    wanted,
    with_common,
    with_ids,
)
from gateway.protocols.tryton_places import asked_here, at_place, next_cursor, offset, paths_here, shown_here

_MAX_MESSAGE = 500
BEYOND_THE_END = 416


class TrytonRest:
    """The codec. `native` of a shape: model, key ([id]), references {field: model}, context."""

    def read(self, shape: Shape, key: NativeKey) -> HttpCall:
        if "id" not in key:
            return self._find(shape, by_key(key))
        return _call("GET", f"{_model(shape)}/{key['id']}?{_fields(shape)}", shape, safe=True)

    def search(self, shape: Shape, query: Query) -> HttpCall:
        return self._find(shape, listed(shape, query))

    def _find(self, shape: Shape, query: Query) -> HttpCall:
        # `p` is called a page and counts rows.
        where = _coded(clauses(asked_here(shape, query).filter))
        more = f"&d={where}&o={_coded(order(query))}&s={query.limit}&p={offset(query)}"
        return _call("GET", f"{_model(shape)}?{_fields(shape)}{more}", shape, safe=True)

    def step(self, shape: Shape, call: StepCall) -> HttpCall:
        skip = {"_skip_warnings": True} if call.acknowledge else {}
        match call.kind:
            case "create":
                document = with_common(shape, call.document)
                return _call("POST", f"{_model(shape)}?{_fields(shape)}", shape, document, skip)
            case "change":
                return _call("PUT", f"{_model(shape)}/{record_id(call)}?{_fields(shape)}", shape, call.document, skip)
        target = f"{_model(shape)}/{record_id(call)}/{call.name}?{_fields(shape)}"
        return _call("POST", target, shape, {}, skip)

    def answer(self, shape: Shape, reply: HttpReply) -> Answer:  # one signature for all protocols
        found = _body(reply)
        if isinstance(found, list):  # the answer to a search by the document's own key
            found = _only(found)
        if not isinstance(found, dict) or "id" not in found:
            return Answer()
        document = _document(shape, found)
        return Answer(document, document.get("_timestamp"), {"id": found["id"]})

    def written(self, shape: Shape, reply: HttpReply) -> Answer:
        return self.answer(shape, reply)

    def page(self, shape: Shape, query: Query, reply: HttpReply) -> Page:  # one signature for all protocols
        rows = [] if reply.status == BEYOND_THE_END else _body(reply)
        if not isinstance(rows, list):
            raise AnswerBroken("the answer is no list")
        shown = (_document(shape, row) for row in rows)
        return Page(tuple(shown), next_cursor(shape, query, len(rows)))

    def metadata(self, shape: Shape) -> HttpCall | None:  # REST has no call for it: the ERP keeps a list of its fields
        return None

    def places(self, shape: Shape) -> HttpCall | None:
        """The places of the warehouse, where stock is counted by place."""
        wanted_ = places_wanted(shape)
        if wanted_ is None:
            return None
        target = f"/rest/model/stock.location?f=code&d={_coded(wanted_)}&o={_coded([['id', 'ASC']])}"
        return _call("GET", target, shape, safe=True)

    def at_place(self, shape: Shape, query: Query, reply: HttpReply) -> Shape:
        """The shape for the place that a query has come to."""
        return at_place(shape, query, _body(reply))

    def references(self, shape: Shape, document: NativeDocument) -> Iterable[Reference]:
        return references(shape, document)

    def lookup(self, shape: Shape, reference: Reference) -> HttpCall:
        """Find the id of a record by its fields."""
        where = _coded(wanted(shape, reference))
        target = f"/rest/model/{reference.model}?f={reference.take}&d={where}&s=2&p=0"
        return _call("GET", target, shape, safe=True)

    def found(self, reference: Reference, reply: HttpReply) -> list[int]:
        """The ids a lookup found."""
        return [row[reference.take] for row in _body(reply)]

    def placed(self, call: StepCall, ids: Mapping[tuple[str | int, ...], int]) -> StepCall:
        """The step with ids where the document named records."""
        return call._replace(document=with_ids(call.document, ids, call.before)) if call.document is not None else call

    def acknowledge(self, shape: Shape, warning: str) -> HttpCall | None:  # said in the call's own context
        return None


def _model(shape: Shape) -> str:
    return f"/rest/model/{shape.native['model']}"


def _fields(shape: Shape) -> str:
    names = _asked_through(shape, field_names(paths_here(shape)))
    return "&".join(f"f={quote(name, safe='')}" for name in ["_timestamp", *names])


def _asked_through(shape: Shape, names: Iterable[str]) -> Iterator[str]:
    """This interface follows no field that may name records of several models: those that it may name are asked for instead."""
    origins: Mapping[str, Any] = shape.native.get("origins", {})
    for name in names:
        holder, _, field = name.rpartition(".")
        above, _, own = holder.rpartition(".")
        if own in origins:
            prefix = f"{above}." if above else ""
            yield from (prefix + own, f"{prefix}{origins[own]['among']}.{field}")
        else:
            yield name


def _coded(value: Any) -> str:
    return base64.urlsafe_b64encode(dumps(value)).decode()


def _call(
    method: str,
    target: str,
    shape: Shape,
    document: NativeDocument | None = None,
    context: Mapping[str, Any] | None = None,
    *,
    safe: bool = False,
) -> HttpCall:
    full = {**shape.native.get("context", {}), **(context or {})}
    headers = {"Accept": "application/json"} | ({"X-Tryton-Context": _coded(full)} if full else {})
    if document is None:
        return HttpCall(method, target, headers, safe=safe)
    return HttpCall(method, target, headers | {"Content-Type": "application/json"}, dumps(document), safe=safe)


def _body(reply: HttpReply) -> Any:
    if reply.status >= 400:  # noqa: PLR2004  # HTTP's own classes
        raise _refusal(reply)
    return loads(reply.body) if reply.body else None


def _only(rows: list[Any]) -> Any:
    if not rows:
        raise ErpRefusal("not-found", "no such record")
    if len(rows) > 1:
        raise AnswerBroken("several records have this key")
    return rows[0]


def _refusal(reply: HttpReply) -> ErpRefusal | AnswerBroken:
    kind = refusal_kind(reply.status)
    if kind == "failed":
        return AnswerBroken(f"status {reply.status}")
    if kind == "denied":
        # Its own rules end as 403 here, with the reason left out: unfinished work of an order to be completed, say.
        return ErpRefusal("invalid", "The ERP does not allow this for the record as it stands.", code=str(reply.status))
    text = f"status {reply.status}"
    if "json" in reply.headers.get("content-type", ""):
        found = plain_loads(reply.body)
        text = str(found.get("message") or found.get("description") or text) if isinstance(found, dict) else text
    return ErpRefusal(kind, text[:_MAX_MESSAGE], retry_after_s=retry_after_s(reply.headers))


def _document(shape: Shape, document: Mapping[str, Any]) -> NativeDocument:
    return shown_here(shape, followed(shape.native.get("origins", {}), _sorted(document)))


def followed(origins: Mapping[str, Any], document: NativeDocument) -> NativeDocument:
    """The document with the record that such a field names in place of its name, taken from those that were asked for."""
    made: NativeDocument = {
        name: [followed(origins, row) if isinstance(row, dict) else row for row in value]
        if isinstance(value, list)
        else value
        for name, value in document.items()
    }
    for name in origins.keys() & made.keys():
        holder, _, among = origins[name]["among"].partition(".")
        beside = made.get(holder) or {}
        records = {f"{origins[name]['model']},{record['id']}": record for record in beside.get(among) or ()}
        made[name] = records.get(made[name])
        if beside:
            made[holder] = {field: value for field, value in beside.items() if field != among}
    return made


def _sorted(document: Mapping[str, Any]) -> NativeDocument:
    """Rows come in no promised order: sort them as they were made."""
    return {
        name: sorted((_sorted(row) for row in value), key=lambda row: row.get("id", 0))
        if isinstance(value, list) and all(isinstance(row, dict) for row in value)
        else value
        for name, value in document.items()
    }
