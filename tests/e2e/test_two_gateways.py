"""Several gateways on one PostgreSQL serve the same table, and one apply moves them all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.e2e.calls import Plant, good
from tests.e2e.test_apply import BACK, MOVE, STALE
from tests.support.gateway import Deployment, RunningGateway
from tests.support.postgres import Cluster

Start = Callable[[Deployment], RunningGateway]


@pytest.fixture
def shared(own: Deployment, postgres: Cluster, request: pytest.FixtureRequest) -> Deployment:
    """A deployment whose store is a PostgreSQL database."""
    return replace(own, database_url=postgres.create(request.node.name[:60]))


def test_gateways_on_one_database_move_together_and_a_late_one_joins_them(
    shared: Deployment, starter: Start, postgres: Cluster
) -> None:
    first, second = starter(shared), starter(shared)
    plants = [Plant(each.client("admin"), "1000") for each in (first, second)]
    keys = [good(plant.ordered(), 201)["id"] for plant in plants]
    assert good(plants[0].read("production-orders", keys[1]))["id"] == keys[1]

    shared.edit("routes/waves.yaml", *MOVE)
    done = shared.cli("apply", "--unsafe-switch", "--reason", "both at once")
    assert done.exit_code == 0, done.stderr
    for each, plant in zip((first, second), plants, strict=True):
        each.await_revision(2)
        assert plant.listed("production-orders").headers["x-route"] == "cloud; epoch=2; phase=cloud"
    tables = [each.admin("/admin/v1/waves").json() for each in (first, second)]
    assert tables[0] == tables[1]

    shared.edit("routes/waves.yaml", *BACK)  # what a folder says counts when it is applied, not when a gateway starts
    late = starter(shared)
    assert late.admin("/admin/v1/waves").json() == tables[0]

    database = shared.database_url.rpartition("/")[2]
    rows = postgres.rows(database, "SELECT action, reason FROM audit ORDER BY id")
    assert rows == [("apply", "first start"), ("apply", "both at once")]


async def test_of_two_applies_at_the_same_time_one_wins_and_the_other_is_told(
    shared: Deployment, starter: Start, postgres: Cluster
) -> None:
    running = starter(shared)
    shared.edit("routes/waves.yaml", *MOVE)
    command = ("apply", "--unsafe-switch", "--content", str(shared.content))
    both = await asyncio.gather(*(asyncio.to_thread(shared.run, *command) for _ in range(2)))
    running.await_revision(2)
    codes = sorted(done.returncode for done in both)
    assert codes in ([0, 0], [0, STALE]), [done.stderr for done in both]
    database = shared.database_url.rpartition("/")[2]
    assert postgres.rows(database, "SELECT revision FROM wave_table") == [(2,)]
    assert len(postgres.rows(database, "SELECT id FROM audit")) == 2


def test_a_gateway_whose_database_went_away_serves_on_and_says_so(
    shared: Deployment, starter: Start, postgres: Cluster
) -> None:
    running = starter(shared)
    plant = Plant(running.client("admin"), "1000")
    postgres.drop(shared.database_url.rpartition("/")[2])
    running.awaited("store.unreachable")
    good(plant.ordered(), 201)
    report = running.admin("/readyz")
    assert "store" in report.json()["reasons"]
