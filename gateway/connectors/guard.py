"""The guard around the way to one ERP: deadline, budget, breaker, session; and the line between «not sent» and «outcome unknown»."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gateway.connectors.permits import Permits, Usage
from gateway.connectors.port import Gauge, Limits, NoAnswer, NotSent, Session, Transport
from gateway.core import breaker as circuit
from gateway.core.budget import Priority
from gateway.errors import ErpDown, OutcomeUnknown
from gateway.protocols.port import HttpCall, HttpReply, retry_after_s

_SERVER_ERROR = 500
_TOO_MANY, _NOT_NOW = 429, 503
_LEFT_ALONE_S, _LEFT_ALONE_MOST_S = 1.0, 3600.0
"""How long an ERP is left alone that says «too many» and not for how long; and at most, because some name a date in years."""


def always() -> None:
    return None


class Turn(NamedTuple):
    """What a call is for and until when it is any use; `may_send` has the last word where it had to wait."""

    deadline_s: float
    priority: Priority = Priority.INTERACTIVE
    may_send: Callable[[], None] = always


class Guard:
    """The way to one ERP. `name` appears in errors."""

    def __init__(
        self, name: str, transport: Transport, session: Session, limits: Limits, gauge: Gauge, permits: Permits
    ) -> None:
        self.name, self.gauge = name, gauge
        self._transport, self._session, self._limits, self._permits = transport, session, limits, permits
        self._for_session = _Heeding(transport, self._note_busy)
        self._breaker = circuit.Breaker(limits.breaker_failures, limits.breaker_open_s)

    async def exchange(self, call: HttpCall, turn: Turn) -> HttpReply:
        """One call with a valid session. A refused session is proof that nothing was done, so the call goes once more."""
        reply = await self._once(call, turn)
        if self._session.expired(reply):
            reply = await self._once(call, turn)
        return reply

    async def _once(self, call: HttpCall, turn: Turn) -> HttpReply:
        waits = not self._permits.enter(turn.priority, loop_s())
        if waits:
            self._check_answers(loop_s())
            await self._permits.wait(turn.priority, turn.deadline_s)
        try:
            self._check(loop_s())
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
        return min(self._limits.call_timeout_s, deadline_s - loop_s())

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
        self._breaker = circuit.failed(self._breaker, loop_s())
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
        now_s = loop_s()
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


def loop_s() -> float:
    return asyncio.get_running_loop().time()
