"""Deployments that crash, one pair of simulated ERPs for a module."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.e2e.calls import Plant
from tests.support.crashes import PHASES, Site
from tests.support.gateway import RunningGateway
from tests.support.simulated import Pair, SimErp, simulated_pair


@pytest.fixture(scope="module")
def erps() -> Iterator[Pair]:
    with simulated_pair() as pair:
        yield pair


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Quantities that no order had before: by them an order is known in both ERPs, whatever its numbers are there."""
    return iter(count(101))


@pytest.fixture(scope="module")
def gateway(site: Site) -> Iterator[RunningGateway]:
    """The gateway of a module's own site."""
    with site.running() as started:
        yield started


@pytest.fixture(params=sorted(PHASES))
def plant(gateway: RunningGateway, request: pytest.FixtureRequest) -> Plant:
    """A plant that the old ERP leads, and one that the new one does."""
    return Plant(gateway.client("admin"), request.param)


@pytest.fixture
def leader(erps: Pair, plant: Plant) -> SimErp:
    """The ERP in charge of the plant."""
    return erps.legacy if PHASES[plant.plant] == "dual_legacy" else erps.cloud


@pytest.fixture
def follower(erps: Pair, plant: Plant) -> SimErp:
    """The other one."""
    return erps.cloud if PHASES[plant.plant] == "dual_legacy" else erps.legacy
