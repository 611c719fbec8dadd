"""PostgreSQL goes away: writes stop at once, reads when nobody vouches for the routes any more, and all heals when it is back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.calls import Plant, good, purchase, refused
from tests.e2e.changes import MOVE
from tests.e2e.moves import awaited
from tests.support.crashes import frozen, out_of_order
from tests.support.gateway import deployment, keeping_incoterms
from tests.support.parts import skip_if_missing
from tests.support.postgres import Cluster, throwaway_postgres
from tests.support.simulated import Pair

ORDERS = "production-orders"
LEASE_S = 15


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL that nobody else uses."""
    with skip_if_missing(), throwaway_postgres() as made:
        yield made


def route(answer: httpx.Response) -> list[str]:
    """What `X-Route` says, part by part."""
    return answer.headers["x-route"].split("; ")


def test_reads_end_with_the_lease_unless_the_contract_takes_old_routes_and_come_back_with_the_database(
    cluster: Cluster, erps: Pair, tmp_path: Path
) -> None:
    own = deployment(tmp_path, erps, database_url=cluster.create("vouched"))
    own.environment["CHANGEOVER_LEASE_S"] = str(LEASE_S)
    own.edit("routes/contracts/v1.yaml", "deadline_s: 20}", "deadline_s: 20, stale_reads_s: 3600}")
    with own.running() as gateway:
        plant = Plant(gateway.client("admin"), "1000")
        patient = Plant(plant.http, "1000", version="v1")
        key = plant.rows(ORDERS, limit=1)[0]["id"]
        answers: list[httpx.Response] = []
        with out_of_order(cluster):
            answers.append(plant.read(ORDERS, key))
            with erps.untouched():
                assert refused(plant.ordered(), 503, "journal-unavailable")["retryable"]
            awaited(lambda: answers.append(plant.read(ORDERS, key)) or answers[-1].status_code != 200)
            assert answers[0].status_code == 200, answers[0].text
            assert {len(route(answer)) for answer in answers[:-1]} == {3}, (
                "nothing is old while somebody vouches for it"
            )
            last = answers[-1]
            assert refused(last, 503, "route-unknown")["retryable"]
            assert (last.headers["retry-after"], last.headers.get("x-route")) == ("2", None)
            refused(plant.listed(ORDERS), 503, "route-unknown")
            for answer in (patient.read(ORDERS, key), patient.listed(ORDERS)):
                good(answer)
                *now, stale = route(answer)
                assert now == route(answers[0])
                assert stale.partition("=")[0] == "stale"
                assert 1 <= int(stale.partition("=")[2]) < 3600
            with erps.untouched():
                refused(plant.ordered(), 503, "journal-unavailable")
            assert "lease" in gateway.admin("/readyz").json()["reasons"]
        awaited(lambda: plant.read(ORDERS, key).status_code == 200)
        assert route(plant.read(ORDERS, key)) == route(patient.read(ORDERS, key)) == route(answers[0])
        good(plant.ordered(), 201)
        assert "lease" not in gateway.admin("/readyz").json()["reasons"]


def test_a_database_that_says_nothing_holds_no_client_longer_than_its_own_time_and_what_it_took_is_carried_out(
    cluster: Cluster, erps: Pair, tmp_path: Path
) -> None:
    own = deployment(tmp_path, erps, database_url=cluster.create("mute"))
    own.edit("routes/contracts/v2.yaml", "deadline_s: 20", "deadline_s: 3")
    own.environment["CHANGEOVER_LEASE_S"] = "120"
    with own.running() as gateway:
        plant = Plant(gateway.client("admin"), "1000")
        key = good(plant.ordered(), 201)["id"]
        mark = erps.mark()
        with frozen(cluster), erps.untouched():
            told = refused(plant.ordered(), 504, "outcome-unknown")
            assert "in time" in told["detail"]
            good(plant.read(ORDERS, key))
        # The statement was on its way: the database took it when it woke up, and so it is carried out, once.
        url = f"/api/v2/operations/{told['operation']}"
        awaited(lambda: (answer := plant.http.get(url)).status_code == 200 and answer.json()["state"] == "done")
        assert [entry["verb"] for entry in erps.since(mark).sent] == ["create"]


def test_a_change_after_a_short_trouble_of_the_database_goes_by_what_it_says_and_not_by_what_reads_remember(
    cluster: Cluster, erps: Pair, tmp_path: Path
) -> None:
    """For some seconds after it said nothing reads know by heart what is kept beside an ERP; a write may not."""
    own = deployment(tmp_path, erps, database_url=cluster.create("short"))
    for edit in keeping_incoterms("sap-ecc"):
        own.edit(*edit)
    own.environment["CHANGEOVER_LEASE_S"] = "120"
    with own.running() as gateway:
        plant = Plant(gateway.client("admin"), "1000")
        made = plant.create("purchase-orders", purchase("1000", incoterms="FCA"))
        key, etag = good(made, 201)["id"], made.headers["etag"]
        assert good(plant.read("purchase-orders", key))["incoterms"] == "FCA"
        with frozen(cluster):
            assert good(plant.read("purchase-orders", key))["incoterms"] == "FCA"
        changed = plant.change("purchase-orders", key, {"incoterms": "EXW"}, etag)
        assert good(changed)["incoterms"] == "EXW"
        refused(plant.change("purchase-orders", key, {"incoterms": "DAP"}, etag), 412, "stale-etag")


def test_a_gateway_that_slept_while_a_plant_was_moved_never_reads_by_the_old_table(
    cluster: Cluster, erps: Pair, tmp_path: Path
) -> None:
    own = deployment(tmp_path, erps, database_url=cluster.create("slept"))
    own.environment["CHANGEOVER_LEASE_S"] = "2"
    with own.running() as sleeper, ThreadPoolExecutor(8) as pool:
        clients = [Plant(sleeper.client("admin"), "1000") for _ in range(8)]
        assert route(awaited(lambda: read(clients[0])))[0] == "legacy"
        sleeper.process.send_signal(signal.SIGSTOP)
        try:
            early = [pool.submit(each.listed, ORDERS, limit=1) for each in clients]
            own.edit("routes/waves.yaml", *MOVE)
            done = own.run("apply", "--unsafe-switch", "--content", str(own.content), "--reason", "it sleeps")
            assert done.returncode == 0, done.stderr
            awaited(lambda: not living(cluster))
        finally:
            sleeper.process.send_signal(signal.SIGCONT)
        for answer in [each.result() for each in early]:
            if answer.status_code != 200:
                refused(answer, 503, "route-unknown")
            else:
                assert route(answer)[:2] == ["cloud", "epoch=2"]
        assert route(awaited(lambda: read(clients[0])))[:2] == ["cloud", "epoch=2"]


def read(plant: Plant) -> httpx.Response | None:
    answer = plant.listed(ORDERS, limit=1)
    return answer if answer.status_code == 200 else None


def living(cluster: Cluster) -> list[tuple[Any, ...]]:
    """The instances whose lease has not ended by the database's own clock."""
    return cluster.rows(
        "slept", "SELECT id FROM instance WHERE until_us > extract(epoch FROM clock_timestamp()) * 1000000"
    )
