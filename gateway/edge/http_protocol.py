"""The strict HTTP/1.1 server protocol: uvicorn's httptools protocol, hardened.

The head of each request is cut out of the stream here, checked as bytes and only then given to the parser, which
sees one request at a time: a body by its exact length, chunks as they come. So nothing that follows a request is
parsed before that request is answered. A body that breaks its framing reaches the application as a disconnect.
"""

from __future__ import annotations

import asyncio
import enum
import os
import re
from collections import Counter
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.edge.body_meter import BodyMeter
from gateway.edge.exchange import StrictCycle
from gateway.edge.head import Framing, check_headers, check_lines, check_request_line, check_unfinished
from gateway.edge.limits import EdgeLimits
from gateway.edge.rejection import RenderRejection, answer_bytes, own_request_id, render_problem
from gateway.errors import GatewayError, Malformed, Overloaded, Refused, RequestTimeout

_END_OF_HEAD = b"\r\n\r\n"
# llhttp leaves HTTP when it sees Upgrade; it is shown another name, and the application the true one.
_UPGRADE_LINE = re.compile(rb"(?i)\r\nupgrade(?=:)")
_UPGRADE_ALIAS = b"!pgrade"
_BARE_LF = re.compile(rb"(?<!\r)\n")
_NO_BODY = Framing(0)


class Phase(enum.Enum):
    """What the next byte of the connection belongs to."""

    HEAD = "head"
    LENGTH = "length"
    CHUNKED = "chunked"
    OVER = "over"


