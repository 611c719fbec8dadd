"""An ERP that does what a test says: requests in, bytes out, and everything it saw."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.connectors.http import HttpTransport
from gateway.connectors.port import Gauge, Limits

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(slots=True)
class Seen:
    """What reached the ERP."""

    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    ended: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released for each connection that the gateway ended."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def lines(self) -> list[bytes]:
        return [request.partition(b"\r\n")[0] for request in self.requests]


Say = Callable[[Seen, asyncio.StreamWriter], Awaitable[None] | None]


@asynccontextmanager
async def erp(say: Say | bytes = WHOLE, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Seen]:
    """Reads requests and lets `say` answer each; given bytes, says those."""
    seen, tasks = Seen(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        try:
            while True:
                seen.requests.append(await _request(reader))
                if isinstance(say, bytes):
                    writer.write(say)
                elif waiting := say(seen, writer):
                    await waiting
        except (asyncio.IncompleteReadError, ConnectionError):
            seen.ended.release()
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async with listening(accept, tls=tls) as seen.port:
        try:
            yield seen
        finally:
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None],
    port: int = 0,
    *,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """A server on 127.0.0.1 that is closed in the end. Gives: its port."""
    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=tls, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line[16:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")]
    return head + (await reader.readexactly(int(lengths[0])) if lengths else b"")


@asynccontextmanager
async def transport(url: str, *, tls: ssl.SSLContext | None = None, **limits: float) -> AsyncIterator[HttpTransport]:
    made = HttpTransport(url, Limits(**limits), Gauge(), tls=tls)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not [task for task in left if "gateway/connectors" in str(task)], "a task outlived the transport"
