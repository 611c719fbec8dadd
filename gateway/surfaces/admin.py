"""The admin port: health for the orchestrator, metrics for Prometheus, the table in force for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.observe.metrics import CONTENT_TYPE
from gateway.pipeline.exchange import InForce


class Operated(Protocol):
    """What the admin port shows."""

    @property
    def ready(self) -> bool: ...

    @property
    def in_force(self) -> InForce: ...

    def report(self) -> Mapping[str, object]: ...

    async def metrics_text(self) -> bytes: ...


def admin_app(gateway: Operated) -> Starlette:
    """The application of the admin port."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        return JSONResponse(dict(gateway.report()), status_code=200 if gateway.ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(await gateway.metrics_text(), media_type=CONTENT_TYPE)

    async def waves(_: Request) -> Response:
        table = gateway.in_force.table
        cells = [asdict(cell) for _, cell in sorted(table.cells.items())]
        return JSONResponse({"revision": table.revision, "content": gateway.in_force.content.revision, "cells": cells})

    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/admin/v1/waves", waves),
        ]
    )
