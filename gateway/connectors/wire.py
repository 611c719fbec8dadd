"""One connection to an ERP: one exchange at a time, and closed as soon as anything about it is odd."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import cast

from gateway.connectors.message import Answer
from gateway.connectors.port import NoAnswer, NotSent, TooSlow
from gateway.protocols.port import HttpReply

_ONE_WRITE_BYTES = 65_536


class Wire(asyncio.Protocol):
    """Takes: `lost`, called when the socket is gone.

    `gone` ends then, too. `served` counts the exchanges so far; `idle_since_s` is a note of the pool's, on the loop's clock.
    """

    def __init__(self, max_answer_bytes: int, lost: Callable[[Wire], None]) -> None:
        self.served, self.idle_since_s = 0, 0.0
        self._loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self._max_answer_bytes, self._lost = max_answer_bytes, lost
        self._transport: asyncio.Transport | None = None
        self._unwanted = self._tls = False
        self._ear = select.poll()
        self._answer: Answer | None = None
        self._outcome: asyncio.Future[HttpReply | NoAnswer] | None = None
        self._deadline_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = 0.0

    # What the pool does with it

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._unwanted and not self._transport.is_closing()

    def fit(self) -> bool:
        """Whether a request may be written: the ERP has nothing to say yet, neither goodbye nor an answer nobody asked for."""
        return self.open and (self._has_tickets() or not self._ear.poll(0))

    def _has_tickets(self) -> bool:
        """TLS may speak first, once: session tickets follow the handshake."""
        return self._tls and not self.served

    async def exchange(self, method: str, head: bytes, body: bytes, deadline_s: float) -> HttpReply:
        """Write once and read to the end. Raises: NotSent, NoAnswer; the connection is closed then, and when cancelled."""
        self._answer, self._outcome = Answer(method, self._max_answer_bytes), self._loop.create_future()
        try:
            self._set_deadline(deadline_s)
            self._write(head, body)
            outcome = await self._outcome
        except BaseException:
            self.abort()
            raise
        finally:
            self._answer = self._outcome = None
        self.served += 1
        if isinstance(outcome, NoAnswer):
            raise outcome
        return outcome

    def _write(self, head: bytes, body: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise NotSent("the connection ended before anything was sent")
        if len(body) > _ONE_WRITE_BYTES:  # a copy would cost more than a second write
            transport.write(head)
            transport.write(body)
        else:
            transport.write(head + body)

    def _set_deadline(self, deadline_s: float) -> None:
        """One timer serves many exchanges: it looks, when it fires, at the deadline of the one that is then under way."""
        self._deadline_s = deadline_s
        if self._timer is not None and self._timer_s > deadline_s:
            self._cancel_timer()
        if self._timer is None:
            self._timer, self._timer_s = self._loop.call_at(deadline_s, self._time_up), deadline_s

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abort(self) -> None:
        """Close at once, without a goodbye: an exchange under way ends with NoAnswer."""
        self._unwanted = True
        if self._transport is not None:
            self._transport.abort()

    # What the event loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        if self._unwanted:
            self._transport.abort()
            return
        self._tls = transport.get_extra_info("sslcontext") is not None
        self._ear.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._outcome is None or self._outcome.done():
            self.abort()  # nobody asked: read later, it would be taken for the answer to the next request
            return
        try:
            reply = self._answer.feed(data)
        except NoAnswer as err:
            self._end(err)
            return
        if reply is not None:
            self._outcome.set_result(reply)
            if not self._answer.reusable or self._unsent():
                self.abort()

    def _unsent(self) -> bool:
        """Whether the ERP answered before it had the whole request: what it would make of the rest nobody knows."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    def eof_received(self) -> None:
        self._end(NoAnswer("the connection ended before the answer did"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        self._end(NoAnswer(str(exc or "") or "the connection ended before the answer did"))
        if not self.gone.done():
            self.gone.set_result(None)
        self._lost(self)

    def _time_up(self) -> None:
        self._timer = None
        if self._outcome is None:
            return
        if self._loop.time() < self._deadline_s:
            self._set_deadline(self._deadline_s)
        else:
            self._end(TooSlow("no answer in time"))

    def _end(self, outcome: NoAnswer) -> None:
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(outcome)
        self.abort()
