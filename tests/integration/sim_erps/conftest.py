"""The simulated ERPs on real sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from gateway.sim.erps import ErpApp, ErpConfig, cloud_app, d365_app, legacy_app, running
from tests.integration.sim_erps.caller import Caller, Start, at_four


@pytest.fixture
def start() -> Iterator[Start]:
    """Start an ERP with any settings; all stop at the end of the test."""
    with ExitStack() as stack:

        def starter(make: Callable[[ErpConfig], ErpApp], *, token: bool = True, **settings: Any) -> Caller:
            app = make(ErpConfig(**{"clock": at_four, **settings}))
            base = stack.enter_context(running(app))
            caller = Caller(app, stack.enter_context(httpx.Client(base_url=base)))
            if token and app.erp.config.face != "d365" and not settings.get("users") and not settings.get("clients"):
                caller.fetch_token()
            return caller

        yield starter


@pytest.fixture
def legacy(start: Start) -> Caller:
    return start(legacy_app)


@pytest.fixture
def cloud(start: Start) -> Caller:
    return start(cloud_app)


@pytest.fixture
def d365(start: Start) -> Caller:
    return start(d365_app)
