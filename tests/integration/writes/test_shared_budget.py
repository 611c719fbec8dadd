"""Two gateways on one PostgreSQL spend one budget for each ERP: by the ERPs' own logs, never more calls at once than declared."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.calls import Plant, good
from tests.e2e.moves import awaited
from tests.support.crashes import PHASES, Order, died, dual_site
from tests.support.gateway import RunningGateway
from tests.support.postgres import Cluster
from tests.support.simulated import Pair
from tests.support.witness import Witness, witness, witnessed_pair

DECLARED, PEOPLE, CALLS = 5, 16, 96
SHARES = [2, 3]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with witnessed_pair() as both:
        yield both


def share(gateway: RunningGateway, erp: str) -> int:
    """How many calls at once a gateway may make to an ERP."""
    lines = gateway.admin("/metrics").text.splitlines()
    (found,) = (line for line in lines if line.startswith(f'changeover_erp_share{{erp="{erp}"}}'))
    return int(float(found.split()[-1]))


def shares(*gateways: RunningGateway) -> list[int]:
    return sorted(share(each, "s4") for each in gateways)


def call(number: int, http: httpx.Client, quantity: int) -> None:
    """A list or a new order, of a plant led by one ERP or by the other."""
    code = list(PHASES)[number % 2]
    if number % 4 < 2:
        good(Plant(http, code).listed("production-orders", limit=1))
    else:
        Order(code, quantity).insisted(http)


def busy(numbers: Iterator[int], logs: list[Witness], *gateways: RunningGateway) -> list[int]:
    """Many people call at once. Gives: the most calls that each ERP had at once meanwhile."""
    for log in logs:
        log.calls.clear()
    clients = [each.client("admin") for each in gateways]
    with ThreadPoolExecutor(PEOPLE) as pool:
        asked = [(n, clients[n // 4 % len(clients)], next(numbers)) for n in range(CALLS)]
        list(pool.map(lambda each: call(*each), asked))
    return [log.most for log in logs]


def test_two_gateways_never_ask_more_of_an_erp_than_one_may_and_the_living_one_gets_the_dead_ones_share(
    pair: Pair, postgres: Cluster, tmp_path: Path, numbers: Iterator[int]
) -> None:
    site = dual_site(tmp_path, pair, database_url=postgres.create("budget"), CHANGEOVER_LEASE_S="6")
    for erp in ("ecc", "s4"):
        site.made.set(f"routes/erps/{erp}.yaml", limits={"concurrency": DECLARED, "call_timeout_s": 20})
    logs = [witness(pair.legacy), witness(pair.cloud)]
    for log in logs:
        log.work_s = 0.05
    first = site.started()
    second = site.started()
    try:
        awaited(lambda: shares(first, second) == SHARES)
        assert busy(numbers, logs, first, second) == [DECLARED, DECLARED]
        site.settled(first)
        second.process.kill()
        died(second)
        assert busy(numbers, logs, first)[0] <= DECLARED
        awaited(lambda: shares(first) == [DECLARED])
        assert busy(numbers, logs, first) == [DECLARED, DECLARED]
        site.settled(first)
    finally:
        for gateway in (first, second):
            gateway.stop()
    assert site.cases() == []
