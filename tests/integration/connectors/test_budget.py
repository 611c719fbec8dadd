"""One ERP's budget at the socket: who is let out first, who is sent away, and that the ERP never sees more than was declared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.connectors.guarded import GuardedConnector
from gateway.connectors.http import HttpTransport
from gateway.connectors.permits import Budgets
from gateway.connectors.port import Gauge, Limits
from gateway.connectors.sessions import Basic
from gateway.core.budget import Priority, Seat
from gateway.errors import ErpBusy, ErpDown, Overloaded
from gateway.protocols.odata_v2 import ODataV2
from gateway.protocols.port import ErpRefusal, StepCall
from tests.integration.connectors.conftest import NEW, ORDERS
from tests.integration.connectors.scripted import Seen, erp

BODY = b'{"d":{"ManufacturingOrder":"000001"}}'
FOUND = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
MADE = FOUND.replace(b"200 OK", b"201 Created")


@dataclass(slots=True)
class Gatekeeper:
    """An ERP that answers when it is told to, and remembers how many calls it had at once."""

    seen: Seen = field(default_factory=Seen)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    answer: bytes = FOUND
    now: int = 0
    most: int = 0

    async def say(self, _: Seen, writer: asyncio.StreamWriter) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await self.go.wait()
        await asyncio.sleep(0.005)
        self.now -= 1
        writer.write(self.answer)

    @property
    def asked(self) -> list[str]:
        """The keys that were asked for, in the order in which they came."""
        return [
            line.partition(b"A_ProductionOrder_2")[2].partition(b"('")[2].partition(b"'")[0].decode()
            for line in self.seen.lines
        ]

    async def awaited(self, calls: int) -> None:
        while len(self.seen.requests) < calls:  # noqa: ASYNC110  # another process would be asked the same way
            await asyncio.sleep(0.005)


@asynccontextmanager
async def gatekeeper(answer: bytes = FOUND, *, opened: bool = False) -> AsyncIterator[Gatekeeper]:
    made = Gatekeeper(answer=answer)
    if opened:
        made.go.set()
    async with erp(made.say) as made.seen:
        yield made


@asynccontextmanager
async def connected(at: Gatekeeper, budgets: Budgets | None = None, **limits: Any) -> AsyncIterator[GuardedConnector]:
    rules, gauge = Limits(**{"call_timeout_s": 30.0, **limits}), Gauge()
    transport = HttpTransport(at.seen.url, rules, gauge)
    permits = budgets.of("ecc", rules) if budgets else None
    yield GuardedConnector("ecc", ODataV2(), transport, Basic("G", lambda: "secret"), rules, gauge, permits)
    await transport.close()


def reading(made: GuardedConnector, name: str, priority: Priority, within_s: float = 60) -> asyncio.Task[Any]:
    until_s = asyncio.get_running_loop().time() + within_s
    return asyncio.create_task(made.read(ORDERS, {"ManufacturingOrder": name}, until_s, priority))


async def in_line(made: GuardedConnector, waiting: int) -> None:
    while made.guard.state["waiting"] < waiting:  # noqa: ASYNC110  # nobody is told of a longer line
        await asyncio.sleep(0)


async def test_what_a_person_waits_for_goes_first_though_it_came_last() -> None:
    async with gatekeeper() as at, connected(at, concurrency=1) as made:
        tasks = [reading(made, "first", Priority.INTERACTIVE)]
        await at.awaited(1)
        for number, priority in enumerate(reversed(Priority), start=1):
            tasks.append(reading(made, priority.name, priority))
            await in_line(made, number)
        at.go.set()
        await asyncio.gather(*tasks)
        assert at.asked == ["first", *(priority.name for priority in Priority)]
        assert at.most == 1


async def test_a_catch_up_leaves_room_for_a_person_while_all_its_calls_hang() -> None:
    async with gatekeeper() as at, connected(at, concurrency=4) as made:
        owed = [reading(made, f"owed-{n}", Priority.REPLICATION) for n in range(20)]
        await in_line(made, 17)
        person = reading(made, "person", Priority.INTERACTIVE)
        await at.awaited(4)
        assert sorted(at.asked) == ["owed-0", "owed-1", "owed-2", "person"]
        at.go.set()
        await asyncio.gather(person, *owed)
        assert at.most == 4


@pytest.mark.parametrize(
    ("head", "for_s"),
    [
        ("429 Too Many Requests\r\nRetry-After: 30", 30),
        ("429 Too Many Requests", 1),
        (
            "429 Too Many Requests\r\nDate: Sun, 22 Nov 2026 09:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 09:00:50 GMT",
            50,
        ),
        ("503 Service Unavailable\r\nRetry-After: 7", 7),
        ("429 Too Many Requests\r\nRetry-After: 99999999", 3600),
    ],
)
async def test_an_erp_that_asks_to_be_left_alone_is_left_alone_by_all_and_those_in_line_are_told_when_to_come_back(
    head: str, for_s: float
) -> None:
    busy = f"HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n".encode()
    async with gatekeeper(busy) as at, connected(at, concurrency=1) as made:
        first = reading(made, "first", Priority.INTERACTIVE)
        await at.awaited(1)
        others = [reading(made, priority.name, priority) for priority in Priority]
        await in_line(made, len(others))
        at.go.set()
        with pytest.raises(ErpRefusal):
            await first
        told = [*await asyncio.gather(*others, return_exceptions=True)]
        told += await asyncio.gather(reading(made, "late", Priority.INTERACTIVE), return_exceptions=True)
        assert {type(each) for each in told} == {ErpBusy}
        waits = [each.extra["retry_after_s"] for each in told if isinstance(each, ErpBusy)]
        assert max(waits) == for_s
        assert at.asked == ["first"]
        assert made.guard.room_behind() == 0


async def test_a_write_that_waited_for_its_turn_asks_again_whether_it_may_still_go() -> None:
    def no() -> None:
        raise ErpDown("the lease is over")

    async with gatekeeper(MADE) as at, connected(at, concurrency=1) as made:
        until_s = asyncio.get_running_loop().time() + 60
        create = StepCall("create", document=dict(NEW))
        at_once = asyncio.create_task(made.send(ORDERS, create, until_s, may_send=no))
        await at.awaited(1)
        late = asyncio.create_task(made.send(ORDERS, create, until_s, Priority.REPLICATION, no))
        await in_line(made, 1)
        at.go.set()
        await at_once  # who need not wait has just been asked
        with pytest.raises(ErpDown, match="lease"):
            await late
        assert len(at.seen.requests) == 1
        assert made.guard.state["in_flight"] == 0


async def test_a_call_that_gets_no_turn_before_its_deadline_was_not_sent() -> None:
    async with gatekeeper(opened=True) as at, connected(at, calls_per_s=0.001) as made:
        await reading(made, "first", Priority.INTERACTIVE)
        with pytest.raises(Overloaded):
            await reading(made, "second", Priority.INTERACTIVE, within_s=0.1)
        assert at.asked == ["first"]
        assert (made.guard.state["in_flight"], made.guard.state["waiting"]) == (0, 0)


async def test_a_caller_who_leaves_the_line_takes_nobodys_turn() -> None:
    async with gatekeeper() as at, connected(at, concurrency=1) as made:
        first, left, stays = (reading(made, name, Priority.INTERACTIVE) for name in ("first", "left", "stays"))
        await at.awaited(1)
        await in_line(made, 2)
        left.cancel()
        at.go.set()
        await asyncio.gather(first, stays)
        assert at.asked == ["first", "stays"]
        assert made.guard.state["in_flight"] == 0


async def test_calls_over_the_rate_go_out_one_after_the_other() -> None:
    async with gatekeeper(opened=True) as at, connected(at, calls_per_s=20, calls_burst=2) as made:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await asyncio.gather(*(reading(made, f"{n}", Priority.INTERACTIVE) for n in range(6)))
        assert loop.time() - began_s >= 4 / 20 - 0.01
        assert len(at.asked) == 6


async def test_two_connectors_to_one_erp_spend_one_budget_and_a_smaller_share_holds_for_both() -> None:
    budgets = Budgets()
    async with (
        gatekeeper(opened=True) as at,
        connected(at, budgets, concurrency=4) as one,
        connected(at, budgets, concurrency=4) as two,
    ):
        await asyncio.gather(*(reading(made, f"{n}", Priority.INTERACTIVE) for n in range(20) for made in (one, two)))
        assert (len(at.asked), at.most) == (40, 4)
        at.most = 0
        budgets.seat(Seat(1, 2))
        await asyncio.gather(*(reading(made, f"{n}", Priority.INTERACTIVE) for n in range(10) for made in (one, two)))
        assert (len(at.asked), at.most) == (60, 2)
        assert one.guard.usage.share.concurrency == two.guard.usage.share.concurrency == 2
