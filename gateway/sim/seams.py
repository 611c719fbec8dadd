"""Where a simulated world touches the production code: the database, the wire to an ERP, and whether an instance lives.

Everything that has an effect outside a process lies between two seams, so dying at a seam is dying at any await.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gateway.connectors.port import NoAnswer, NotSent, TooSlow
from gateway.core.intents import Accepted, Command, EpochMoved, Fenced, Known, Move, Verdict
from gateway.protocols.port import HttpCall, HttpReply
from gateway.sim.erps.erp import Erp
from gateway.sim.erps.faults import without_last_rows
from gateway.sim.erps.wire.messages import Request
from gateway.store.journal import Journal
from gateway.store.sql import Database, StoreDown, Work, in_transaction

T = TypeVar("T")


class Fate(Protocol):
    """Decides what goes wrong."""

    def between(self, least: float, most: float) -> float: ...
    def dies(self, life: Life, place: str) -> None: ...
    def naps(self, life: Life) -> None: ...
    def store_fault(self) -> str | None: ...
    def wire_fault(self, erp: str, call: HttpCall) -> str | None: ...
    def sent(self, erp: str, call: HttpCall) -> int: ...
    def arrives(self, erp: str, place: int) -> None: ...
    def erp_down(self, erp: str) -> bool: ...
    def later(self, delay_s: float, work: Callable[[], None]) -> None: ...
    def trace(self, text: str) -> None: ...
    def wall_us(self) -> int: ...


@dataclass(slots=True)
class Life:
    """Whether an instance lives, and until when it sleeps."""

    name: str
    alive: bool = True
    asleep_until_s: float = 0.0

    async def go_on(self) -> None:
        """The dead never come back from here, the paused come late."""
        loop = asyncio.get_running_loop()
        while self.alive and loop.time() < self.asleep_until_s:  # noqa: ASYNC110  # asleep is asleep
            await asyncio.sleep(self.asleep_until_s - loop.time())
        await self.live()

    async def live(self) -> None:
        """The dead never come back from here."""
        if not self.alive:
            await asyncio.get_running_loop().create_future()


class SimStore:
    """The journal's database: the production SQL on inline sqlite3. A crash loses what was not committed."""

    def __init__(self, connection: sqlite3.Connection, life: Life, fate: Fate) -> None:
        self._connection, self._life, self._fate = connection, life, fate

    async def transaction(self, work: Work[T]) -> T:
        await asyncio.sleep(self._fate.between(0.0005, 0.004))
        await self._life.go_on()
        self._fate.dies(self._life, "before-commit")
        await self._life.go_on()
        fault = self._fate.store_fault()
        if fault == "down":
            raise StoreDown("the database cannot be reached", unsure=False)
        result = in_transaction(self._connection, work, self._fate.wall_us)
        if fault == "unsure":
            raise StoreDown("the connection broke during the commit", unsure=True)
        self._fate.dies(self._life, "after-commit")
        self._fate.naps(self._life)
        await self._life.go_on()
        return result

    short = read = transaction

    async def close(self) -> None:
        return None


