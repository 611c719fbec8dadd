"""The head of an answer of ours, written once and checked (pure): uvicorn would let one through that is framed twice."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

RawHeaders = Iterable[tuple[bytes, bytes]]

_LENGTH = re.compile(rb"[0-9]{1,15}")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TEXT = bytes([9, *range(0x20, 0x7F), *range(0x80, 0x100)])
_CONNECTION_ONLY = frozenset(
    b"keep-alive proxy-connection proxy-authenticate te trailer transfer-encoding upgrade http2-settings".split()
)


def checked_response_headers(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """The headers the application may send: one Content-Length at most, and no framing or hop-by-hop of its own.

    Raises: RuntimeError, for a Content-Length given twice or not a number, or a name that is none; the server makes a 500 of it.
    """
    kept: list[tuple[bytes, bytes]] = []
    lengths = 0
    for name, value in headers:
        key = _lower(name)
        if key in _CONNECTION_ONLY or (key == b"connection" and value.lower() != b"close"):
            continue
        if key == b"content-length":
            lengths += 1
            if lengths > 1 or _LENGTH.fullmatch(value) is None:
                raise RuntimeError("The application gave Content-Length twice, or not as a number.")
        kept.append((key, value))
    return kept


@lru_cache(maxsize=1024)  # an application has few names; its values are what changes
def _lower(name: bytes) -> bytes:
    if _NAME.fullmatch(name) is None:
        raise RuntimeError("The application gave a header name that is none.")
    return name.lower()


def head_bytes(status: int, headers: RawHeaders) -> bytes:
    """The head of an answer, from headers that are checked. Raises: RuntimeError, for a value that would break it apart."""
    lines = [STATUS_LINE[status], *[b"%b: %b\r\n" % pair for pair in headers], b"\r\n"]
    head = b"".join(lines)
    # What is left when all text is deleted must be the line ends written here.
    if head.translate(None, _TEXT) != b"\r\n" * len(lines):
        raise RuntimeError("The application gave a header value that holds a control character.")
    return head
