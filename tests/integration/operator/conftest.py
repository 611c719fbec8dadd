"""One gateway with a plant in each dual phase, for all tests of the operator's surface."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.calls import Plant
from tests.integration.operator.site import Desk
from tests.support.gateway import DUAL, Deployment, RunningGateway, deployment
from tests.support.simulated import Pair, simulated_pair


@pytest.fixture(scope="package")
def erps() -> Iterator[Pair]:
    with simulated_pair() as pair:
        yield pair


def dual(made: Deployment) -> Deployment:
    """Plant 1000 in dual_legacy, plant 2000 in dual_cloud; confirmations may be in doubt for a second only."""
    made.begin_in(DUAL)
    for name in ("ecc", "s4"):
        path = made.content / f"routes/manifests/{name}.yaml"
        path.write_text(path.read_text("utf-8").replace("max_exec_s: 20", "max_exec_s: 1"), "utf-8")
    made.edit("routes/contracts/v2.yaml", "deadline_s: 20", "deadline_s: 5")
    made.environment["CHANGEOVER_WRITE_CALL_S"] = "3"
    return made


@pytest.fixture(scope="package")
def gateway(erps: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    made = dual(deployment(tmp_path_factory.mktemp("operator"), erps))
    with made.running() as started:
        yield started


@pytest.fixture(params=["1000", "2000"])
def desk(request: pytest.FixtureRequest, gateway: RunningGateway, erps: Pair) -> Desk:
    """The operator of a plant: once with the old ERP in charge, once with the new one."""
    return Desk(gateway, erps, Plant(gateway.client("admin"), request.param))


@pytest.fixture
def desk_1000(gateway: RunningGateway, erps: Pair) -> Desk:
    return Desk(gateway, erps, Plant(gateway.client("admin"), "1000"))
