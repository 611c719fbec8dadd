"""A scrape of the metrics holds nobody up, however much there is to tell and however slowly it is read."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.app import Gateway
from gateway.edge.limits import EdgeLimits
from gateway.settings import Settings
from gateway.store.engine import Store
from gateway.surfaces.admin import admin_app
from tests.integration.edge.wire import Address, wire_server

HANGS_S = 60  # what is held up answers never: this ends such a test, and nothing else


class Told(Collector):
    """Metrics of which a test says when they are told, and how many there are."""

    def __init__(self) -> None:
        self.series = 1
        self.asked, self.may_tell = threading.Event(), threading.Event()
        self.may_tell.set()

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [GaugeMetricFamily("test_series", "Of this test.", labels=["n"])]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        self.asked.set()
        self.may_tell.wait()
        family = GaugeMetricFamily("test_series", "Of this test.", labels=["n"])
        for number in range(self.series):
            family.add_metric([str(number)], number)
        return [family]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def address(tmp_path: Path, told: Told) -> Iterator[Address]:
    """The admin port of a gateway, with those metrics among its own."""
    url = f"sqlite:///{tmp_path}/gateway.db"
    gateway = Gateway(Settings(database_url=url), Store(url))
    gateway.metrics.registry.register(told)
    with wire_server(admin_app(gateway), EdgeLimits()) as served:
        try:
            yield served
        finally:
            told.may_tell.set()


def scraped(address: Address) -> str:
    return httpx.get(f"http://{address.host}:{address.port}/metrics", timeout=HANGS_S).raise_for_status().text


def alive(address: Address) -> int:
    return httpx.get(f"http://{address.host}:{address.port}/livez", timeout=HANGS_S).status_code


def test_while_the_metrics_are_gathered_others_are_answered(address: Address, told: Told) -> None:
    told.may_tell.clear()
    with ThreadPoolExecutor() as pool:
        scrape = pool.submit(scraped, address)
        assert told.asked.wait(HANGS_S)
        assert [alive(address) for _ in range(50)] == [200] * 50
        assert not scrape.done()
        told.may_tell.set()
        assert 'test_series{n="0"} 0.0' in scrape.result()


def test_while_a_scraper_reads_nothing_of_a_big_answer_others_are_answered_and_it_gets_all_of_it(
    address: Address, told: Told
) -> None:
    told.series = 400_000  # more than the buffers of both ends hold
    with socket.create_connection((address.host, address.port), HANGS_S) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert told.asked.wait(HANGS_S)
        assert [alive(address) for _ in range(50)] == [200] * 50
        received = slow.makefile("rb").read()
    assert received.count(b"\ntest_series{") == told.series
