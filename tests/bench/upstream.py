"""A fixed ERP on a socket: answers reads and creates byte for byte, at once or after a delay. Run in a process of its own.

`python -m tests.bench.upstream PORT DELAY_MS READ_FILE CREATED_FILE`, where `@number@` stands for a number that each create gets
for itself. `GET /peak` tells the most calls held at one moment, `GET /created` how many documents were created.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from tests.bench.nginx import TOKEN

NUMBER = b"@number@"
_HEAD = (
    b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nDataServiceVersion: 2.0\r\nX-CSRF-Token: fixed\r\n"
    b"Content-Length: %d\r\n\r\n"
)


def answer(status: int, body: bytes) -> bytes:
    return _HEAD % (status, len(body)) + body


class FixedErpProtocol(asyncio.Protocol):
    """One connection; requests come one after the other, as keep-alive clients send them."""

    held = peak = created = 0

    def __init__(self, read: bytes, created: list[bytes], delay_s: float) -> None:
        self._read, self._around, self._delay_s = read, created, delay_s
        self._inbox = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop's is no subclass
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        end = self._inbox.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._inbox[:end].lower()
        _, found, rest = head.partition(b"\r\ncontent-length:")
        needed = end + 4 + (int(rest.partition(b"\r\n")[0]) if found else 0)
        if len(self._inbox) >= needed:
            self._inbox = self._inbox[needed:]
            self._take(head)

    def _take(self, head: bytes) -> None:
        if head.startswith(b"get /peak"):
            self._transport.write(answer(200, b"%d" % FixedErpProtocol.peak))
            return
        if head.startswith(b"get /created"):
            self._transport.write(answer(200, b"%d" % FixedErpProtocol.created))
            return
        if head.startswith(b"post /oauth/token"):
            self._transport.write(answer(200, TOKEN.encode()))
            return
        reply = self._new() if head.startswith(b"post") else self._read
        if not self._delay_s:
            self._transport.write(reply)
            return
        FixedErpProtocol.held += 1
        FixedErpProtocol.peak = max(FixedErpProtocol.peak, FixedErpProtocol.held)
        asyncio.get_running_loop().call_later(self._delay_s, self._give, reply)

    def _new(self) -> bytes:
        FixedErpProtocol.created += 1
        return answer(201, (b"%012d" % FixedErpProtocol.created).join(self._around))

    def _give(self, reply: bytes) -> None:
        FixedErpProtocol.held -= 1
        if not self._transport.is_closing():
            self._transport.write(reply)


async def serve(port: int, delay_ms: float, read: bytes, created: bytes) -> None:
    """Serve for ever."""
    reply, around = answer(200, read), created.split(NUMBER)
    server = await asyncio.get_running_loop().create_server(
        lambda: FixedErpProtocol(reply, around, delay_ms / 1000), "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    bodies = [Path(name).read_bytes() for name in sys.argv[3:5]]
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2]), *bodies))
