"""The database is restarted under load, without a shutdown: what was acknowledged is there, once, and nobody restarts a gateway."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.calls import refused
from tests.e2e.moves import awaited
from tests.support.crashes import PHASES, Order, audited, dual_site, out_of_order, restarted
from tests.support.parts import skip_if_missing
from tests.support.postgres import Cluster, throwaway_postgres
from tests.support.simulated import Pair

ORDERS, CLIENTS, TIMES = 60, 12, 2


@pytest.fixture(scope="module")
def durable() -> Iterator[Cluster]:
    """A PostgreSQL that nobody else uses, with fsync on."""
    with skip_if_missing(), throwaway_postgres(durable=True) as cluster:
        yield cluster


def test_a_database_restarted_under_load_loses_no_acknowledged_write(
    durable: Cluster, erps: Pair, tmp_path: Path, numbers: Iterator[int]
) -> None:
    site = dual_site(tmp_path, erps, database_url=durable.create("restarted"), CHANGEOVER_LEASE_S="2")
    mark = erps.mark()
    orders = [Order(code, next(numbers)) for _ in range(ORDERS // 2) for code in PHASES]
    acknowledged: list[httpx.Response] = []
    with site.running() as gateway, ThreadPoolExecutor(CLIENTS) as clients:
        http = gateway.client("admin")
        under_way = [clients.submit(lambda o=o: acknowledged.append(o.insisted(http))) for o in orders]
        for number in range(1, TIMES + 1):
            awaited(lambda n=number: len(acknowledged) >= n * ORDERS // (TIMES + 2))
            restarted(durable)
        for each in under_way:
            each.result()
        assert {answer.status_code for answer in acknowledged} <= {201, 202}
        site.settled(gateway)
        assert gateway.process.poll() is None
    audited(site, mark, orders)


def test_while_the_database_is_gone_writes_are_refused_and_nothing_is_sent(
    durable: Cluster, erps: Pair, tmp_path: Path, numbers: Iterator[int]
) -> None:
    site = dual_site(tmp_path, erps, database_url=durable.create("gone"), CHANGEOVER_LEASE_S="2")
    mark, first = erps.mark(), Order("1000", next(numbers))
    with site.running() as gateway:
        http = gateway.client("admin")
        first.insisted(http)
        site.settled(gateway)
        last, before = Order("1000", next(numbers)), erps.mark()
        with out_of_order(durable):
            told = last.sent(http)
            assert told is not None
            refused(told, 503, "journal-unavailable")
            assert not erps.since(before).sent
        last.insisted(http)
        site.settled(gateway)
    audited(site, mark, [first, last])
