"""One request and its answer on a connection: uvicorn's cycle, its answer checked and sent in one piece."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.edge.response_guard import checked_response_headers, head_bytes

_ONE_WRITE_BYTES = 65_536
_BODILESS = (204, 304)
Message = Any


class StrictCycle(RequestResponseCycle):
    """Holds the head back until the body comes: a second segment costs the system as much as the first.

    `begun` says whether a byte of the answer has left. Source: the ASGI specification, «Response Start».
    """

    begun = False
    _head = b""
    _left_bytes = 0
    """Of the body that Content-Length has promised."""

    async def send(self, message: Message) -> None:
        """Raises: RuntimeError: the application does not keep to ASGI, or its answer would not be whole."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        wanted = "http.response.body" if self.response_started else "http.response.start"
        if self.response_complete or message["type"] != wanted:
            raise RuntimeError(f"The application sent {message['type']!r} in place of {wanted!r}.")
        if self.response_started:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            self._begin(message["status"], message.get("headers", ()))

    def _begin(self, status: int, given: Any) -> None:
        headers = [*self.default_headers, *checked_response_headers(given)]
        values = dict(headers)
        bodiless = status in _BODILESS or self.scope["method"] == "HEAD"
        length = values.get(b"content-length")
        self.chunked_encoding = length is None and not bodiless
        if b"connection" in values:
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        if self.chunked_encoding:
            headers.append((b"transfer-encoding", b"chunked"))
        self._left_bytes = 0 if length is None or bodiless else int(length)
        self._head = head_bytes(status, headers)
        self.response_started = True
        self.waiting_for_100_continue = False

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body = b""
        elif self.chunked_encoding:
            body = _chunk(body, more=more)
        else:
            self._count(len(body), more=more)
        self._write(body)
        if not more:
            self._complete()

    def _count(self, size_bytes: int, *, more: bool) -> None:
        self._left_bytes -= size_bytes
        if self._left_bytes < 0 or (self._left_bytes and not more):
            raise RuntimeError("The body of the answer is not as long as Content-Length says.")

    def _write(self, body: bytes) -> None:
        head, self._head = self._head, b""
        if len(body) > _ONE_WRITE_BYTES:  # a copy would cost more than a second write
            self.transport.writelines([head, body] if head else [body])
        elif head or body:
            self.transport.write(head + body)
        self.begun = True

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


def _chunk(body: bytes, *, more: bool) -> bytes:
    piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return piece if more else piece + b"0\r\n\r\n"
