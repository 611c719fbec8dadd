"""Stop an answer of ours that would be framed twice: uvicorn lets it through."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Message = Any
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

_LENGTH = re.compile(rb"[0-9]{1,15}")
_CONNECTION_ONLY = frozenset(
    b"keep-alive proxy-connection proxy-authenticate te trailer transfer-encoding upgrade http2-settings".split()
)


def checked_response_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers the application may send: one Content-Length at most, and no framing or hop-by-hop of its own.

    Raises: RuntimeError, for a Content-Length given twice or not a number; the server makes a 500 of it.
    """
    kept: list[tuple[bytes, bytes]] = []
    lengths = 0
    for name, value in headers:
        key = name.lower()
        if key in _CONNECTION_ONLY or (key == b"connection" and value.lower() != b"close"):
            continue
        if key == b"content-length":
            lengths += 1
            if lengths > 1 or _LENGTH.fullmatch(value) is None:
                raise RuntimeError("The application gave Content-Length twice, or not as a number.")
        kept.append((key, value))
    return kept


def guarded(app: Application) -> Application:
    """The same application, its response headers checked."""

    async def guarded_app(scope: Any, receive: Receive, send: Send) -> None:
        async def checked_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = message | {"headers": checked_response_headers(message.get("headers", ()))}
            await send(message)

        await app(scope, receive, checked_send)

    return guarded_app
