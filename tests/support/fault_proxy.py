"""A TCP proxy that breaks connections on purpose: what neither real ERP can be made to do.

One rule per connection, in order; a connection without a rule gets what `otherwise` says, and that is to pass. Count
connections, or keep no connection alive, when a test has several requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Pass:
    """Carry everything."""


@dataclass(frozen=True, slots=True)
class ResetConnect:
    """Reset at once: the server never hears of it."""


@dataclass(frozen=True, slots=True)
class Blackhole:
    """Take the connection and say nothing, then reset."""

    for_s: float


@dataclass(frozen=True, slots=True)
class CutRequest:
    """Reset after so many bytes of the request have gone through."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class LoseResponse:
    """Reset when the server answers: its write is committed, and the client cannot know."""


@dataclass(frozen=True, slots=True)
class CutResponse:
    """Reset after so many bytes of the answer have gone through."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class DelayResponse:
    """Hold the answer back for a while."""

    for_s: float


Rule = Pass | ResetConnect | Blackhole | CutRequest | LoseResponse | CutResponse | DelayResponse


class FaultProxy:
    """`async with FaultProxy(host, port) as proxy:` then append to `proxy.rules` and connect to `proxy.port`."""

    def __init__(self, host: str, port: int) -> None:
        self.upstream = (host, port)
        self.rules: list[Rule] = []
        self.otherwise: Callable[[], Rule] = Pass
        self.connections_seen = 0
        self.lost_bytes = b""  # the answer that LoseResponse swallowed, for a test that wants to see it
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own, because asyncio would complain about its own being cancelled at the end.
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_seen += 1
        rule = self.rules.pop(0) if self.rules else self.otherwise()
        try:
            if isinstance(rule, Blackhole):
                await asyncio.sleep(rule.for_s)
            if not isinstance(rule, ResetConnect | Blackhole):
                await self._carry(rule, reader, writer)
                return
            _reset(writer)
        finally:
            writer.close()

    async def _carry(self, rule: Rule, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(*self.upstream)
        up = asyncio.create_task(_carry_request(rule, reader, to_server, writer))
        try:
            with contextlib.suppress(OSError):
                await self._carry_response(rule, from_server, writer)
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
            to_server.close()

    async def _carry_response(
        self, rule: Rule, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        left = rule.after_bytes if isinstance(rule, CutResponse) else None
        while data := await from_server.read(CHUNK_BYTES):
            if isinstance(rule, LoseResponse):
                self.lost_bytes += data
                return _reset(writer)
            if isinstance(rule, DelayResponse):
                await asyncio.sleep(rule.for_s)
            writer.write(data[:left])
            await writer.drain()
            if left is not None and (left := left - len(data)) <= 0:
                return _reset(writer)
        return None


async def _carry_request(
    rule: Rule, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter, writer: asyncio.StreamWriter
) -> None:
    left = rule.after_bytes if isinstance(rule, CutRequest) else None
    while data := await reader.read(CHUNK_BYTES):
        to_server.write(data[:left])
        await to_server.drain()
        if left is not None and (left := left - len(data)) <= 0:
            # Both ends are reset, or the server would wait for the rest.
            _reset(to_server)
            return _reset(writer)
    if to_server.can_write_eof():
        to_server.write_eof()
    return None


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST instead of FIN."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
