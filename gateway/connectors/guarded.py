"""One ERP behind its guard: what it is asked and told in its protocol, and the ids behind the codes that documents name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gateway.connectors.guard import Guard, Turn, always, loop_s
from gateway.connectors.permits import Permits
from gateway.connectors.port import Gauge, Limits, Session, TooSlow, Transport
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
)

T = TypeVar("T")
_LOOKUPS_KEPT = 10_000


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
        self.name, self.gauge, self._codec = name, gauge, codec
        self.guard = Guard(name, transport, session, limits, gauge, permits or Permits(name, limits))
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
        may_send: Callable[[], None] = always,
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
        reply = await self.guard.exchange(http, turn)
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
        await self.guard.exchange(yes, turn)
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
            return await self.guard.exchange(call, turn)
        except OutcomeUnknown as err:
            self._in_time(err, turn.deadline_s)
        try:
            return await self.guard.exchange(call, turn)
        except OutcomeUnknown as err:
            self._in_time(err, turn.deadline_s)
            raise ErpDown(f"{self.name} broke the connection twice", erp=self.name) from err

    def _in_time(self, err: OutcomeUnknown, deadline_s: float) -> None:
        if isinstance(err.__cause__, TooSlow) or loop_s() >= deadline_s:
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

    async def close(self) -> None:
        await self.guard.close()
