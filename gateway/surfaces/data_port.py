"""The data port: APIs go to the data plane at once, everything else to the pages for people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.edge.rejection import own_request_id
from gateway.observe.trace import continued
from gateway.pipeline.exchange import Clock
from gateway.surfaces.data_plane import DataPlane, Receive, Scope, Send, only

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class DataPort:
    """The ASGI application of the data port. Takes: `pages`, which finds the request's id in its scope as `request_id`."""

    def __init__(self, data_plane: DataPlane, pages: Application, clock: Clock) -> None:
        self._data_plane, self._pages, self._clock = data_plane, pages, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["raw_path"] == b"/api" or scope["raw_path"].startswith((b"/api/", b"/api?")):
            await self._data_plane(scope, receive, send)
        else:
            await self._page(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A page says which request it answers, like every other answer."""
        request_id = own_request_id(scope["headers"]) or self._clock.new_id()
        trace = continued(only(scope["headers"], b"traceparent"), self._clock.new_id())
        more = [(b"x-request-id", request_id.encode("ascii")), (b"traceparent", trace.encode("ascii"))]

        async def named(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        await self._pages({**scope, "request_id": request_id}, receive, named)
