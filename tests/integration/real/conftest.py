"""The real ERPs behind gateways: one gateway per ERP for the contract, others for what is particular."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.integration.real import samples_mocksap, samples_sim, samples_tryton
from tests.support.deployment import (
    Site,
    installed,
    mocksap_new,
    mocksap_old,
    sim_cloud,
    sim_legacy,
    tryton_rest,
    tryton_rpc,
)
from tests.support.erp_contract import Door, Lacks, Sample, System, Truth
from tests.support.mocksap import MockSap
from tests.support.parts import skip_if_missing
from tests.support.postgres import Cluster
from tests.support.simulated import Pair, simulated_pair
from tests.support.tryton import TrytonServer, tryton_clone

LACKS: dict[str, Lacks] = {
    "sim-legacy": samples_sim.LACKS,
    "sim-cloud": samples_sim.LACKS,
    "mocksap-old": samples_mocksap.LACKS_V2,
    "mocksap-new": samples_mocksap.LACKS_V4,
    "tryton-old": samples_tryton.LACKS,
    "tryton-new": samples_tryton.LACKS,
}
"""What each system cannot do; everything else of version 2 it must do."""
Parts = tuple[Site, str, Truth, "dict[str, Sample]"]


@pytest.fixture(scope="session")
def sims() -> Iterator[Pair]:
    """The two simulated ERPs."""
    with simulated_pair() as pair:
        yield pair


@pytest.fixture
def tryton_pair(postgres: Cluster, tryton_base: str) -> Iterator[tuple[TrytonServer, TrytonServer]]:
    """Two Trytons that hold nothing but what the test makes."""
    with (
        skip_if_missing(),
        tryton_clone(postgres, tryton_base, "dual_old") as old,
        tryton_clone(postgres, tryton_base, "dual_new") as new,
    ):
        yield old, new


@pytest.fixture(scope="session")
def tryton_site(tryton_legacy: TrytonServer, tryton_cloud: TrytonServer) -> Site:
    """Two plants between two Trytons: JSON-RPC is the old one, REST the new one."""
    return Site(tryton_rpc(tryton_legacy), tryton_rest(tryton_cloud), {"P100": None, "P200": None})


@pytest.fixture(scope="session")
def mocksap_site(mocksap_v2: MockSap, mocksap_v4: MockSap) -> Site:
    """Two plants between two mock-saps: OData V2 is the old one, V4 the new one."""
    return Site(mocksap_old(mocksap_v2), mocksap_new(mocksap_v4), {"1710": None, "1010": None})


def _sim(ask: pytest.FixtureRequest, new: bool) -> Parts:
    pair: Pair = ask.getfixturevalue("sims")
    site = Site(sim_legacy(pair.legacy), sim_cloud(pair.cloud), {"1000": "eu", "2000": "us"})
    return site, "1000", samples_sim.SimTruth(pair.cloud if new else pair.legacy, new), dict(samples_sim.SAMPLES)


def _mocksap(ask: pytest.FixtureRequest, new: bool) -> Parts:
    server: MockSap = ask.getfixturevalue("mocksap_v4" if new else "mocksap_v2")
    server.reset()
    samples = samples_mocksap.SAMPLES_V4 if new else samples_mocksap.SAMPLES_V2
    return ask.getfixturevalue("mocksap_site"), "1710", samples_mocksap.MockSapTruth(server, new), dict(samples)


def _tryton(ask: pytest.FixtureRequest, new: bool) -> Parts:
    server: TrytonServer = ask.getfixturevalue("tryton_cloud" if new else "tryton_legacy")
    return (
        ask.getfixturevalue("tryton_site"),
        "P100",
        samples_tryton.TrytonTruth(server),
        samples_tryton.samples_at(server),
    )


_PARTS: dict[str, Callable[[pytest.FixtureRequest, bool], Parts]] = {
    "sim": _sim,
    "mocksap": _mocksap,
    "tryton": _tryton,
}


@pytest.fixture(scope="session")
def systems(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], System]]:
    """The ERPs by name, each behind a gateway of its own with all cells on its side; started when first asked for."""
    with ExitStack() as stack:

        @cache
        def start(name: str) -> System:
            kind, _, age = name.partition("-")
            new = age in ("cloud", "new")
            site, plant, truth, samples = _PARTS[kind](request, new)
            made = installed(
                tmp_path_factory.mktemp(name), site, "cloud" if new else "legacy", changeable=changeable(kind)
            )
            gateway = stack.enter_context(made.running())
            return System(name, Door(gateway.client(), plant), truth, samples)

        yield start


@pytest.fixture
def system(request: pytest.FixtureRequest, systems: Callable[[str], System]) -> System:
    """The ERP that the test is parametrised with."""
    return systems(str(request.param))


def changeable(kind: str) -> dict[str, list[str]]:
    return samples_tryton.CHANGEABLE if kind == "tryton" else {}
