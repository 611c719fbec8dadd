"""The data port: APIs go to the data plane at once, everything else to the pages for people."""

from __future__ import annotations

from gateway.surfaces.data_plane import DataPlane, Receive, Scope, Send


class DataPort:
    """The ASGI application of the data port."""

    def __init__(self, data_plane: DataPlane, pages: object) -> None:
        self._data_plane, self._pages = data_plane, pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (scope["type"] == "http" and scope["raw_path"].startswith((b"/api/", b"/api?"))) or scope.get(
            "raw_path"
        ) == b"/api":
            await self._data_plane(scope, receive, send)
        elif scope["type"] == "http":
            await self._pages(scope, receive, send)  # type: ignore[operator]  # any ASGI application
