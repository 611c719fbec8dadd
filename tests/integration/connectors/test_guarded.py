"""The path to an ERP: what was not sent is told from what nobody knows, and no write goes out twice."""

from __future__ import annotations

import asyncio

import pytest

from gateway.connectors.sessions import Basic, Csrf
from gateway.errors import ErpBusy, ErpDown, ErpTimeout, OutcomeUnknown, Overloaded
from gateway.protocols.port import ErpRefusal, Query, StepCall
from gateway.sim.erps.faults import fault_from
from tests.integration.connectors.conftest import NEW, ORDERS, PRODUCTS, Connect, Legacy
from tests.support.fault_proxy import CutResponse, DelayResponse, FaultProxy, LoseResponse, Pass, ResetConnect

KEY = {"ManufacturingOrder": "000001000000"}
CREATE = StepCall("create", document=dict(NEW))


def spoil(legacy: Legacy, rule: dict[str, object]) -> None:
    legacy.app.erp.faults.rules.append(fault_from(rule))


def soon(seconds: float = 5.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_write_fetches_its_token_once_and_is_carried_out_once(legacy: Legacy, connect: Connect) -> None:
    erp = connect()
    first = await erp.send(ORDERS, CREATE, soon())
    await erp.send(ORDERS, CREATE, soon())
    assert first.key == {"ManufacturingOrder": "000001000012"}
    assert legacy.orders_created() == 2


async def test_a_session_that_the_erp_forgot_is_renewed_and_the_write_still_happens_once(
    legacy: Legacy, connect: Connect
) -> None:
    erp = connect()
    await erp.send(ORDERS, CREATE, soon())
    legacy.app.erp.sessions.end_all()
    await erp.send(ORDERS, CREATE, soon())
    assert legacy.orders_created() == 2


async def test_a_write_whose_answer_is_lost_is_in_doubt_and_is_not_sent_again(
    legacy: Legacy, proxy: FaultProxy, connect: Connect
) -> None:
    erp = connect(proxy.base_url, keep_alive_s=0.0, concurrency=1)
    proxy.rules = [Pass(), LoseResponse()]
    with pytest.raises(OutcomeUnknown):
        await erp.send(ORDERS, CREATE, soon())
    assert legacy.orders_created() == 1


async def test_a_write_whose_answer_is_cut_is_in_doubt(legacy: Legacy, proxy: FaultProxy, connect: Connect) -> None:
    erp = connect(proxy.base_url, keep_alive_s=0.0)
    proxy.rules = [Pass(), CutResponse(after_bytes=120)]
    with pytest.raises(OutcomeUnknown):
        await erp.send(ORDERS, CREATE, soon())
    assert legacy.orders_created() == 1


async def test_a_write_that_is_answered_too_late_is_in_doubt(
    legacy: Legacy, proxy: FaultProxy, connect: Connect
) -> None:
    erp = connect(proxy.base_url, keep_alive_s=0.0, call_timeout_s=0.5)
    proxy.rules = [Pass(), DelayResponse(for_s=2.0)]
    with pytest.raises(OutcomeUnknown):
        await erp.send(ORDERS, CREATE, soon())
    assert legacy.orders_created() == 1


async def test_an_erp_that_nobody_can_reach_is_down_and_nothing_is_in_doubt(connect: Connect) -> None:
    erp = connect("http://127.0.0.1:9", session=Basic("GATEWAY", lambda: "secret"))
    with pytest.raises(ErpDown):
        await erp.send(ORDERS, CREATE, soon())


async def test_a_read_on_a_broken_connection_is_asked_once_more(proxy: FaultProxy, connect: Connect) -> None:
    erp = connect(proxy.base_url, keep_alive_s=0.0)
    proxy.rules = [LoseResponse(), Pass()]
    answer = await erp.read(ORDERS, KEY, soon())
    assert answer.document is not None
    assert answer.document["ManufacturingOrder"] == "000001000000"


async def test_a_read_that_breaks_twice_says_that_the_erp_is_down(proxy: FaultProxy, connect: Connect) -> None:
    erp = connect(proxy.base_url, keep_alive_s=0.0)
    proxy.rules = [ResetConnect(), ResetConnect(), ResetConnect()]
    with pytest.raises(ErpDown):
        await erp.read(ORDERS, KEY, soon())


async def test_a_read_that_takes_longer_than_its_deadline_is_a_timeout(proxy: FaultProxy, connect: Connect) -> None:
    erp = connect(proxy.base_url)
    proxy.rules = [DelayResponse(for_s=3.0)]
    with pytest.raises(ErpTimeout):
        await erp.read(ORDERS, KEY, soon(0.4))


async def test_retry_after_holds_for_everybody_who_calls_this_erp(legacy: Legacy, connect: Connect) -> None:
    erp = connect()
    spoil(legacy, {"action": "status", "match": "A_ProductionOrder_2", "status": 503, "retry_after_s": 30, "count": 1})
    with pytest.raises(ErpRefusal) as refused:
        await erp.read(ORDERS, KEY, soon())
    assert (refused.value.kind, refused.value.retry_after_s) == ("busy", 30)
    with pytest.raises(ErpBusy):
        await erp.search(ORDERS, Query(limit=1), soon())


async def test_after_five_silences_nobody_knocks_any_more(proxy: FaultProxy, connect: Connect) -> None:
    erp = connect(proxy.base_url, keep_alive_s=0.0, breaker_failures=5)
    proxy.rules = [ResetConnect()] * 40
    for _ in range(5):
        with pytest.raises(ErpDown):
            await erp.read(ORDERS, KEY, soon())
    knocked = proxy.connections_seen
    with pytest.raises(ErpDown, match="lately"):
        await erp.read(ORDERS, KEY, soon())
    assert proxy.connections_seen == knocked
    assert erp.guard.state["breaker"] == "open"


async def test_an_erp_gets_no_more_calls_at_once_than_it_may(legacy: Legacy, connect: Connect) -> None:
    erp = connect(concurrency=2, waiting=1)
    spoil(legacy, {"action": "delay", "match": "A_ProductionOrder_2", "delay_s": 0.5, "count": 0})
    outcomes = await asyncio.gather(*(erp.read(ORDERS, KEY, soon()) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(o, Overloaded) for o in outcomes) == 2
    assert sum(not isinstance(o, BaseException) for o in outcomes) == 3
    assert (erp.guard.state["in_flight"], erp.guard.state["waiting"]) == (0, 0)


async def test_those_who_wait_for_room_give_up_at_their_deadline(legacy: Legacy, connect: Connect) -> None:
    erp = connect(concurrency=1)
    spoil(legacy, {"action": "delay", "match": "A_ProductionOrder_2", "delay_s": 1.0, "count": 0})
    slow = asyncio.create_task(erp.read(ORDERS, KEY, soon()))
    await asyncio.sleep(0.1)
    with pytest.raises(Overloaded):
        await erp.read(ORDERS, KEY, soon(0.2))
    await slow


async def test_connections_are_kept_and_used_again(connect: Connect) -> None:
    erp = connect()
    for _ in range(20):
        await erp.read(ORDERS, KEY, soon())
    assert (erp.gauge.opened, erp.gauge.reused) == (1, 19)


async def test_a_wrong_password_is_the_gateways_trouble_and_not_the_callers(connect: Connect) -> None:
    erp = connect(session=Csrf(Basic("GATEWAY", lambda: "wrong"), f"{PRODUCTS}/"))
    with pytest.raises(ErpDown, match="token"):
        await erp.send(ORDERS, CREATE, soon())


async def test_an_answer_over_the_limit_is_not_read_to_its_end(connect: Connect) -> None:
    erp = connect(max_answer_bytes=2000)
    with pytest.raises(ErpDown):
        await erp.search(ORDERS, Query(limit=100), soon())
