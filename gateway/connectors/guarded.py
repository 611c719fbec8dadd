"""One ERP behind its guard: deadline, concurrency, breaker, session; and the line between «not sent» and «outcome unknown»."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from gateway.connectors.port import Gauge, Limits, NoAnswer, NotSent, Session, TooSlow, Transport
from gateway.core import breaker as circuit
from gateway.errors import ErpAnswerBroken, ErpBusy, ErpDown, ErpTimeout, OutcomeUnknown, Overloaded
from gateway.protocols.port import (
    Answer,
    AnswerBroken,
    ErpRefusal,
    HttpCall,
    HttpReply,
    NativeKey,
    Page,
    ProtocolCodec,
    Query,
    Reference,
    ReferenceCodec,
    Shape,
    StepCall,
)

T = TypeVar("T")
_SERVER_ERROR = 500
_LOOKUPS_KEPT = 10_000


class GuardedConnector:
    """The connector of one ERP. `name` appears in errors and metrics."""

    def __init__(  # the composition root's list
        self, name: str, codec: ProtocolCodec, transport: Transport, session: Session, limits: Limits, gauge: Gauge
    ) -> None:
        self.name, self.gauge = name, gauge
        self._codec, self._transport, self._session, self._limits = codec, transport, session, limits
        self._room = asyncio.Semaphore(limits.concurrency)
        self._breaker = circuit.Breaker(limits.breaker_failures, limits.breaker_open_s)
        self._busy_until_s = 0.0
        self._ids: dict[tuple[str, tuple[tuple[str, Any], ...]], int] = {}
        # Asked once: looking for the methods of a protocol costs as much as a translation.
        self._references = codec if isinstance(codec, ReferenceCodec) else None

    async def read(self, shape: Shape, key: NativeKey, deadline_s: float) -> Answer:
        reply = await self._ask(self._codec.read(shape, key), deadline_s)
        return self._understood(lambda: self._codec.answer(shape, reply))

    async def search(self, shape: Shape, query: Query, deadline_s: float) -> Page:
        reply = await self._ask(self._codec.search(shape, query), deadline_s)
        return self._understood(lambda: self._codec.page(shape, query, reply))

    async def metadata(self, shape: Shape, deadline_s: float) -> bytes:
        call = self._codec.metadata(shape)
        if call is None:
            raise ErpAnswerBroken(f"the protocol of {self.name} describes nothing", erp=self.name)
        reply = await self._ask(call, deadline_s)
        if reply.status >= 400:  # noqa: PLR2004  # HTTP's own classes
            raise ErpAnswerBroken(f"{self.name} answered {reply.status} to a request for its metadata", erp=self.name)
        return reply.body

    async def send(self, shape: Shape, call: StepCall, deadline_s: float) -> Answer:
        """Carry out one step, once. Raises: OutcomeUnknown: it may have been carried out."""
        call = await self._with_references(shape, call, deadline_s)
        try:
            return await self._step(shape, call, deadline_s)
        except ErpRefusal as refusal:
            if not await self._acknowledged(shape, call, refusal, deadline_s):
                raise
        # A warning is a refusal: nothing was done, so the same call may go again once it is acknowledged.
        return await self._step(shape, call, deadline_s)

    async def _step(self, shape: Shape, call: StepCall, deadline_s: float) -> Answer:
        http = self._codec.step(shape, call)
        if call.headers:
            http = replace(http, headers={**http.headers, **call.headers})
        reply = await self._exchange(http, deadline_s)
        try:
            return self._codec.answer(shape, reply)
        except AnswerBroken as err:
            raise OutcomeUnknown(f"{self.name} answered the write in a way nobody understands", erp=self.name) from err

    async def _acknowledged(self, shape: Shape, call: StepCall, refusal: ErpRefusal, deadline_s: float) -> bool:
        if self._references is None or refusal.warning is None:
            return False
        yes = self._references.acknowledge(shape, refusal.warning)
        if yes is None or not any(text in refusal.message for text in call.acknowledge):
            return False
        await self._exchange(yes, deadline_s)
        return True

    async def _with_references(self, shape: Shape, call: StepCall, deadline_s: float) -> StepCall:
        """Put ids where the document names other records. Raises: ErpRefusal: there is none, or more than one."""
        codec = self._references
        if call.document is None or codec is None:
            return call
        ids = {}
        for reference in codec.references(shape, call.document):
            key = (reference.model, reference.wanted)
            if key not in self._ids:
                self._remember(key, await self._lookup(codec, shape, reference, deadline_s))
            ids[reference.path] = self._ids[key]
        return codec.placed(call, ids)

    async def _lookup(self, codec: ReferenceCodec, shape: Shape, reference: Reference, deadline_s: float) -> int:
        reply = await self._ask(codec.lookup(shape, reference), deadline_s)
        found = self._understood(lambda: codec.found(reply))
        if len(found) != 1:
            wanted = ", ".join(f"{name} {value}" for name, value in reference.wanted)
            field = ".".join(str(step) for step in reference.path)
            raise ErpRefusal("invalid", f"{len(found) or 'no'} records with {wanted}", field=field)
        return found[0]

    def _remember(self, key: Any, found: int) -> None:
        if len(self._ids) >= _LOOKUPS_KEPT:
            self._ids.clear()
        self._ids[key] = found

    async def _ask(self, call: HttpCall, deadline_s: float) -> HttpReply:
        """A read: asked once more when the connection died, because nothing can have changed."""
        try:
            return await self._exchange(call, deadline_s)
        except OutcomeUnknown as err:
            self._in_time(err, deadline_s)
        try:
            return await self._exchange(call, deadline_s)
        except OutcomeUnknown as err:
            self._in_time(err, deadline_s)
            raise ErpDown(f"{self.name} broke the connection twice", erp=self.name) from err

    def _in_time(self, err: OutcomeUnknown, deadline_s: float) -> None:
        if isinstance(err.__cause__, TooSlow) or _now() >= deadline_s:
            raise ErpTimeout(f"{self.name} did not answer in time", erp=self.name) from err

    def _understood(self, decode: Callable[[], T]) -> T:
        try:
            return decode()
        except AnswerBroken as err:
            raise ErpAnswerBroken(f"{self.name}: {err}", erp=self.name) from err
        except ErpRefusal as refusal:
            if refusal.kind == "failed":
                raise ErpAnswerBroken(f"{self.name}: {refusal.message}", erp=self.name) from refusal
            raise

    async def _exchange(self, call: HttpCall, deadline_s: float) -> HttpReply:
        """One call with a valid session. A refused session is proof that nothing was done, so the call goes once more."""
        reply = await self._once(call, deadline_s)
        if self._session.expired(reply):
            reply = await self._once(call, deadline_s)
        self._note_busy(reply)
        return reply

    async def _once(self, call: HttpCall, deadline_s: float) -> HttpReply:
        self._check(_now())
        async with self._slot(deadline_s):
            try:
                own = await self._session.headers(call, self._transport, self._left(deadline_s))
            except (NotSent, NoAnswer) as err:
                self._failed(err)
                raise ErpDown(f"{self.name} gave the gateway no session: {err}", erp=self.name) from err
            headers = {**call.headers, **own}
            return await self._on_the_wire(
                HttpCall(call.method, call.target, headers, call.body, call.safe), deadline_s
            )

    async def _on_the_wire(self, call: HttpCall, deadline_s: float) -> HttpReply:
        try:
            reply = await self._transport.exchange(call, self._left(deadline_s))
        except NotSent as err:
            self._failed(err)
            raise ErpDown(f"{self.name} cannot be reached", erp=self.name, retry_after_s=1) from err
        except NoAnswer as err:
            self._failed(err)
            raise OutcomeUnknown(f"{self.name} took the request and did not answer", erp=self.name) from err
        self._answered(reply)
        return reply

    def _left(self, deadline_s: float) -> float:
        return min(self._limits.call_timeout_s, deadline_s - _now())

    def _check(self, now_s: float) -> None:
        if now_s < self._busy_until_s:
            wait = round(self._busy_until_s - now_s, 1)
            raise ErpBusy(f"{self.name} asked to be left alone", erp=self.name, retry_after_s=wait)
        self._breaker, allowed = circuit.may_call(self._breaker, now_s)
        self.gauge.breaker = self._breaker.state
        if not allowed:
            wait = round(circuit.retry_after_s(self._breaker, now_s), 1)
            raise ErpDown(f"{self.name} has not answered lately", erp=self.name, retry_after_s=wait)

    def _note_busy(self, reply: HttpReply) -> None:
        """`Retry-After` holds for everybody who calls this ERP."""
        wait = reply.headers.get("retry-after", "")
        if reply.status in (429, 503) and wait.isascii() and wait.isdigit():
            self._busy_until_s = _now() + min(int(wait), 300)

    def _failed(self, err: Exception) -> None:
        self._breaker = circuit.failed(self._breaker, _now())
        self.gauge.breaker, self.gauge.last_error = self._breaker.state, str(err)
        self.gauge.answers["none"] = self.gauge.answers.get("none", 0) + 1

    def _answered(self, reply: HttpReply) -> None:
        if reply.status < _SERVER_ERROR:
            self._breaker = circuit.succeeded(self._breaker)
        self.gauge.breaker = self._breaker.state
        kind = f"{reply.status // 100}xx"
        self.gauge.answers[kind] = self.gauge.answers.get(kind, 0) + 1

    def _slot(self, deadline_s: float) -> _Slot:
        return _Slot(self._room, self.gauge, self._limits.waiting, self.name, deadline_s)

    async def close(self) -> None:
        await self._transport.close()

    @property
    def state(self) -> Mapping[str, Any]:
        return {"breaker": self._breaker.state, "in_flight": self.gauge.in_flight, "last_error": self.gauge.last_error}


class _Slot:
    """A place among the calls in flight; those who wait for one are counted and bounded."""

    def __init__(self, room: asyncio.Semaphore, gauge: Gauge, waiting: int, name: str, deadline_s: float) -> None:
        self._room, self._gauge, self._most, self._name, self._deadline_s = room, gauge, waiting, name, deadline_s

    async def __aenter__(self) -> None:
        if self._room.locked():
            await self._wait()
        else:
            await self._room.acquire()
        self._gauge.in_flight += 1

    async def _wait(self) -> None:
        if self._gauge.waiting >= self._most:
            raise Overloaded(f"too many calls wait for {self._name}", erp=self._name, retry_after_s=1)
        self._gauge.waiting += 1
        try:
            async with asyncio.timeout_at(self._deadline_s):
                await self._room.acquire()
        except TimeoutError as err:
            raise Overloaded(f"no room towards {self._name} in time", erp=self._name, retry_after_s=1) from err
        finally:
            self._gauge.waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._gauge.in_flight -= 1
        self._room.release()


def _now() -> float:
    return asyncio.get_running_loop().time()
