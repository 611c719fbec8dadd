"""A simulated ERP behind a proxy that breaks connections, and a connector towards it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
import uvloop

from gateway.connectors.guarded import GuardedConnector
from gateway.connectors.http import HttpTransport
from gateway.connectors.port import Gauge, Limits, Session
from gateway.connectors.sessions import Basic, Csrf
from gateway.protocols.odata_v2 import ODataV2
from gateway.protocols.port import Shape
from gateway.sim.erps import ErpApp, ErpConfig, legacy_app, running
from tests.support.fault_proxy import FaultProxy

PRODUCTS = "/sap/opu/odata/sap/API_PRODUCT_SRV"
ORDERS = Shape(
    {
        "service": "/sap/opu/odata/sap/API_PRODUCTION_ORDER_2_SRV",
        "set": "A_ProductionOrder_2",
        "key": ["ManufacturingOrder"],
    },
    (("ManufacturingOrder",), ("Material",), ("TotalQuantity",)),
)
NEW = {
    "ManufacturingOrderType": "PP01",
    "ProductionPlant": "1000",
    "Material": "PUMP-200",
    "TotalQuantity": "5.000",
    "ProductionUnit": "ST",
    "MfgOrderPlannedStartDate": "/Date(1796083200000)/",
}


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here runs on both loops: the gateway runs on uvloop, whose transports differ in small ways."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.SelectorEventLoop}


@dataclass(frozen=True, slots=True)
class Legacy:
    app: ErpApp
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def orders_created(self) -> int:
        made = [e for e in self.app.erp.truth if e.entity == "A_ProductionOrder_2" and e.verb == "create"]
        return sum(e.origin == "api" for e in made)


@pytest.fixture
def legacy() -> Iterator[Legacy]:
    app = legacy_app(ErpConfig(users={"GATEWAY": "secret"}))
    with running(app) as url:
        yield Legacy(app, url)


@pytest.fixture
async def proxy(legacy: Legacy) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", legacy.port) as made:
        yield made


Connect = Callable[..., GuardedConnector]


@pytest.fixture
async def connect(legacy: Legacy) -> AsyncIterator[Connect]:
    """Make a connector; without a URL straight to the ERP."""
    made: list[GuardedConnector] = []

    def make(url: str | None = None, *, session: Session | None = None, **limits: float) -> GuardedConnector:
        rules = Limits(**{"call_timeout_s": 5.0, **limits})  # type: ignore[arg-type]
        gauge = Gauge()
        own = session or Csrf(Basic("GATEWAY", lambda: "secret"), f"{PRODUCTS}/")
        connector = GuardedConnector(
            "ecc", ODataV2(), HttpTransport(url or legacy.url, rules, gauge), own, rules, gauge
        )
        made.append(connector)
        return connector

    yield make
    for connector in made:
        await connector.close()
