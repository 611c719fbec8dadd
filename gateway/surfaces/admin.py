"""The admin port: health for the orchestrator, metrics for Prometheus, the table in force for people."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.control.content import Content
from gateway.control.told import backlog_told
from gateway.errors import UnknownResource
from gateway.observe.metrics import CONTENT_TYPE
from gateway.pipeline.exchange import InForce
from gateway.store.sql import StoreDown
from gateway.surfaces.admin_journal import journal_routes, problem_told
from gateway.surfaces.docs import problem_routes


class Operated(Protocol):
    """What the admin port shows."""

    @property
    def ready(self) -> bool: ...

    @property
    def in_force(self) -> InForce: ...

    def report(self) -> Mapping[str, object]: ...

    async def metrics_text(self) -> bytes: ...

    async def content_of(self, revision_: str) -> Content: ...


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

    async def backlog(_: Request) -> Response:
        writes = gateway.in_force.writes
        try:
            rows = await writes.journal.backlog() if writes is not None else []
        except StoreDown as err:
            return JSONResponse({"error": str(err)}, status_code=503)
        return JSONResponse({"backlog": backlog_told(rows, time.time_ns() // 1000)})

    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/admin/v1/waves", waves),
            Route("/admin/v1/backlog", backlog),
            *journal_routes(gateway),
            *problem_routes(home=None),
        ],
        exception_handlers={404: _nothing, UnknownResource: _nothing},
    )


async def _nothing(_: Request, error: Exception) -> Response:
    return problem_told(error if isinstance(error, UnknownResource) else UnknownResource("There is nothing here."))
