"""Running a simulated ERP on a socket: in a thread for tests, in a process for demos."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from gateway.sim.erps.apps import ErpApp


def server_of(app: ErpApp, host: str, port: int) -> uvicorn.Server:
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, server_header=False, lifespan="off"
    )
    return uvicorn.Server(config)


@contextmanager
def running(app: ErpApp, *, start_within_s: float = 30.0) -> Iterator[str]:
    """Serve `app` from a thread on a free port of 127.0.0.1. Gives the base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = server_of(app, "127.0.0.1", listener.getsockname()[1])
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + start_within_s
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the simulated ERP did not start")
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
