"""OData V2 as SAP Gateway speaks it. Source: OData 2.0 JSON format; shapes seen on mock-sap."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from gateway.dialects.codecs import datetime_ms
from gateway.protocols.json import dumps, loads
from gateway.protocols.odata import (
    SHAPES_KEPT,
    cursor,
    expand,
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

JSON = {"Accept": "application/json"}
WRITE = {"Accept": "application/json", "Content-Type": "application/json"}
NO_CONTENT = 204


class ODataV2:
    """The codec. `native` of a shape: service (path of the service), set, key, and `return`, the member that holds RETURN."""

    def read(self, shape: Shape, key: NativeKey) -> HttpCall:
        place = set_path(shape) + key_segment(key, literal) + _read_options(shape)
        return HttpCall("GET", place, JSON, safe=True)

    def search(self, shape: Shape, query: Query) -> HttpCall:
        options = {
            "$filter": write_filter(query.filter, literal),
            "$expand": ",".join(expand(shape)),
            "$orderby": ",".join(query.order),
            "$format": "json",
            **position(query),
        }
        return HttpCall("GET", target(set_path(shape), options), JSON, safe=True)

    def step(self, shape: Shape, call: StepCall) -> HttpCall:
        match call.kind:
            case "create":
                return HttpCall("POST", set_path(shape), WRITE, dumps(given(call.document or {})))
            case "change":
                headers = WRITE | ({"If-Match": call.etag} if call.etag else {})
                return HttpCall(
                    "PATCH", set_path(shape) + key_segment(call.key, literal), headers, dumps(call.document)
                )
        arguments = {name: literal(value, "text") for name, value in call.arguments.items()}
        headers = JSON | ({"If-Match": call.etag} if call.etag else {})
        return HttpCall("POST", target(f"{shape.native['service']}/{call.name}", arguments), headers, b"")

    def answer(self, shape: Shape, reply: HttpReply) -> Answer:
        return _answer(shape, reply, _one(shape, _d(reply)))

    def written(self, shape: Shape, reply: HttpReply) -> Answer:
        return _answer(shape, reply, heard(shape, reply, _one(shape, _d(reply))))

    def page(self, shape: Shape, query: Query, reply: HttpReply) -> Page:  # one signature for all protocols
        found = _d(reply)
        rows = found.get("results") if isinstance(found, dict) else found
        if not isinstance(rows, list):
            raise AnswerBroken("`d.results` is no list")
        after = found.get("__next") if isinstance(found, dict) else None
        return Page(tuple(_bare(row) for row in rows), cursor(after, query, len(rows)))

    def metadata(self, shape: Shape) -> HttpCall | None:
        return metadata_call(shape)


@lru_cache(maxsize=SHAPES_KEPT)
def _read_options(shape: Shape) -> str:
    return target("", {"$expand": ",".join(expand(shape)), "$format": "json"})


def _one(shape: Shape, found: Any) -> Any:
    """The document in an answer; one that a function gives may stand below the name of its set."""
    return found.get(shape.native["set"], found) if isinstance(found, dict) and len(found) == 1 else found


def _answer(shape: Shape, reply: HttpReply, document: Any) -> Answer:
    if document is None:
        return Answer(etag=reply.headers.get("etag"))
    if not isinstance(document, dict):
        raise AnswerBroken("`d` is no object")
    etag = document.get("__metadata", {}).get("etag") or reply.headers.get("etag")
    key = key_in(shape, document)
    return Answer(_bare(document), etag, key)


def literal(value: Any, kind: str) -> str:
    """Print a value as a V2 literal of `kind`. Source: OData 2.0 URI conventions, section 5."""
    if kind == "date_ms" and value is not None:
        return f"datetime'{_iso(value)}'"
    if kind == "datetime_ms" and value is not None:
        return f"datetimeoffset'{_iso(value)}Z'"
    if kind == "time" and value is not None:
        return f"time'{value}'"
    if kind == "decimal" and value is not None:
        return f"{value}M"
    word = number_or_word(value)
    return text_literal(value) if word is None else word


def _iso(value: str) -> str:
    moment: datetime = datetime_ms().decode(value)
    return f"{moment:%Y-%m-%dT%H:%M:%S}"


def _d(reply: HttpReply) -> Any:
    if reply.status >= 400:  # noqa: PLR2004  # HTTP's own classes
        raise refusal(reply)
    if reply.status == NO_CONTENT or not reply.body:
        return None
    try:
        return loads(reply.body)["d"]
    except (LookupError, TypeError) as err:
        raise AnswerBroken("no `d` in the answer") from err


def _bare(document: NativeDocument) -> NativeDocument:
    """Without the envelope: lists are lists, what was not expanded is absent. The document itself is changed, not a copy."""
    if not isinstance(document, dict):
        raise AnswerBroken("a row is no object")
    for name in [name for name, value in document.items() if value.__class__ is dict]:
        value = document[name]
        if name == "__metadata" or "__deferred" in value:
            del document[name]
            continue
        rows = value.get("results")
        document[name] = [_bare(row) for row in rows] if isinstance(rows, list) else _bare(value)
    return document
