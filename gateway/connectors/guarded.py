"""One ERP behind its guard: deadline, budget, breaker, session; and the line between «not sent» and «outcome unknown»."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from gateway.connectors.permits import Permits, Usage
from gateway.connectors.port import Gauge, Limits, NoAnswer, NotSent, Session, TooSlow, Transport
from gateway.core import breaker as circuit
from gateway.core.budget import Priority
from gateway.errors import ErpAnswerBroken, ErpDown, ErpTimeout, OutcomeUnknown
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
    by_key,
    retry_after_s,
)

T = TypeVar("T")
_SERVER_ERROR = 500
_LOOKUPS_KEPT = 10_000
_TOO_MANY, _NOT_NOW = 429, 503
_LEFT_ALONE_S, _LEFT_ALONE_MOST_S = 1.0, 3600.0
"""How long an ERP is left alone that says «too many» and not for how long; and at most, because some name a date in years."""


def _always() -> None:
    return None


class Turn(NamedTuple):
    """What a call is for and until when it is any use; `may_send` has the last word where it had to wait."""

    deadline_s: float
    priority: Priority = Priority.INTERACTIVE
    may_send: Callable[[], None] = _always


class GuardedConnector:
    """The connector of one ERP. `name` appears in errors and metrics."""

    def __init__(  # the composition root's list
        self,
        name: str,
        codec: ProtocolCodec,
        transport: Transport,
        session: Session,
        limits: Limits,
        gauge: Gauge,
        permits: Permits | None = None,
    ) -> None:
        self.name, self.gauge = name, gauge
        self._codec, self._transport, self._session, self._limits = codec, transport, session, limits
        self._permits = permits or Permits(name, limits)
        self._for_session = _Heeding(transport, self._note_busy)
        self._breaker = circuit.Breaker(limits.breaker_failures, limits.breaker_open_s)
        self._ids: dict[tuple[str, tuple[tuple[str, Any], ...], str], int] = {}
        # Asked once: looking for the methods of a protocol costs as much as a translation.
        self._references = codec if isinstance(codec, ReferenceCodec) else None

    async def read(
        self, shape: Shape, key: NativeKey, deadline_s: float, priority: Priority = Priority.INTERACTIVE
    ) -> Answer:
        turn = Turn(deadline_s, priority)
        shape = await self._at_place(shape, by_key(key), turn)
        reply = await self._ask(self._codec.read(shape, key), turn)
        return self._understood(lambda: self._codec.answer(shape, reply))

    async def search(
        self, shape: Shape, query: Query, deadline_s: float, priority: Priority = Priority.INTERACTIVE
    ) -> Page:
        turn = Turn(deadline_s, priority)
        shape = await self._at_place(shape, query, turn)
        reply = await self._ask(self._codec.search(shape, query), turn)
        return self._understood(lambda: self._codec.page(shape, query, reply))

    async def _at_place(self, shape: Shape, query: Query, turn: Turn) -> Shape:
        """The shape with the place to ask about, where the ERP counts by place; it is asked each time which places there are."""
        codec = self._references
        first = codec.places(shape) if codec is not None else None
        if codec is None or first is None:
            return shape
        reply = await self._ask(first, turn)
        return self._understood(lambda: codec.at_place(shape, query, reply))

    async def metadata(self, shape: Shape, deadline_s: float) -> bytes:
        call = self._codec.metadata(shape)
        if call is None:
            raise ErpAnswerBroken(f"the protocol of {self.name} describes nothing", erp=self.name)
        reply = await self._ask(call, Turn(deadline_s))
        if reply.status >= 400:  # noqa: PLR2004  # HTTP's own classes
            raise ErpAnswerBroken(f"{self.name} answered {reply.status} to a request for its metadata", erp=self.name)
        return reply.body

    async def send(
        self,
        shape: Shape,
        call: StepCall,
        deadline_s: float,
        priority: Priority = Priority.INTERACTIVE,
        may_send: Callable[[], None] = _always,
    ) -> Answer:
        """Carry out one step, once. Raises: OutcomeUnknown: it may have been carried out."""
        turn = Turn(deadline_s, priority, may_send)
        call = await self._with_references(shape, call, turn)
        try:
            return await self._step(shape, call, turn)
        except ErpRefusal as refusal:
            if not await self._acknowledged(shape, call, refusal, turn):
                raise
        # A warning is a refusal: nothing was done, so the same call may go again once it is acknowledged.
        return await self._step(shape, call, turn)

    async def _step(self, shape: Shape, call: StepCall, turn: Turn) -> Answer:
        http = self._codec.step(shape, call)
        if call.headers:
            http = http._replace(headers={**http.headers, **call.headers})
        reply = await self._exchange(http, turn)
        try:
            return self._codec.written(shape, reply)
        except AnswerBroken as err:
            raise OutcomeUnknown(f"{self.name} answered the write in a way nobody understands", erp=self.name) from err

    async def _acknowledged(self, shape: Shape, call: StepCall, refusal: ErpRefusal, turn: Turn) -> bool:
        if self._references is None or refusal.warning is None:
            return False
        yes = self._references.acknowledge(shape, refusal.warning)
        if yes is None or not any(text in refusal.message for text in call.acknowledge):
            return False
        await self._exchange(yes, turn)
        return True

    async def _with_references(self, shape: Shape, call: StepCall, turn: Turn) -> StepCall:
        """Put ids where the document names other records. Raises: ErpRefusal: there is none, or more than one."""
        codec = self._references
        if call.document is None or codec is None:
            return call
        ids = {}
        for reference in codec.references(shape, call.document):
            ids[reference.path] = await self._id_of(codec, shape, reference, turn)
        return codec.placed(call, ids)

    async def _id_of(self, codec: ReferenceCodec, shape: Shape, reference: Reference, turn: Turn) -> int:
        key = (reference.model, reference.wanted, reference.take)
        if not reference.kept:
            return await self._lookup(codec, shape, reference, turn)
        if key not in self._ids:
            self._remember(key, await self._lookup(codec, shape, reference, turn))
        return self._ids[key]

    async def _lookup(self, codec: ReferenceCodec, shape: Shape, reference: Reference, turn: Turn) -> int:
        reply = await self._ask(codec.lookup(shape, reference), turn)
        found = self._understood(lambda: codec.found(reference, reply))
        if len(found) != 1:
            wanted = ", ".join(f"{name} {value}" for name, value in reference.wanted)
            field = ".".join(str(step) for step in reference.path)
            raise ErpRefusal("invalid", f"{len(found) or 'no'} records with {wanted}", field=field)
        return found[0]

    def _remember(self, key: Any, found: int) -> None:
        if len(self._ids) >= _LOOKUPS_KEPT:
            self._ids.clear()
        self._ids[key] = found

    async def _ask(self, call: HttpCall, turn: Turn) -> HttpReply:
        """A read: asked once more when the connection died, because nothing can have changed."""
        try:
            return await self._exchange(call, turn)
        except OutcomeUnknown as err:
            self._in_time(err, turn.deadline_s)
        try:
            return await self._exchange(call, turn)
        except OutcomeUnknown as err:
            self._in_time(err, turn.deadline_s)
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

    async def _exchange(self, call: HttpCall, turn: Turn) -> HttpReply:
        """One call with a valid session. A refused session is proof that nothing was done, so the call goes once more."""
        reply = await self._once(call, turn)
        if self._session.expired(reply):
            reply = await self._once(call, turn)
        return reply

    async def _once(self, call: HttpCall, turn: Turn) -> HttpReply:
        waits = not self._permits.enter(turn.priority, _now())
        if waits:
            self._check_answers(_now())
            await self._permits.wait(turn.priority, turn.deadline_s)
        try:
            self._check(_now())
            if waits:
                turn.may_send()
            reply = await self._with_session(call, turn.deadline_s)
            self._note_busy(reply)
            return reply
        finally:
            self._permits.leave(turn.priority)

    async def _with_session(self, call: HttpCall, deadline_s: float) -> HttpReply:
        try:
            own = await self._session.headers(call, self._for_session, self._left(deadline_s))
        except (NotSent, NoAnswer) as err:
            self._failed(err)
            raise ErpDown(f"{self.name} gave the gateway no session: {err}", erp=self.name) from err
        headers = {**call.headers, **own}
        return await self._on_the_wire(HttpCall(call.method, call.target, headers, call.body, call.safe), deadline_s)

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

    def _check_answers(self, now_s: float) -> None:
        """Nobody stands in line for an ERP that takes no calls. Raises: ErpBusy, ErpDown."""
        if self._permits.paused_s(now_s) > 0:
            raise self._permits.busy()
        if not circuit.would_call(self._breaker, now_s):
            raise self._silent(now_s)

    def _check(self, now_s: float) -> None:
        self._breaker, allowed = circuit.may_call(self._breaker, now_s)
        self.gauge.breaker = self._breaker.state
        if not allowed:
            raise self._silent(now_s)

    def _silent(self, now_s: float) -> ErpDown:
        wait = round(circuit.retry_after_s(self._breaker, now_s), 1)
        return ErpDown(f"{self.name} has not answered lately", erp=self.name, retry_after_s=wait)

    def _note_busy(self, reply: HttpReply) -> None:
        """`Retry-After` holds for everybody who calls this ERP."""
        if reply.status not in (_TOO_MANY, _NOT_NOW):
            return
        wait_s = retry_after_s(reply.headers)
        if wait_s is None and reply.status == _TOO_MANY:
            wait_s = _LEFT_ALONE_S
        if wait_s is not None:
            self._permits.pause(min(wait_s, _LEFT_ALONE_MOST_S))

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

    async def close(self) -> None:
        await self._transport.close()

    def room_behind(self) -> int:
        """How many more calls that nobody waits for the ERP may get now; none where it does not answer."""
        now_s = _now()
        if self._breaker.state != "closed":
            return int(circuit.would_call(self._breaker, now_s))
        return self._permits.room_behind(now_s)

    @property
    def usage(self) -> Usage:
        return self._permits.usage

    @property
    def state(self) -> Mapping[str, Any]:
        usage = self.usage
        return {
            "breaker": self._breaker.state,
            "in_flight": sum(usage.in_use.values()),
            "waiting": sum(usage.waiting.values()),
            "share": usage.share.concurrency,
            "last_error": self.gauge.last_error,
        }


class _Heeding:
    """The way to an ERP for its session, whose calls may be too many as well."""

    def __init__(self, transport: Transport, heed: Callable[[HttpReply], None]) -> None:
        self._transport, self._heed = transport, heed

    async def exchange(self, call: HttpCall, timeout_s: float) -> HttpReply:
        reply = await self._transport.exchange(call, timeout_s)
        self._heed(reply)
        return reply

    async def close(self) -> None:
        await self._transport.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
