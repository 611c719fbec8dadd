"""What a client sees when its request never reached the application."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus

from gateway.errors import (
    ExpectationFailed,
    GatewayError,
    HeadersTooLarge,
    MethodNotAllowed,
    Overloaded,
    TooLarge,
    UriTooLong,
)

RenderRejection = Callable[[int, str, str], bytes]
"""(status, code, detail) to the bytes of a problem document."""

STATUS: dict[type[GatewayError], int] = {
    TooLarge: 413,
    UriTooLong: 414,
    HeadersTooLarge: 431,
    MethodNotAllowed: 405,
    ExpectationFailed: 417,
    Overloaded: 503,
}
REQUEST_TIMEOUT = (408, "request-timeout", "The request did not arrive in time.")


def render_problem(status: int, code: str, detail: str) -> bytes:
    """The default problem document. Source: RFC 9457."""
    title = HTTPStatus(status).phrase
    document = {"type": f"urn:changeover:problem:{code}", "title": title, "status": status, "detail": detail}
    return json.dumps(document | {"code": code}, separators=(",", ":")).encode()


def answer_bytes(status: int, body: bytes, *, allow: list[str], with_body: bool) -> bytes:
    """A whole HTTP/1.1 answer that ends the connection."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "connection: close",
    ]
    if allow:
        lines.append(f"allow: {', '.join(allow)}")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        lines.append("retry-after: 1")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
    return head + body if with_body else head
