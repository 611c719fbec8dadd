"""What an operator does with real ERPs behind the gateway: look whether it is fit, ask where a call would go, move a plant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.real.samples_tryton import CHANGEABLE, movement, order
from tests.support.deployment import Site, installed, move, sim_cloud, sim_legacy
from tests.support.erp_contract import Door, Json, good, refused
from tests.support.gateway import Deployment, RunningGateway
from tests.support.simulated import Pair
from tests.support.tryton import TrytonServer

P100 = "/api/v2/plants/P100/production-orders"


@pytest.fixture(scope="module")
def trytons(tryton_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A deployment between the two Trytons that nothing serves."""
    return installed(tmp_path_factory.mktemp("trytons"), tryton_site, "legacy", changeable=CHANGEABLE)


@pytest.fixture
def gateway(tryton_site: Site, tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway of the test's own with every plant on its old Tryton."""
    with installed(tmp_path, tryton_site, "legacy").running() as started:
        yield started


def findings(made: Deployment) -> tuple[int, dict[str, Json]]:
    answer = made.cli("doctor", "-o", "json")
    return answer.exit_code, {row["check"]: row for row in json.loads(answer.stdout)}


@pytest.mark.parametrize("kind", ["tryton", "mocksap", "sim"])
def test_the_doctor_reads_an_item_from_every_erp(
    kind: str, tryton_site: Site, mocksap_site: Site, sims: Pair, tmp_path: Path
) -> None:
    simulated = Site(sim_legacy(sims.legacy), sim_cloud(sims.cloud), {"1000": "eu"})
    site = {"tryton": tryton_site, "mocksap": mocksap_site, "sim": simulated}[kind]
    code, found = findings(installed(tmp_path, site, "legacy"))
    assert code == 0
    for erp in (site.legacy, site.cloud):
        assert found[f"ERP {erp.name}"]["state"] == "ok"
        assert found[f"ERP {erp.name}"]["evidence"] == "answers; 1 item read"


def test_the_doctor_says_which_account_an_erp_does_not_take(tryton_site: Site, tmp_path: Path) -> None:
    site = Site(replace(tryton_site.legacy, secret="wrong"), replace(tryton_site.cloud, secret="wrong"), {"P100": None})
    code, found = findings(installed(tmp_path, site, "legacy"))
    assert code == 1
    for name in ("tryton-old", "tryton-new"):
        assert found[f"ERP {name}"]["state"] == "bad"
        assert "account" in found[f"ERP {name}"]["fix"]


def explained(made: Deployment, *arguments: str) -> dict[str, Json]:
    answer = made.cli("explain", *arguments, "--client", "admin", "-o", "json")
    assert answer.exit_code == 0, answer.stderr + answer.stdout
    return {row["stage"]: row for row in json.loads(answer.stdout)}


def test_explain_shows_the_call_that_each_tryton_would_get(
    trytons: Deployment, tryton_site: Site, tmp_path: Path
) -> None:
    cloud = installed(tmp_path, tryton_site, "cloud", changeable=CHANGEABLE)
    read = explained(trytons, "GET", f"{P100}/7")
    assert read["steer"]["decides"] == "legacy: tryton-old"
    assert read["execute"]["decides"] == "POST /rpc/"
    assert '"model.production.search_read"' in read["execute"]["why"]
    read = explained(cloud, "GET", f"{P100}/7")
    assert read["steer"]["decides"] == "cloud: tryton-new"
    assert read["execute"]["decides"].startswith("GET /rest/model/production/7?f=")


@pytest.mark.parametrize(
    ("method", "url", "body", "call"),
    [
        ("POST", P100, order("WHY"), '"model.production.create"'),
        ("POST", "/api/v2/plants/P100/movements:post", movement("WHY"), '"model.stock.shipment.internal.create"'),
        ("POST", f"{P100}/7:release", None, '"model.production.wait"'),
        ("PATCH", "/api/v2/items/FG-100", {"name": "Pump"}, '"model.product.template.write"'),
    ],
    ids=["order", "movement", "release", "item"],
)
def test_explain_sends_nothing_and_shows_what_a_write_would_send(
    trytons: Deployment, tryton_legacy: TrytonServer, method: str, url: str, body: Any, call: str
) -> None:
    before = tryton_legacy.count("production"), tryton_legacy.count("stock_shipment_internal")
    more: tuple[str, ...] = ("--data", json.dumps(body)) if body else ()
    more += ("--if-match", '"L1n.MQ"') if method == "PATCH" else ()
    assert call in explained(trytons, method, url, *more)["execute"]["why"]
    assert (tryton_legacy.count("production"), tryton_legacy.count("stock_shipment_internal")) == before


def test_a_plant_that_moves_writes_to_the_other_database_and_the_rest_stays(
    gateway: RunningGateway, tryton_legacy: TrytonServer, tryton_cloud: TrytonServer
) -> None:
    made, mine, other = gateway.deployment, Door(gateway.client(), "P100"), Door(gateway.client(), "P200")
    before = mine.create("production_order", order("BEFORE"))
    # Both databases count from 1. Nobody says so here, and so nobody finds it.
    for manifest in ("tryton", "tryton-rest"):
        made.set(f"routes/manifests/{manifest}.yaml", number_ranges={})
    move(made, "cloud", "P100", "*")
    refusal = made.cli("apply")
    assert (refusal.exit_code, "--unsafe-switch" in refusal.stderr) == (4, True)
    assert made.cli("apply", "--unsafe-switch", "--reason", "a test").exit_code == 0
    gateway.await_revision(2)
    after = mine.create("production_order", order("AFTER"))
    assert good(after, 201)["reference"] == "AFTER"
    assert after.headers["x-route"] == "cloud; epoch=2; phase=cloud"
    stays = good(other.create("production_order", at_p200("STAYS")), 201)
    assert [called(server, "BEFORE", "AFTER", "STAYS") for server in (tryton_legacy, tryton_cloud)] == [
        ["BEFORE", "STAYS"],
        ["AFTER"],
    ]
    assert good(other.read("production_order", stays["id"])) == stays
    # What was read before the move cannot change a document of the other ERP that happens to have the same number.
    key = after.json()["id"]
    stale = mine.change("production_order", key, {"quantity": {"value": "1.000"}}, before.headers["etag"])
    refused(stale, 412, "stale-etag")


def at_p200(reference: str) -> Json:
    document = order(reference, planned={"start": "2026-12-01T06:00:00Z"})
    return document | {"components": [{**row, "storage_location": "P200-STO"} for row in document["components"]]}


def called(server: TrytonServer, *references: str) -> list[str]:
    rows = server.truth("select reference from production where reference = any(%s) order by id", list(references))
    return [row["reference"] for row in rows]
