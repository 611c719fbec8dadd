"""Raw bytes in, raw bytes out: a server on a free port and a client that knows no HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from gateway.edge.http_protocol import uvicorn_options
from gateway.edge.limits import EdgeLimits


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the bytes, whether the server closed, whether it closed hard."""

    raw: bytes
    closed: bool
    was_reset: bool

    @property
    def statuses(self) -> list[int]:
        """The final status of each complete answer, in order."""
        return _statuses(self.raw)


def _statuses(raw: bytes) -> list[int]:
    statuses = []
    while b"\r\n\r\n" in raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        status = int(lines[0].split(b" ")[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        length_bytes = int(headers.get(b"content-length", 0))
        if len(rest) < length_bytes:
            break
        raw = rest[length_bytes:]
        if status >= 200:
            statuses.append(status)
    return statuses


@dataclass
class Client:
    """One connection."""

    address: Address
    socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.socket = socket.create_connection((self.address.host, self.address.port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> bool:
        """Gives: False where the server had already cut the connection."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def read(self, *, answers: int = 1, quiet_s: float = 5.0, settle_s: float = 0.1) -> Reply:
        """Read until the server closes or nothing came for `quiet_s`; `settle_s` once the answers are complete."""
        received = bytearray()
        while True:
            complete = len(_statuses(bytes(received))) >= answers
            self.socket.settimeout(settle_s if complete else quiet_s)
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                return Reply(bytes(received), closed=False, was_reset=False)
            except ConnectionResetError:
                return Reply(bytes(received), closed=True, was_reset=True)
            if not data:
                return Reply(bytes(received), closed=True, was_reset=False)
            received += data


def ask(address: Address, *pieces: bytes, answers: int = 1, quiet_s: float = 5.0, pause_s: float = 0.0) -> Reply:
    """Send the pieces as separate segments and read what comes back."""
    with Client(address) as client:
        for number, piece in enumerate(pieces):
            if number and pause_s:
                time.sleep(pause_s)
            if not client.send(piece):
                break
        return client.read(answers=answers, quiet_s=quiet_s)


@contextlib.contextmanager
def wire_server(app: Any, limits: EdgeLimits, *, loop: str = "uvloop", **options: Any) -> Iterator[Address]:
    """Serve `app` behind the strict protocol on a free port, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    arguments = uvicorn_options(limits) | {"log_level": "critical", "lifespan": "off", "loop": loop} | options
    server = uvicorn.Server(uvicorn.Config(app, **arguments))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    try:
        yield Address("127.0.0.1", listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
