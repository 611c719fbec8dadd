"""The guarded path to one ERP, as the rest of the gateway sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.budget import Priority
from gateway.protocols.port import Answer, HttpCall, HttpReply, NativeKey, Page, Query, Shape, StepCall


class Connector(Protocol):
    """One ERP. Deadlines are seconds of the event loop's clock, after which nobody waits any more.

    Reads raise ErpRefusal, ErpDown, ErpBusy, ErpTimeout, Overloaded or ErpAnswerBroken. `send` raises OutcomeUnknown wherever the
    step may have been carried out, and the others only where it was not. A call waits for its turn in the ERP's budget; one that
    never got a turn was not sent.
    """

    async def read(
        self, shape: Shape, key: NativeKey, deadline_s: float, priority: Priority = Priority.INTERACTIVE
    ) -> Answer: ...
    async def search(
        self, shape: Shape, query: Query, deadline_s: float, priority: Priority = Priority.INTERACTIVE
    ) -> Page: ...
    async def send(
        self,
        shape: Shape,
        call: StepCall,
        deadline_s: float,
        priority: Priority = Priority.INTERACTIVE,
        may_send: Callable[[], None] = ...,
    ) -> Answer:
        """Carry out one step. Takes: `may_send`, asked again once a turn came that had to be waited for; it raises for a no."""
        ...

    async def metadata(self, shape: Shape, deadline_s: float) -> bytes: ...


class NotSent(Exception):
    """No byte of the request left: the ERP cannot have acted."""


class NoAnswer(Exception):
    """The request may have arrived, and its answer did not."""


class TooSlow(NoAnswer):
    """The answer did not come in time; asking again would only add to the load."""


class Transport(Protocol):
    """HTTP to one base URL."""

    async def exchange(self, call: HttpCall, timeout_s: float) -> HttpReply:
        """Send and read to the end. Raises: NotSent, NoAnswer."""

    async def close(self) -> None: ...


class Session(Protocol):
    """Who the gateway is towards an ERP: credentials, tokens and cookies, held here and never shown to a client."""

    async def headers(self, call: HttpCall, transport: Transport, timeout_s: float) -> dict[str, str]: ...

    def expired(self, reply: HttpReply) -> bool:
        """Whether the ERP says that the session, not the call, is what it refuses; it is then forgotten."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What all instances together may ask of an ERP; `waiting`, the times and sizes are each connector's own."""

    concurrency: int = 32
    calls_per_s: float | None = None
    calls_burst: int = 1
    waiting: int = 256
    call_timeout_s: float = 15.0
    connect_timeout_s: float = 3.0
    keep_alive_s: float = 4.0
    max_answer_bytes: int = 16 * 1024 * 1024
    breaker_failures: int = 5
    breaker_open_s: float = 10.0


@dataclass(slots=True)
class Gauge:
    """What a connector is doing, for metrics and health."""

    opened: int = 0
    reused: int = 0
    breaker: str = "closed"
    last_error: str = ""
    answers: dict[str, int] = field(default_factory=dict)