class SimWire:
    """The network to one ERP: late, lossy, and now and then down. The ERP's work happens at one moment in between."""

    def __init__(self, erp: Erp, name: str, life: Life, fate: Fate) -> None:
        self._erp, self._name, self._life, self._fate = erp, name, life, fate

    async def exchange(self, call: HttpCall, timeout_s: float) -> HttpReply:
        fate = self._fate
        fate.dies(self._life, "before-send")
        # A sleep between the last check and the kernel is beyond the protocol where a step is settled by reference, and
        # harmless elsewhere: so nobody falls asleep right here.
        await self._life.live()
        if fate.erp_down(self._name):
            await asyncio.sleep(0.01)
            raise NotSent("the ERP is down")
        fault = fate.wire_fault(self._name, call)
        if fault == "not-sent":
            raise NotSent("connection refused")
        reply = await self._replied(call, fault, timeout_s, fate.sent(self._name, call))
        fate.dies(self._life, "after-answer")
        await self._life.go_on()
        if reply is None or fault in ("drop", "late-drop"):
            raise NoAnswer("the connection was reset")
        return reply

    async def _replied(self, call: HttpCall, fault: str | None, timeout_s: float, place: int) -> HttpReply | None:
        took: asyncio.Future[HttpReply | None] = asyncio.get_running_loop().create_future()
        # The ERP works on, whatever becomes of us: its work is no task of this instance.
        self._fate.later(
            self._fate.between(0.001, 0.05) + _late_s(self._fate, fault), lambda: self._work(call, fault, took, place)
        )
        try:
            async with asyncio.timeout(timeout_s):
                reply = await asyncio.shield(took)
        except TimeoutError:
            await self._life.go_on()
            raise TooSlow(f"no answer in {timeout_s} s") from None
        await asyncio.sleep(self._fate.between(0.001, 0.05))
        return reply

    def _work(self, call: HttpCall, fault: str | None, took: asyncio.Future[HttpReply | None], place: int) -> None:
        self._fate.arrives(self._name, place)
        if took.cancelled():
            return
        reply = None if fault == "lost" else self._answer(call, fault)
        if fault == "duplicate":
            self._answer(call, fault)  # the caller hears of the first one
        if not took.done():
            took.set_result(reply)

    def _answer(self, call: HttpCall, fault: str | None) -> HttpReply:
        if fault == "busy":
            return HttpReply(503, {"retry-after": "1", "content-length": "0"}, b"")
        if fault == "refused":
            body = b'{"error":{"code":"PERIOD/1","message":{"lang":"en","value":"The period is closed"}}}'
            return HttpReply(400, {"content-length": str(len(body))}, body)
        path, _, query = call.target.partition("?")
        headers = {name.lower(): value for name, value in call.headers.items()} | {"host": "erp"}
        body = without_last_rows(call.body or b"") if fault == "fewer-lines" else call.body or b""
        answer = self._erp.answer(Request(call.method, path, query, headers, body))
        self._fate.trace(f"{self._name} {call.method} {path} {answer.status}")
        shown = {name.lower(): value for name, value in answer.headers} | {"content-length": str(len(answer.body))}
        cookies = tuple(value for name, value in answer.headers if name.lower() == "set-cookie")
        return HttpReply(answer.status, shown, answer.body, cookies)

    async def close(self) -> None:
        return None


CALL_S, EXEC_S = 4.0, 6.0
"""How long a call may take, and how long after its end it may still take effect."""


def _late_s(fate: Fate, fault: str | None) -> float:
    """How much later than usual the ERP works; never later than its manifest says."""
    if fault in ("late", "late-drop"):
        return fate.between(CALL_S, CALL_S + EXEC_S - 1.5)
    return fate.between(0.5, CALL_S) if fault == "slow" else 0.0


class CountingJournal(Journal):
    """The journal, and what the protocol had to do in it."""

    def __init__(
        self, database: Database, seen: Counter[str], taken: set[str], begun: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(database)
        self._seen, self._taken, self._begun = seen, taken, begun

    async def do(self, command: Command) -> Verdict:
        verdict = await self.committed(command)
        if isinstance(verdict, Accepted):
            self._taken.add(verdict.intent.id)
        if isinstance(command, Move):
            self._seen[f"{command.event}-{command.ref.side}"] += 1
            if command.case is not None:
                self._seen[f"case-{command.case.kind}"] += 1
        for kind, name in ((Fenced, "fenced"), (Known, "known"), (EpochMoved, "epoch-moved")):
            if isinstance(verdict, kind):
                self._seen[name] += 1
        if isinstance(command, Move) and command.event == "begin":
            await self._begun()
        return verdict

    async def known(self, client: str, key: str, now_us: int) -> Known | None:
        found = await super().known(client, key, now_us)
        self._seen["known"] += found is not None
        return found

    async def committed(self, command: Command) -> Verdict:
        """What the production journal says, once it has committed."""
        return await super().do(command)
