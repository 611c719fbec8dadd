"""Tryton's JSON-RPC. Business errors come inside `200`. Source: trytond 8.2, protocols/jsonrpc.py; answers seen on its server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

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
    nested,
    order,
    places_wanted,
    record_id,
    references,
    wanted,
    with_common,
    with_ids,
)
from gateway.protocols.tryton_places import asked_here, at_place, next_cursor, offset, paths_here, shown_here

_KINDS = {
    "UserError": "invalid",
    "UserWarning": "warning",
    "ConcurrencyException": "stale",
    "LoginException": "session",
}
_MAX_MESSAGE = 500
OK = 200


class TrytonRpc:
    """The codec. `native` of a shape: model, key ([id]), references {field: model}, context."""

    def read(self, shape: Shape, key: NativeKey) -> HttpCall:
        return self._find(shape, by_key(key))

    def search(self, shape: Shape, query: Query) -> HttpCall:
        return self._find(shape, listed(shape, query))

    def _find(self, shape: Shape, query: Query) -> HttpCall:
        names = ["id", "_timestamp", *field_names(paths_here(shape))]
        params = [clauses(asked_here(shape, query).filter), offset(query), query.limit, order(query), names]
        return _call(shape, "search_read", params, safe=True)

    def step(self, shape: Shape, call: StepCall) -> HttpCall:
        locked = {"_timestamp": {f"{shape.native['model']},{record_id(call)}": call.etag}} if call.etag else {}
        match call.kind:
            case "create":
                return _call(shape, "create", [[with_common(shape, call.document)]])
            case "change":
                return _call(shape, "write", [[record_id(call)], call.document], locked)
        return _call(shape, str(call.name), [[record_id(call)]], locked)

    def answer(self, shape: Shape, reply: HttpReply) -> Answer:  # one signature for all protocols
        result = _result(reply)
        first = result[0] if isinstance(result, list) and result else None
        if isinstance(first, dict) and len(result) > 1:
            raise AnswerBroken("several records have this key")
        if isinstance(first, dict):
            document = shown_here(shape, nested(first))
            return Answer(document, document.get("_timestamp"), {"id": first["id"]})
        if isinstance(first, int):
            return Answer(key={"id": first})
        if result == []:
            raise ErpRefusal("not-found", "no such record")
        return Answer()

    def written(self, shape: Shape, reply: HttpReply) -> Answer:
        return self.answer(shape, reply)

    def page(self, shape: Shape, query: Query, reply: HttpReply) -> Page:  # one signature for all protocols
        rows = _result(reply)
        if not isinstance(rows, list):
            raise AnswerBroken("the result is no list")
        shown = (shown_here(shape, nested(row)) for row in rows)
        return Page(tuple(shown), next_cursor(shape, query, len(rows)))

    def metadata(self, shape: Shape) -> HttpCall | None:
        """What the model says of the fields that the shape names."""
        return _call(shape, "fields_get", [[path[0] for path in shape.paths]], safe=True)

    def places(self, shape: Shape) -> HttpCall | None:
        """The places of the warehouse, where stock is counted by place."""
        wanted_ = places_wanted(shape)
        other = Shape({**shape.native, "model": "stock.location"})
        params = [wanted_, 0, None, [["id", "ASC"]], ["code"]]
        return _call(other, "search_read", params, safe=True) if wanted_ is not None else None

    def at_place(self, shape: Shape, query: Query, reply: HttpReply) -> Shape:
        """The shape for the place that a query has come to."""
        return at_place(shape, query, _result(reply))

    def references(self, shape: Shape, document: NativeDocument) -> Iterable[Reference]:
        return references(shape, document)

    def lookup(self, shape: Shape, reference: Reference) -> HttpCall:
        """Find the id of a record by its fields."""
        other = Shape({**shape.native, "model": reference.model})
        return _call(other, "search_read", [wanted(shape, reference), 0, 2, None, [reference.take]], safe=True)

    def found(self, reference: Reference, reply: HttpReply) -> list[int]:
        """The ids a lookup found."""
        return [row[reference.take] for row in _result(reply)]

    def placed(self, call: StepCall, ids: Mapping[tuple[str | int, ...], int]) -> StepCall:
        """The step with ids where the document named records."""
        return _with_document(call, ids)

    def acknowledge(self, shape: Shape, warning: str) -> HttpCall | None:
        """Say yes to a warning, so that the same call goes through."""
        other = Shape({**shape.native, "model": "res.user.warning"})
        return _call(other, "skip", [warning, False])


def _with_document(call: StepCall, ids: Mapping[tuple[str | int, ...], int]) -> StepCall:
    return call._replace(document=with_ids(call.document, ids, call.before)) if call.document is not None else call


def _call(
    shape: Shape, method: str, params: list[Any], context: Mapping[str, Any] | None = None, *, safe: bool = False
) -> HttpCall:
    full = {**shape.native.get("context", {}), **(context or {})}
    body = dumps({"id": 0, "method": f"model.{shape.native['model']}.{method}", "params": [*params, full]})
    return HttpCall("POST", "/rpc/", {"Content-Type": "application/json"}, body, safe=safe)


def _result(reply: HttpReply) -> Any:
    if reply.status != OK:
        if refusal_kind(reply.status) == "failed":
            raise AnswerBroken(f"status {reply.status} without an answer")
        raise ErpRefusal(
            refusal_kind(reply.status), f"status {reply.status}", retry_after_s=retry_after_s(reply.headers)
        )
    found = loads(reply.body)
    if not isinstance(found, dict) or ("result" not in found and "error" not in found):
        raise AnswerBroken("neither a result nor an error")
    if found.get("error") is not None:
        raise _refusal(found["error"])
    return found["result"]


def _refusal(error: Any) -> ErpRefusal | AnswerBroken:
    name = error[0] if isinstance(error, list) and error else None
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        return AnswerBroken(f"the server failed: {str(name)[:80]}")
    words = error[1] if isinstance(error[1], list) else [error[1]]
    # A warning is [name, text, description]; the others begin with the text.
    text = str(words[1] if kind == "warning" else words[0])[:_MAX_MESSAGE]
    return ErpRefusal(kind, text, code=name, warning=str(words[0]) if kind == "warning" else None)
