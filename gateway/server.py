"""Runs a gateway: two ports, one event loop, and a drain that lets running requests finish."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from gateway.app import Gateway
from gateway.assembly import CLOCK, edge_limits
from gateway.edge.http_protocol import uvicorn_options
from gateway.edge.rejection import Rendered, RenderRejection
from gateway.errors import GatewayError
from gateway.observe.logs import access, log
from gateway.problem import rendered
from gateway.settings import Settings
from gateway.store.engine import Store
from gateway.surfaces.admin import admin_app
from gateway.surfaces.data_plane import DataPlane
from gateway.surfaces.data_port import DataPort
from gateway.surfaces.docs import docs_app

_COLLECTOR = (10_000, 20, 20)  # new containers until a look at the youngest; looks until one at the older ones


class _Server(uvicorn.Server):
    """A server that leaves signals to us: both ports stop together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: Any, settings: Settings, port: int, **more: Any) -> _Server:
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        date_header=True,
        timeout_graceful_shutdown=int(settings.drain_s),
        **more,
    )
    return _Server(config)


async def serve(settings: Settings, started: Callable[[int, int], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises: what Gateway.start() raises."""
    gateway = Gateway(settings, Store(settings.database_url))
    limits = edge_limits(settings)
    try:
        await gateway.start()
        _spare_the_collector()
        data_plane = DataPlane(gateway, CLOCK, limits, gateway.metrics)
        pages = docs_app(lambda: gateway.in_force)
        data = _server(
            DataPort(data_plane, pages, CLOCK),
            settings,
            settings.port,
            timeout_keep_alive=int(settings.keep_alive_s),
            **uvicorn_options(limits, _refusals(settings.public_url.rstrip("/"))),
        )
        admin = _server(admin_app(gateway), settings, settings.admin_port)
        await _run(gateway, data, admin, settings, started)
    finally:
        await gateway.stop()
        access.flush()


def _refusals(public_url: str) -> RenderRejection:
    """How the data port answers what never became a request: in the words of every other problem, and with a line in the log."""

    def render(error: GatewayError, request_id: str) -> Rendered:
        made = rendered(error, request_id, public_url)
        log.info("request.refused", request_id=request_id, status=made[0], code=error.code)
        return made

    return render


def _spare_the_collector() -> None:
    """What the start made stays: it need not be looked at again with every few requests, nor these so often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTOR)


async def _run(
    gateway: Gateway, data: _Server, admin: _Server, settings: Settings, started: Callable[[int, int], None] | None
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.create_task(server.serve()) for server in (data, admin)]
    while not (data.started and admin.started) and not any(t.done() for t in tasks):  # noqa: ASYNC110  # uvicorn has no event
        await asyncio.sleep(0.01)
    if data.started and admin.started:
        ports = tuple(s.servers[0].sockets[0].getsockname()[1] for s in (data, admin))
        log.info("serving", port=ports[0], admin_port=ports[1])
        if started is not None:
            started(*ports)
        await asyncio.wait([asyncio.create_task(stop.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED)
    await _drain(gateway, data, admin, tasks, settings)


async def _drain(
    gateway: Gateway, data: _Server, admin: _Server, tasks: list[asyncio.Task[None]], settings: Settings
) -> None:
    """Say «not ready», refuse what is new, let what runs finish, then close the ports."""
    log.info("draining", seconds=settings.drain_s)
    gateway.draining = True
    data.should_exit = True
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.shield(tasks[0]), settings.drain_s + 5)
    admin.should_exit = True
    await asyncio.gather(*tasks, return_exceptions=True)
    log.info("stopped")
