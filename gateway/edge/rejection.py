"""What a client sees when its request never reached the application."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus

from gateway.errors import (
    ExpectationFailed,
    GatewayError,
    HeadersTooLarge,
    MethodNotAllowed,
    Overloaded,
    RequestTimeout,
    TooLarge,
    UriTooLong,
)

Rendered = tuple[int, list[tuple[str, str]], bytes]
RenderRejection = Callable[[GatewayError, str], Rendered]
"""(error, request id) to the status, the headers and the bytes of a problem document."""

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
STATUS: dict[type[GatewayError], int] = {
    RequestTimeout: 408,
    TooLarge: 413,
    UriTooLong: 414,
    HeadersTooLarge: 431,
    MethodNotAllowed: 405,
    ExpectationFailed: 417,
    Overloaded: 503,
}


def render_problem(error: GatewayError, request_id: str) -> Rendered:
    """The default problem document. Source: RFC 9457."""
    status = STATUS.get(type(error), 400)
    document = {
        "type": f"urn:changeover:problem:{error.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.detail,
        "instance": f"urn:request:{request_id}",
        "code": error.code,
    }
    body = json.dumps(document, separators=(",", ":")).encode()
    return status, [("content-type", "application/problem+json"), *_more(error)], body


def _more(error: GatewayError) -> Iterator[tuple[str, str]]:
    if allow := error.extra.get("allow"):
        yield "allow", ", ".join(allow)
    if wait_s := error.extra.get("retry_after_s"):
        yield "retry-after", str(wait_s)


def own_request_id(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The id that the caller gave its request, where it is a sound one."""
    given = [value.decode("latin-1") for name, value in headers if name == b"x-request-id"]
    return given[0] if len(given) == 1 and REQUEST_ID.fullmatch(given[0]) else None


def answer_bytes(rendered: Rendered, request_id: str, *, with_body: bool) -> bytes:
    """A whole HTTP/1.1 answer that ends the connection."""
    status, headers, body = rendered
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        *(f"{name}: {value}" for name, value in headers),
        f"content-length: {len(body)}",
        f"x-request-id: {request_id}",
        "cache-control: no-store",
        "connection: close",
    ]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
    return head + body if with_body else head
