"""OData V4 as S/4HANA and D365 speak it. Source: OData 4.01 JSON format and URL conventions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gateway.protocols.json import dumps, loads
from gateway.protocols.odata import (
    SHAPES_KEPT,
    cursor,
    given,
    key_in,
    key_segment,
    metadata_call,
    number_or_word,
    position,
    refusal,
    set_path,
    target,
    text_literal,
    write_filter,
)
from gateway.protocols.port import (
    Answer,
    AnswerBroken,
    HttpCall,
    HttpReply,
    NativeDocument,
    NativeKey,
    Page,
    Query,
    Shape,
    StepCall,
)
from gateway.protocols.sap_messages import heard

JSON = {"Accept": "application/json", "OData-Version": "4.0", "OData-MaxVersion": "4.0"}
WRITE = JSON | {"Content-Type": "application/json"}
NO_CONTENT = 204
_BARE_LITERALS = ("decimal", "date", "datetime", "time", "boolean")


class ODataV4:
    """The codec.

    `native` of a shape: service (path of the service), set, key, `namespace` of bound actions, fixed `options`, and `return`, the
    member that holds RETURN.
    """

    def read(self, shape: Shape, key: NativeKey) -> HttpCall:
        place = set_path(shape) + key_segment(key, literal) + _read_options(shape)
        return HttpCall("GET", place, JSON, safe=True)

    def search(self, shape: Shape, query: Query) -> HttpCall:
        options = {
            "$filter": write_filter(query.filter, literal),
            "$expand": _expand(shape),
            "$orderby": ",".join(query.order),
            **shape.native.get("options", {}),
            **position(query),
        }
        return HttpCall("GET", target(set_path(shape), options), JSON, safe=True)

    def step(self, shape: Shape, call: StepCall) -> HttpCall:
        etag = {"If-Match": call.etag} if call.etag else {}
        match call.kind:
            case "create":
                return HttpCall("POST", set_path(shape), WRITE, dumps(given(call.document or {})))
            case "change":
                place = set_path(shape) + key_segment(call.key, literal)
                return HttpCall("PATCH", place, WRITE | etag, dumps(call.document))
        place = f"{set_path(shape)}{key_segment(call.key, literal)}/" if call.bound else f"{shape.native['service']}/"
        name = f"{shape.native['namespace']}.{call.name}" if "namespace" in shape.native else str(call.name)
        return HttpCall("POST", place + name, WRITE | etag, dumps(dict(call.arguments)))

    def answer(self, shape: Shape, reply: HttpReply) -> Answer:
        return _answer(shape, reply, _json(reply))

    def written(self, shape: Shape, reply: HttpReply) -> Answer:
        return _answer(shape, reply, heard(shape, reply, _json(reply)))

    def page(self, shape: Shape, query: Query, reply: HttpReply) -> Page:  # one signature for all protocols
        found = _json(reply)
        rows = found.get("value") if isinstance(found, dict) else None
        if not isinstance(rows, list):
            raise AnswerBroken("`value` is no list")
        return Page(tuple(_bare(row) for row in rows), cursor(found.get("@odata.nextLink"), query, len(rows)))

    def metadata(self, shape: Shape) -> HttpCall | None:
        return metadata_call(shape)


@lru_cache(maxsize=SHAPES_KEPT)
def _read_options(shape: Shape) -> str:
    return target("", {"$expand": _expand(shape), **shape.native.get("options", {})})


def _answer(shape: Shape, reply: HttpReply, document: Any) -> Answer:
    if document is None:
        return Answer(etag=reply.headers.get("etag"))
    if not isinstance(document, dict) or "error" in document:
        raise AnswerBroken("the answer is no document")
    etag = document.get("@odata.etag") or reply.headers.get("etag")
    return Answer(_bare(document), etag, key_in(shape, document))


def literal(value: Any, kind: str) -> str:
    """Print a value as a V4 literal of `kind`. Source: OData 4.01 URL conventions, section 5.1.1.14."""
    word = number_or_word(value)
    if word is not None:
        return word
    return str(value) if kind in _BARE_LITERALS else text_literal(value)


def _expand(shape: Shape) -> str:
    parts = []
    for path, inner in shape.lists.items():
        deeper = _expand(inner)
        parts.append("/".join(path) + (f"($expand={deeper})" if deeper else ""))
    return ",".join(parts)


def _json(reply: HttpReply) -> Any:
    if reply.status >= 400:  # noqa: PLR2004  # HTTP's own classes
        raise refusal(reply)
    return None if reply.status == NO_CONTENT or not reply.body else loads(reply.body)


def _bare(document: Any) -> NativeDocument:
    if not isinstance(document, dict):
        raise AnswerBroken("a row is no object")
    return {
        name: [_bare(row) if isinstance(row, dict) else row for row in value] if isinstance(value, list) else value
        for name, value in document.items()
        if "@" not in name
    }
