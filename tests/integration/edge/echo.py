"""The smallest gateway: every parser of the edge in a row, then the request is said back."""

from __future__ import annotations

import json
from typing import Any

from gateway.edge.body import read_body
from gateway.edge.headers import clean
from gateway.edge.json_strict import loads
from gateway.edge.limits import EdgeLimits
from gateway.edge.paths import document_key, parse_target, plant_id
from gateway.edge.rejection import render_problem
from gateway.errors import Refused


class Echo:
    """An ASGI app that remembers what it acted on, and what it only began."""

    def __init__(self, limits: EdgeLimits) -> None:
        self.limits = limits
        self.begun = 0
        self.acted: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun += 1
        try:
            seen = await self._act(scope, receive)
            status, body = 200, json.dumps(seen).encode()
        except Refused as error:
            status, _, body = render_problem(error, "echo-request")
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _act(self, scope: Any, receive: Any) -> dict[str, Any]:
        headers = clean(scope["headers"])
        target = parse_target(scope["raw_path"], scope["query_string"])
        if target.segments[:1] == ("plants",):
            plant_id(target.segments[1])
            [document_key(segment) for segment in target.segments[2:]]
        body = await read_body(receive, self.limits)
        if headers.get("content-type") == "application/json":
            loads(body)
        seen = {
            "method": scope["method"],
            "segments": target.segments,
            "headers": dict(headers.items()),
            "body": body.decode("latin-1") if len(body) < 4096 else len(body),
            "client": scope["client"][0],
        }
        self.acted.append(seen)
        return seen