class StrictHttpProtocol(HttpToolsProtocol):
    """One connection. `strict_protocol` makes the class that carries the limits."""

    limits: EdgeLimits = EdgeLimits()
    render_rejection: RenderRejection = staticmethod(render_problem)
    peers: Counter[str] = Counter()
    cycle: StrictCycle

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle_until_s: float | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._inbox = bytearray()
        self._phase = Phase.HEAD
        self._timer: asyncio.TimerHandle | None = None
        self._peer: str | None = None
        self._discarded_bytes = 0
        self._meter = BodyMeter(self.limits)
        self._start_message()

    def _start_message(self) -> None:
        self._scanned_bytes = 0
        self._line_checked = False
        self._complete = False
        self._refusal: GatewayError | None = None
        self.headers = []  # those of the request before are no part of a refusal
        self._framing = _NO_BODY
        self._method = b""

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is not None:
            self._peer = self.client[0]
            self.peers[self._peer] += 1
            limit = self.limits.max_connections_per_ip
            if limit is not None and self.peers[self._peer] > limit:
                self._refuse(Overloaded("Too many connections from this address.", retry_after_s=1))
                return
        self._arm_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._phase = Phase.OVER
        self._inbox.clear()
        self._cancel_timer()
        self._forget_idle()
        if self._peer is not None:
            self.peers[self._peer] -= 1
            if not self.peers[self._peer]:
                del self.peers[self._peer]
            self._peer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._phase is Phase.OVER:
            self._discard(len(data))
            return
        self._idle_until_s = None
        self._inbox += data
        try:
            self._advance()
        except Refused as error:
            self._refuse(error)
        except httptools.HttpParserError:
            self._refuse(self._refusal or Malformed("The request is not valid HTTP/1.1."))

    def _advance(self) -> None:
        while self._inbox and self._phase is not Phase.OVER:
            if self._phase is not Phase.HEAD:
                self._take_body()
            elif self._answering():
                self.flow.pause_reading()
                return
            elif not self._take_head():
                break
        if self._timer is None and not self._answering():
            self._arm_head_timer()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # The head

    def _take_head(self) -> bool:
        inbox = self._inbox
        while inbox.startswith(b"\r\n"):
            del inbox[:2]  # RFC 9112 2.2: an empty line before the request is skipped
        end = inbox.find(_END_OF_HEAD, max(0, self._scanned_bytes - 3))
        if end < 0:
            self._watch_unfinished_head()
            return False
        head = bytes(inbox[: end + 4])
        del inbox[: end + 4]
        self._check_line(head)
        check_lines(head, self.limits)
        self._begin(head)
        return True

    def _watch_unfinished_head(self) -> None:
        check_unfinished(self._inbox, self.limits)
        if _BARE_LF.search(self._inbox, self._scanned_bytes):
            raise Malformed("A line does not end with CR LF.")
        if not self._line_checked and b"\r\n" in self._inbox:
            self._check_line(self._inbox)
        self._scanned_bytes = len(self._inbox)

    def _check_line(self, head: bytes | bytearray) -> None:
        line = bytes(head[: head.find(b"\r\n")])
        self._method = line.partition(b" ")[0]
        check_request_line(line, self.limits)
        self._line_checked = True

    def _begin(self, head: bytes) -> None:
        self._cancel_timer()
        self.parser.feed_data(_UPGRADE_LINE.sub(b"\r\n" + _UPGRADE_ALIAS, head))
        if self._complete:
            self._end_message()
            return
        self._phase = Phase.CHUNKED if self._framing.chunked else Phase.LENGTH
        self._meter = BodyMeter(self.limits, self.loop.time())
        self._timer = self.loop.call_later(self.limits.body_grace_s, self._check_body_pace)

    # The body

    def _take_body(self) -> None:
        if self._phase is Phase.LENGTH:
            piece = bytes(self._inbox[: self._framing.length - self._meter.wire_bytes])
            del self._inbox[: len(piece)]
        else:
            piece = bytes(self._inbox)
            self._inbox.clear()
        self._meter.wire_bytes += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserError:
            if not self._complete:
                raise
            # Bytes behind the last chunk came in the same segment. They are not parsed; the client asks again.
            self.cycle.keep_alive = False
        self._meter.check(chunked=self._framing.chunked)
        if self._complete:
            self._end_message()

    def _end_message(self) -> None:
        self._cancel_timer()
        self._phase = Phase.HEAD if self.cycle.keep_alive else Phase.OVER
        self._start_message()

    # What the parser says

    def on_message_begin(self) -> None:
        if self._phase is not Phase.HEAD:
            raise Malformed("A second request follows in the same segment.")
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is not Phase.HEAD:
            return  # a trailer: it may not pose as a header
        name = name.lower()
        if name == b"expect":
            self.expect_100_continue = True
        self.headers.append((b"upgrade" if name == _UPGRADE_ALIAS else name, value))

    def on_headers_complete(self) -> None:
        http_1_0 = self.parser.get_http_version() == "1.0"
        try:
            self._framing = check_headers(self.headers, http_1_0=http_1_0, limits=self.limits)
        except Refused as error:
            self._refusal = error
            raise
        self.expect_100_continue = self.expect_100_continue and not http_1_0
        self._take_target(http_1_0=http_1_0)
        keep_alive = not http_1_0 and self.parser.should_keep_alive()
        # One request at a time: whatever follows waits in the inbox, so there is never an earlier exchange to queue behind.
        self.cycle = self._exchange(keep_alive=keep_alive)
        self._start_asgi_task(self.cycle, self.app)

    def _take_target(self, *, http_1_0: bool) -> None:
        """Path and query as they stand: the target is known to be a path of printable ASCII, without a fragment."""
        raw_path, _, query = self.url.partition(b"?")
        path = raw_path.decode("ascii")
        self.scope["method"] = self._method.decode("ascii")
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"], self.scope["query_string"] = raw_path, query
        if http_1_0:
            self.scope["http_version"] = "1.0"

    def _exchange(self, *, keep_alive: bool) -> StrictCycle:
        return StrictCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,  # ours says more, see observe/logs.py
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    def on_chunk_header(self) -> None:
        try:
            self._meter.add_chunk()
        except Refused as error:
            self._refusal = error
            raise

    def on_body(self, body: bytes) -> None:
        self._meter.body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._complete = True
        super().on_message_complete()

    # The application's side

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self._begin_idle()
        if self._phase is Phase.HEAD:
            if self._inbox:
                self.data_received(b"")
        elif self._phase is not Phase.OVER:
            self._linger()  # answered before the body ended: the rest is not read

    # Time

    def _arm_head_timer(self) -> None:
        self._timer = self.loop.call_later(self.limits.header_timeout_s, self._head_timed_out)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # An idle connection is closed by a timer that outlives the requests: setting one up for each of them costs more than to
    # look, when it fires, whether the connection has been idle for so long.

    def _begin_idle(self) -> None:
        self._idle_until_s = self.loop.time() + self.limits.keep_alive_s
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_at(self._idle_until_s, self._look_if_idle)

    def _look_if_idle(self) -> None:
        self._idle_timer = None
        if self._idle_until_s is None:
            return  # the end of the request that runs sets up the next one
        if self.loop.time() < self._idle_until_s:
            self._idle_timer = self.loop.call_at(self._idle_until_s, self._look_if_idle)
        elif not self.transport.is_closing():
            self.transport.close()

    def _forget_idle(self) -> None:
        self._idle_until_s = None
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _head_timed_out(self) -> None:
        if self._inbox:
            self._refuse(RequestTimeout("The request did not arrive in time."))
        else:
            self.transport.close()

    def _check_body_pace(self) -> None:
        now_s = self.loop.time()
        if self.flow.read_paused:  # the application is the slow one: the client's clock starts again
            self._meter.started_s = now_s
        deadline_s = self._meter.deadline_s()
        if now_s < deadline_s:
            self._timer = self.loop.call_at(deadline_s, self._check_body_pace)
        else:
            self._refuse(RequestTimeout("The request did not arrive in time."))

    # The end

    def _refuse(self, error: GatewayError) -> None:
        """Answer in place of the application, tell it that the client is gone, and end the connection."""
        started = self._abandon()
        if self.transport.is_closing():
            return
        if started:
            self.transport.close()
            return
        request_id = own_request_id(self.headers) or os.urandom(16).hex()
        rendered = self.render_rejection(error, request_id)
        self.transport.write(answer_bytes(rendered, request_id, with_body=self._method != b"HEAD"))
        self._linger()

    def _abandon(self) -> bool:
        """End the running exchange. Gives: whether its answer has already begun."""
        if not self._answering():
            return False
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return self.cycle.begun

    def _linger(self) -> None:
        """Close our half, read on for a moment: closing at once would destroy the answer under way."""
        self._phase = Phase.OVER
        self._inbox.clear()
        self._cancel_timer()
        self._forget_idle()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(self.limits.linger_s, self.transport.close)

    def _discard(self, count_bytes: int) -> None:
        self._discarded_bytes += count_bytes
        if self._discarded_bytes <= self.limits.max_linger_bytes:
            return
        if self._answering() and not self.cycle.disconnected:
            self.flow.pause_reading()
        else:
            self.transport.close()


def strict_protocol(limits: EdgeLimits, render_rejection: RenderRejection = render_problem) -> type[StrictHttpProtocol]:
    """The protocol class to give to `uvicorn.Config(http=...)`; each class counts its own connections."""
    members = {"limits": limits, "render_rejection": staticmethod(render_rejection), "peers": Counter[str]()}
    return type("StrictHttpProtocol", (StrictHttpProtocol,), members)


def uvicorn_options(limits: EdgeLimits, render_rejection: RenderRejection = render_problem) -> dict[str, Any]:
    """The arguments of `uvicorn.Config` without which the protocol class alone would not be strict."""
    return {
        "http": strict_protocol(limits, render_rejection),
        "ws": "none",
        "proxy_headers": False,  # X-Forwarded-For is judged in headers.py, never by the server
        "server_header": False,
    }
