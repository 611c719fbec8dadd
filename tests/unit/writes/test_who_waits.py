"""What a caller hears when this instance and the journal both speak of its write, with several gateways on one store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.core.intents import Accepted, LegRef
from gateway.errors import ErpDown, OutcomeUnknown
from gateway.observe.logs import set_up
from gateway.writes.engine import Caller, Writes
from gateway.writes.write import Pending

NOTHING_SENT = ErpDown("Nothing was sent.", retry_after_s=1)


class Journal:
    """Shows a leg in a state, after something else happened here."""

    def __init__(self, state: str, meanwhile: Callable[[], Any]) -> None:
        self._state, self._meanwhile = state, meanwhile

    async def operation(self, _: str) -> Any:
        await self._meanwhile()
        return SimpleNamespace(legs=(SimpleNamespace(state=self._state),), answer=None)


def writes_with(journal: Any) -> Writes:
    clock: Any = SimpleNamespace(steady_s=asyncio.get_running_loop().time)
    nobody: Any = None
    return Writes(journal, nobody, nobody, clock, "a", lambda: "i", lambda: (), alone=False, watch_s=0.01)


async def heard(writes: Writes) -> Any:
    caller = writes._callers["i"] = Caller(asyncio.get_running_loop().create_future(), taken=True)
    return await writes._answered("i", caller, asyncio.get_running_loop().time() + 0.05)


async def test_a_fault_of_ours_in_the_journal_is_told_to_the_caller_and_stands_in_the_log(capsys: Any) -> None:
    class Broken:
        async def do(self, _: Any) -> Any:
            raise RuntimeError("no such column")

    set_up("info")
    writes, caller = writes_with(Broken()), Caller(asyncio.get_running_loop().create_future())
    accept: Any = SimpleNamespace(intent=SimpleNamespace(id="i"))
    nothing: Any = None
    await writes._taken(accept, nothing, caller)
    assert isinstance(caller.answer.result(), RuntimeError)
    assert '"write.failed"' in capsys.readouterr().err


async def test_who_waits_for_a_journal_that_says_nothing_when_the_gateway_stops_is_told_at_once() -> None:
    class Silent:
        async def do(self, _: Any) -> Any:
            await asyncio.Event().wait()

    nothing: Any = None
    writes, caller = writes_with(Silent()), Caller(asyncio.get_running_loop().create_future())
    accept: Any = SimpleNamespace(intent=SimpleNamespace(id="i"))
    await cancelled(writes._taken(accept, nothing, caller))
    told = caller.answer.result()
    assert (type(told), told.extra["operation"]) == (OutcomeUnknown, "i")


async def test_who_waits_for_an_erp_when_the_gateway_stops_is_told_where_to_ask() -> None:
    class Taking:
        async def do(self, accept: Any) -> Any:
            return Accepted(accept.intent, LegRef("i", "legacy", "i", 1))

    async def for_ever(*_: Any) -> None:
        await asyncio.Event().wait()

    writes, caller = writes_with(Taking()), Caller(asyncio.get_running_loop().create_future())
    writes.relay.carry_now = for_ever  # type: ignore[method-assign]
    accept: Any = SimpleNamespace(intent=SimpleNamespace(id="i"))
    begun: Any = SimpleNamespace(claimed=lambda *_: None)
    await cancelled(writes._taken(accept, begun, caller))
    assert writes._told_to("i", caller.answer.result()) == Pending("i")


async def cancelled(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_about_to_be_told_that_nothing_was_sent_is_not_told_202_by_the_journal() -> None:
    async def voided_and_not_told_yet() -> None:
        if not writes._answering:
            assert writes._keep_waiting("i")
            asyncio.get_running_loop().call_later(0.03, lambda: writes._told("i", NOTHING_SENT))

    writes = writes_with(Journal("voided", voided_and_not_told_yet))
    with pytest.raises(ErpDown):
        await heard(writes)


async def test_an_answer_that_came_while_the_journal_was_read_counts_though_the_time_is_up() -> None:
    async def told_meanwhile() -> None:
        writes._keep_waiting("i")
        await asyncio.sleep(0.1)
        writes._told("i", NOTHING_SENT)
        writes._answering.discard("i")

    writes = writes_with(Journal("sending", told_meanwhile))
    with pytest.raises(ErpDown):
        await heard(writes)
