"""What OData V2 and V4 share: keys, literals, filters and the error body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from gateway.core.filters import And, Compare, Filter, Not, Or
from gateway.protocols.json import loads
from gateway.protocols.port import (
    AnswerBroken,
    ErpRefusal,
    HttpCall,
    HttpReply,
    NativeDocument,
    NativeKey,
    Query,
    Shape,
    refusal_kind,
    retry_after_s,
)

Literal = Callable[[Any, str], str]
UNQUOTED = "-._~"
SHAPES_KEPT = 512  # eight objects at each plant that has its own, for every ERP


def text_literal(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def number_or_word(value: Any) -> str | None:
    """Booleans and null, which both versions write alike."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value) if isinstance(value, int) else None


def key_segment(key: NativeKey, literal: Literal) -> str:
    """`('1')` or `(A='1',B='2')`, quoted for a path."""
    if len(key) == 1:
        inner = _quoted(literal(next(iter(key.values())), "text"))
    else:
        inner = ",".join(f"{name}={_quoted(literal(value, 'text'))}" for name, value in key.items())
    return f"({inner})"


def _quoted(text: str) -> str:
    plain = text[1:-1]  # nearly every key is letters and digits between apostrophes
    return text if plain.isalnum() and plain.isascii() and text[0] == text[-1] == "'" else quote(text, safe="'")


def write_filter(where: Filter, literal: Literal) -> str:
    """Print a filter; nothing of it is ever concatenated from a caller's text."""
    match where:
        case Compare(field, op, value, kind):
            return f"{field.replace('.', '/')} {op} {literal(value, kind)}"
        case Not(part):
            return f"not ({write_filter(part, literal)})"
        case And(parts):
            return " and ".join(f"({write_filter(p, literal)})" for p in parts)
        case Or(parts):
            return " or ".join(f"({write_filter(p, literal)})" for p in parts) or "1 eq 2"


def target(base: str, options: Mapping[str, str | None]) -> str:
    """A path with its query options; the names of options start with $ and stay readable."""
    query = "&".join(f"{name}={quote(value, safe=UNQUOTED)}" for name, value in options.items() if value)
    return f"{base}?{query}" if query else base


def set_path(shape: Shape) -> str:
    return f"{shape.native['service']}/{shape.native['set']}"


def metadata_call(shape: Shape) -> HttpCall:
    return HttpCall("GET", f"{shape.native['service']}/$metadata", {"Accept": "application/xml"}, safe=True)


def key_in(shape: Shape, document: NativeDocument) -> NativeKey | None:
    return {name: document[name] for name in shape.native["key"] if name in document} or None


def given(document: NativeDocument) -> NativeDocument:
    """A new document without its nulls: a create leaves out what it does not know."""
    return {
        name: [given(row) for row in value] if isinstance(value, list) else value
        for name, value in document.items()
        if value is not None
    }


def position(query: Query) -> dict[str, str]:
    """The query options that start a page."""
    if query.cursor is None:
        return {"$top": str(query.limit)}
    kind, _, value = query.cursor.partition(":")
    return {"$skiptoken": value} if kind == "token" else {"$skip": value, "$top": str(query.limit)}


def cursor(after: Any, query: Query, count: int) -> str | None:
    """Where the next page starts: the server's own token, or a count of the rows so far where it only cut at $top."""
    if isinstance(after, str):
        options = parse_qs(urlsplit(after).query)
        for name, kind in (("$skiptoken", "token"), ("$skip", "skip")):
            if name in options:
                return f"{kind}:{options[name][0]}"
        raise AnswerBroken("a next link without a place to go on")
    if count < query.limit:
        return None
    kind, _, value = (query.cursor or "skip:0").partition(":")
    return f"skip:{int(value) + count}" if kind == "skip" else None


def refusal(reply: HttpReply) -> ErpRefusal:
    """Read an error answer of either version. Raises: AnswerBroken: a 5xx that is no OData error."""
    kind = refusal_kind(reply.status)
    wait = retry_after_s(reply.headers)
    try:
        error = loads(reply.body)["error"]
        message, code = error.get("message", ""), error.get("code")
    except (AnswerBroken, LookupError, TypeError, AttributeError) as err:
        if kind == "failed":
            raise AnswerBroken(f"status {reply.status} without an OData error") from err
        return ErpRefusal(kind, f"status {reply.status}", retry_after_s=wait)
    text = message.get("value", "") if isinstance(message, dict) else str(message)
    first = _detail(error)
    return ErpRefusal(
        kind,
        first.get("message") or text,
        field=first.get("propertyref") or first.get("target") or error.get("target") or None,
        code=str(code) if code else None,
        retry_after_s=wait,
    )


def _detail(error: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = error.get("innererror")
    details = error.get("details") or (inner.get("errordetails") if isinstance(inner, dict) else None) or ()
    rows = [d for d in details if isinstance(d, dict)]
    errors = [d for d in rows if d.get("severity", "error") == "error" and (d.get("propertyref") or d.get("target"))]
    return errors[0] if errors else {}


def expand(shape: Shape) -> list[str]:
    """The navigation paths that lead to the nested lists, outer before inner."""
    found = []
    for path, inner in shape.lists.items():
        here = "/".join(path)
        found.append(here)
        found.extend(f"{here}/{deeper}" for deeper in expand(inner))
    return found
