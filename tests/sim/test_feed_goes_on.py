"""A feed reader that breaks in a way nobody foresaw goes on at its next look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.sim.instance import Instance
from gateway.sim.judge import sides_agree
from gateway.sim.shape import CLOUD, LEGACY, PLANT
from gateway.sim.virtual_time import VirtualLoop
from gateway.sim.world import Contents, World
from gateway.store.feeds import FeedBook
from tests.support.worlds import calm

FEED, BROKEN_FOR_S = f"{LEGACY}/production_order/{PLANT}", 30


async def until(what: Callable[[], Any]) -> None:
    for _ in range(600):
        if what():
            return
        await asyncio.sleep(1)
    raise AssertionError("it never came")


async def breaks(*_: Any) -> None:
    raise LookupError("nobody foresaw this")


def lag_s(gateway: Instance) -> Any:
    return gateway.feeds.state.get(FEED, {}).get("lag_s")


def carried_over(world: World) -> int:
    """The orders that the gateway made in the new ERP."""
    return sum(e.verb == "create" and e.type.role == "order" and e.origin == "api" for e in world.erps[CLOUD].truth)


async def broken_for_a_while(world: World) -> None:
    world.instances = [world._born()]
    (gateway,) = world.instances
    await until(lambda: lag_s(gateway) is not None)
    with pytest.MonkeyPatch.context() as code:
        code.setattr(FeedBook, "claim", breaks)
        world._edited(LEGACY, "create", "MUELLER")
        await asyncio.sleep(BROKEN_FOR_S)
        assert gateway.feeds.gauge.failures > 1
        assert lag_s(gateway) >= BROKEN_FOR_S
        assert carried_over(world) == 0
    failures = gateway.feeds.gauge.failures
    await until(lambda: carried_over(world) and world.drained())
    assert sides_agree(world) == []
    await until(lambda: lag_s(gateway) < BROKEN_FOR_S)
    assert gateway.feeds.gauge.failures == failures


def test_a_reader_that_breaks_at_its_looks_shows_it_by_its_lag_and_carries_over_what_it_missed(
    contents: Contents,
) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(broken_for_a_while(World(contents, calm("dual_legacy", follows=True))))
