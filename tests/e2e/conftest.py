"""One gateway for all tests that leave it as they found it; others start their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.calls import Plant
from tests.e2e.changes import reset
from tests.support.gateway import DUAL, TWO_SIDED, Deployment, RunningGateway, deployment
from tests.support.parts import skip_if_missing
from tests.support.postgres import Cluster, throwaway_postgres
from tests.support.simulated import Pair, SimErp, simulated_pair

Change = Callable[[Deployment], None]


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """The shared gateway, with the reference content; modules that need another have one of their own by this name."""
    with simulated_pair() as pair, deployment(tmp_path_factory.mktemp("gateway"), pair).running() as started:
        yield started


@pytest.fixture
def erps(gateway: RunningGateway) -> Pair:
    """The two ERPs behind the module's gateway."""
    return gateway.deployment.erps


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment of this module alone, with ERPs of its own; nothing runs yet."""
    with simulated_pair() as pair:
        yield deployment(tmp_path_factory.mktemp("separate"), pair)


@pytest.fixture(scope="module")
def dual(separate: Deployment) -> Deployment:
    """It, with plant 1000 in dual_legacy and plant 2000 in dual_cloud."""
    separate.begin_in(DUAL)
    return separate


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment of this test alone, with ERPs of its own; nothing runs yet."""
    with simulated_pair() as pair:
        yield deployment(tmp_path, pair)


@pytest.fixture
def starter() -> Iterator[Callable[[Deployment], RunningGateway]]:
    """Start gateways that stop with the test."""
    with ExitStack() as stack:
        yield lambda made: stack.enter_context(made.running())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL of our own."""
    with skip_if_missing(), throwaway_postgres() as cluster:
        yield cluster


@pytest.fixture
def plant(gateway: RunningGateway, code: str) -> Plant:
    """The plant that a test names by `code`, called by an administrator of the module's own gateway."""
    return Plant(gateway.client("admin"), code)


@pytest.fixture
def leader(erps: Pair, code: str) -> SimErp:
    """The ERP in charge, where the plants are in phases that write to both."""
    return erps.legacy if TWO_SIDED[code] == "dual_legacy" else erps.cloud


@pytest.fixture
def follower(erps: Pair, code: str) -> SimErp:
    """The ERP that gets every write after it."""
    return erps.cloud if TWO_SIDED[code] == "dual_legacy" else erps.legacy


@pytest.fixture
def hamburg(gateway: RunningGateway) -> Plant:
    """Plant 1000 on the legacy ERP, called by an administrator."""
    return Plant(gateway.client("admin"), "1000")


@pytest.fixture
def pune(gateway: RunningGateway) -> Plant:
    """Plant 3000 on the cloud ERP, called by an administrator."""
    return Plant(gateway.client("admin"), "3000")


@pytest.fixture(scope="session")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway of its own for all tests that change content and waves."""
    with simulated_pair() as pair, deployment(tmp_path_factory.mktemp("changing"), pair).running() as started:
        yield started


@pytest.fixture
def changing(lasting: RunningGateway) -> Iterator[RunningGateway]:
    """A gateway whose content may be changed: afterwards it is as before."""
    folder = lasting.deployment.content
    original = {str(p.relative_to(folder)): p.read_text("utf-8") for p in folder.rglob("*") if p.is_file()}
    yield lasting
    reset(lasting, original)
