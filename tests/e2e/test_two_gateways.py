"""Several gateways on one PostgreSQL serve the same table, and one apply moves them all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import uuid4

import pytest

from tests.e2e.calls import Plant, good, order, refused
from tests.e2e.changes import BACK, MOVE, STALE
from tests.e2e.moves import awaited
from tests.support.gateway import Deployment, RunningGateway
from tests.support.postgres import Cluster
from tests.support.simulated import Pair

NAME = "gateway"
Gateways = tuple[RunningGateway, RunningGateway]


@pytest.fixture(scope="module")
def shared(separate: Deployment, postgres: Cluster) -> Deployment:
    """A deployment whose store is a PostgreSQL database; without it reads go on for as long as the lease, here a minute."""
    separate.database_url = postgres.create(NAME)
    separate.environment["CHANGEOVER_LEASE_S"] = "60"
    return separate


@pytest.fixture
def erps(shared: Deployment) -> Pair:
    return shared.erps


@pytest.fixture(scope="module")
def two(shared: Deployment) -> Iterator[Gateways]:
    with ExitStack() as stack:
        yield stack.enter_context(shared.running()), stack.enter_context(shared.running())


def tables(*gateways: RunningGateway) -> list[object]:
    return [each.admin("/admin/v1/waves").json() for each in gateways]


def test_an_order_made_through_one_gateway_is_read_through_the_other(two: Gateways) -> None:
    first, second = (Plant(each.client("admin"), "1000") for each in two)
    made = first.ordered()
    key = good(made, 201)["id"]
    assert good(second.read("production-orders", key)) == made.json()
    changed = second.change("production-orders", key, {"quantity": {"value": "3"}}, made.headers["etag"])
    assert good(changed)["quantity"]["value"] == "3.000"


@pytest.mark.parametrize("through", [0, 1], ids=["the-same-gateway", "the-other-gateway"])
def test_while_the_first_request_under_a_key_is_answered_the_second_is_told_so(
    two: Gateways, erps: Pair, through: int
) -> None:
    """And gets the answer of the first one afterwards, whichever gateway it asks."""
    first, second = Plant(two[0].client("admin"), "1000"), Plant(two[through].client("admin"), "1000")
    mark, key, document = erps.legacy.length, {"Idempotency-Key": str(uuid4())}, order()
    slow = erps.legacy.fault("delay", method="POST", match="A_ProductionOrder_2", delay_s=1.5, count=1)
    with slow, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(first.create, "production-orders", document, **key)
        awaited(lambda: erps.legacy.door.get("/_faults").json()[0]["hits"])
        refused(second.create("production-orders", document, **key), 409, "idempotency-in-flight")
        answer = waiting.result()
    again = second.create("production-orders", document, **key)
    assert good(again, 201) == good(answer, 201)
    assert again.headers["idempotent-replayed"] == "true"
    made = [e for e in erps.legacy.since(mark, origin="api") if e["verb"] == "create" and "Order" in e["entity"]]
    assert len({tuple(e["key"].values())[:1] for e in made}) == 1


async def test_two_applies_at_the_same_time_move_both_gateways_once(
    two: Gateways, shared: Deployment, postgres: Cluster
) -> None:
    shared.edit("routes/waves.yaml", *MOVE)
    command = ("apply", "--unsafe-switch", "--content", str(shared.content), "--reason", "both at once")
    both = await asyncio.gather(*(asyncio.to_thread(shared.run, *command) for _ in range(2)))
    codes = sorted(done.returncode for done in both)
    assert codes in ([0, 0], [0, STALE]), [done.stderr for done in both]
    for each in two:
        await asyncio.to_thread(each.await_revision, 2)
        route = Plant(each.client("admin"), "1000").listed("production-orders").headers["x-route"]
        assert route == "cloud; epoch=2; phase=cloud"
    first, second = tables(*two)
    assert first == second
    rows = postgres.rows(NAME, "SELECT action, reason FROM audit ORDER BY id")
    assert rows == [("apply", "first start"), ("apply", "both at once")]
    assert postgres.rows(NAME, "SELECT revision FROM wave_table") == [(2,)]


def test_a_gateway_that_starts_late_serves_what_is_in_force_not_what_its_folder_says(
    two: Gateways, shared: Deployment
) -> None:
    shared.edit("routes/waves.yaml", *(BACK if _has_moved(shared) else MOVE))
    with shared.running() as late:
        assert tables(late) == tables(two[0])


def _has_moved(shared: Deployment) -> bool:
    return "phase: cloud\n    target" in (shared.content / "routes/waves.yaml").read_text("utf-8")


@pytest.fixture
def moved(two: Gateways, shared: Deployment) -> Gateways:
    """A plant has moved at some time, so documents' numbers are in the database and nowhere else."""
    if two[0].admin("/admin/v1/waves").json()["revision"] == 1:
        shared.edit("routes/waves.yaml", *MOVE)
        assert shared.cli("apply", "--unsafe-switch", "--reason", "it moves").exit_code == 0
        for each in two:
            each.await_revision(2)
    return two


def test_without_the_database_nothing_is_written_reads_go_on_and_readyz_says_so(
    moved: Gateways, postgres: Cluster, erps: Pair
) -> None:
    """A write that cannot be journalled is not sent: the client may come again, and no ERP has heard of it.

    Documents that were read before the database went are still known by their numbers, others are not.
    """
    before = [good(Plant(each.client("admin"), "3000").listed("production-orders", limit=1)) for each in moved]
    postgres.drop(NAME)
    for each, known in zip(moved, before, strict=True):
        each.awaited("store.unreachable")
        plant = Plant(each.client("admin"), "3000")
        with erps.untouched():
            answer = plant.ordered()
            assert refused(answer, 503, "journal-unavailable")["retryable"]
            assert answer.headers["retry-after"]
        assert good(plant.listed("production-orders", limit=1)) == known
        assert refused(plant.read("production-orders", "4711"), 503, "journal-unavailable")["retryable"]
        assert "store" in each.admin("/readyz").json()["reasons"]
