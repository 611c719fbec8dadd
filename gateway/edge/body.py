"""Read a request body whole, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.edge.limits import EdgeLimits
from gateway.errors import Malformed, TooLarge


async def read_body(
    receive: Callable[[], Awaitable[Mapping[str, Any]]],
    limits: EdgeLimits,
    content_length: int | None = None,
    *,
    most_bytes: int | None = None,
) -> bytes:
    """Read to the end of the body; nothing may be done with a part of it.

    Takes: `most_bytes`, where less is taken here than the limits say.
    Raises: TooLarge; Malformed when the client, or a broken framing, ends the body early.
    """
    most = limits.max_body_bytes if most_bytes is None else min(most_bytes, limits.max_body_bytes)
    if content_length is not None and content_length > most:
        raise _too_large(most)
    pieces: list[bytes] = []
    size_bytes = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Malformed("The body ended before it was complete.")
        piece = message.get("body", b"")
        size_bytes += len(piece)
        if size_bytes > most:
            raise _too_large(most)
        pieces.append(piece)
        if not message.get("more_body", False):
            break
    if content_length is not None and size_bytes != content_length:
        raise Malformed("The body is not as long as Content-Length says.")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large(most_bytes: int) -> TooLarge:
    return TooLarge("The body is too large.", limit_bytes=most_bytes)
