"""The clients of the demo: what is accepted is watched to its end, what was not sent is sent again under the same key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest

from gateway.cli.demo.processes import Demo
from gateway.cli.demo.traffic import Plant, Tally
from tests.e2e.moves import orders
from tests.support.gateway import Deployment, RunningGateway
from tests.support.simulated import Pair

ORDERS = "/api/v2/plants/1000/production-orders"
ORDER = {
    "reference": "MES-1",
    "item": "PUMP-100",
    "quantity": {"value": "3", "unit": "H87"},
    "planned": {"start": "2026-12-01T06:00:00Z"},
}


@pytest.fixture(scope="module")
def gateway(separate: Deployment) -> Iterator[RunningGateway]:
    """A gateway that lets a client wait for a second, and then tells it where to look."""
    separate.edit("routes/contracts/v2.yaml", "deadline_s: 20", "deadline_s: 1")
    with separate.running() as started:
        yield started


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def plant(gateway: RunningGateway, tally: Tally) -> Plant:
    made = gateway.deployment
    demo = Demo(gateway.base_url, gateway.admin_url, {}, {"mes": made.keys["mes"]}, made.content, {}, {})
    return Plant(demo, "1000", 1.0, tally, seed=1)


async def _told_to_wait(tally: Tally) -> None:
    for _ in range(600):
        if tally.waited:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nobody was told to wait")


async def test_an_order_that_takes_longer_than_the_client_waits_is_watched_to_its_end(
    erps: Pair, plant: Plant, tally: Tally
) -> None:
    legacy, mark = erps.legacy, erps.legacy.length
    async with aiohttp.ClientSession() as http:
        with legacy.fault("commit_then_delay", method="POST", match="Order", delay_s=1.5):
            done = await plant.write(http, ORDERS, ORDER)
        (entry,) = orders(legacy, mark)
        assert done is not None
        assert done.body["document"] in entry["key"]["ManufacturingOrder"]
        assert (tally.accepted, tally.errors) == (1, [])


async def test_an_order_that_was_not_sent_is_sent_again_under_its_key_until_the_erp_is_back(
    erps: Pair, plant: Plant, tally: Tally
) -> None:
    legacy, mark = erps.legacy, erps.legacy.length
    async with aiohttp.ClientSession() as http:
        with legacy.fault("status", status=503, retry_after_s=1, count=0):
            writing = asyncio.create_task(plant.write(http, ORDERS, ORDER))
            await _told_to_wait(tally)
        done = await writing
        assert done is not None
        assert done.body["id"]
    assert (len(orders(legacy, mark)), tally.errors) == (1, [])


async def test_an_order_that_is_refused_is_an_error(plant: Plant, tally: Tally) -> None:
    async with aiohttp.ClientSession() as http:
        assert await plant.write(http, ORDERS, {**ORDER, "item": "NO-SUCH-ITEM"}) is None
    assert len(tally.errors) == 1
