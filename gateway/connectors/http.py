"""The only sockets to ERPs: HTTP/1.1 with kept connections, bounded answers and an honest account of what was sent.

Nothing is ever sent twice here. A request is written to a connection that is known to be open; whatever happens after that
is for the caller to judge.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict, deque

from gateway.connectors.dial import Dialer
from gateway.connectors.message import Origin
from gateway.connectors.port import Gauge, Limits, NotSent
from gateway.connectors.wire import Wire
from gateway.protocols.port import HttpCall, HttpReply

# With more at once our own loop would be too busy with the last ones to notice that the first ones are there.
_DIALS_AT_ONCE = 64


class HttpTransport:
    """One ERP's base URL with its own pool. Nothing of a client's request reaches it but what a protocol codec wrote."""

    def __init__(self, base_url: str, limits: Limits, gauge: Gauge, *, tls: ssl.SSLContext | None = None) -> None:
        self._base_url, self._limits, self._gauge, self._tls = base_url, limits, gauge, tls
        self._opened: tuple[Origin, Pool] | None = None

    def _open(self) -> tuple[Origin, Pool]:
        try:
            origin = Origin(self._base_url)
        except ValueError as err:
            raise NotSent(str(err)) from err
        dialer = Dialer(origin, self._limits.connect_timeout_s, self._tls)
        self._opened = origin, Pool(dialer, self._limits, self._gauge)
        return self._opened

    async def exchange(self, call: HttpCall, timeout_s: float) -> HttpReply:
        """Send and read to the end. Raises: NotSent, NoAnswer."""
        if timeout_s <= 0:
            raise NotSent("no time left")
        origin, pool = self._opened or self._open()
        head, body = origin.request(call)
        deadline_s = pool.now() + timeout_s
        wire = await pool.take(deadline_s)
        try:
            return await wire.exchange(call.method, head, body, deadline_s)
        finally:
            pool.put(wire)

    async def close(self) -> None:
        """Close every connection, busy ones too, and wait until the sockets are gone."""
        if self._opened is not None:
            await self._opened[1].close()


class Pool:
    """Connections to one ERP: the last one used goes first, and those who find none wait in line.

    `now` is the clock of the event loop it was made in, and lives in.
    """

    def __init__(self, dialer: Dialer, limits: Limits, gauge: Gauge) -> None:
        self.now = asyncio.get_running_loop().time
        self._dialer, self._limits, self._gauge = dialer, limits, gauge
        self._idle: deque[Wire] = deque()  # the longest idle first; some may have ended meanwhile
        self._wires: set[Wire] = set()
        self._dialing: set[asyncio.Task[Wire]] = set()
        self._waiting: OrderedDict[asyncio.Future[Wire | NotSent], None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self, deadline_s: float) -> Wire:
        """A connection to write to, at once. Raises: NotSent."""
        wire = self._kept()
        while wire is None:
            wire = await self._next(deadline_s)
            if not wire.fit():
                wire.abort()
                if not wire.served:
                    raise NotSent("the connection ended before anything was sent")
                wire = self._kept()
        self._gauge.reused += wire.served > 0
        return wire

    def put(self, wire: Wire) -> None:
        """Give back what was taken."""
        if not wire.open:
            return
        if self._limits.keep_alive_s > 0:
            self._offer(wire)
        else:
            wire.abort()

    async def close(self) -> None:
        """Nobody gets anything any more. Returns when the sockets are gone."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while waiter := self._first():
            waiter.set_result(NotSent("the connector was closed"))
        for task in self._dialing:
            task.cancel()
        for wire in tuple(self._wires):
            wire.abort()
        await asyncio.gather(*self._dialing, *(wire.gone for wire in self._wires), return_exceptions=True)

    # Kept connections

    def _kept(self) -> Wire | None:
        expired_s = self.now() - self._limits.keep_alive_s
        while self._idle:
            wire = self._idle.pop()
            if wire.idle_since_s > expired_s and wire.fit():
                return wire
            wire.abort()
        return None

    def _offer(self, wire: Wire) -> None:
        """To whoever waits longest, or to the idle ones."""
        if self._closed:
            wire.abort()
            return
        if waiter := self._first():
            waiter.set_result(wire)
            return
        wire.idle_since_s = self.now()
        self._idle.append(wire)
        self._watch()

    def _watch(self) -> None:
        if self._timer is None and self._idle:
            due_s = self._idle[0].idle_since_s + self._limits.keep_alive_s
            self._timer = asyncio.get_running_loop().call_at(due_s, self._expire)

    def _expire(self) -> None:
        self._timer = None
        expired_s = self.now() - self._limits.keep_alive_s
        while self._idle and (self._idle[0].idle_since_s <= expired_s or not self._idle[0].open):
            self._idle.popleft().abort()
        self._watch()

    # New connections

    async def _next(self, deadline_s: float) -> Wire:
        """The next connection that is free: a new one, or an old one if that comes first."""
        if self._closed:
            raise NotSent("the connector is closed")
        waiter: asyncio.Future[Wire | NotSent] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = None
        self._dial()
        try:
            async with asyncio.timeout_at(deadline_s):
                found = await waiter
        except BaseException as err:
            self._forget(waiter)
            if isinstance(err, TimeoutError):
                raise NotSent("no connection in time") from err
            raise
        if isinstance(found, NotSent):
            raise found
        return found

    def _forget(self, waiter: asyncio.Future[Wire | NotSent]) -> None:
        """Who stops waiting may have been given a connection in the same moment: somebody else can use it."""
        self._waiting.pop(waiter, None)
        if waiter.done() and not waiter.cancelled() and isinstance(found := waiter.result(), Wire) and found.open:
            self._offer(found)

    def _first(self) -> asyncio.Future[Wire | NotSent] | None:
        while self._waiting:
            waiter, _ = self._waiting.popitem(last=False)
            if not waiter.done():
                return waiter
        return None

    def _dial(self) -> None:
        """As many dials as there are calls waiting, within the ERP's limit and ours."""
        room = self._limits.concurrency - len(self._wires) - len(self._dialing)
        wanted = min(len(self._waiting), _DIALS_AT_ONCE) - len(self._dialing)
        for _ in range(min(room, wanted)):
            task = asyncio.create_task(self._dialer.dial(self._make))
            self._dialing.add(task)
            task.add_done_callback(self._dialled)

    def _make(self) -> Wire:
        return Wire(self._limits.max_answer_bytes, self._lost)

    def _dialled(self, task: asyncio.Task[Wire]) -> None:
        self._dialing.discard(task)
        if task.cancelled():
            return
        err = task.exception()
        if err is not None:
            self._fail(err if isinstance(err, NotSent) else NotSent(repr(err)))
        elif not task.result().open:
            self._fail(NotSent("the connection ended before anything was sent"))
        else:
            self._gauge.opened += 1
            self._wires.add(task.result())
            self._offer(task.result())
        self._dial()

    def _fail(self, err: NotSent) -> None:
        if waiter := self._first():
            waiter.set_result(err)

    def _lost(self, wire: Wire) -> None:
        self._wires.discard(wire)
        if not self._closed:
            self._dial()
