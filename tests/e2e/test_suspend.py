"""A suspended cell serves its clients; what its other ERP is owed waits until somebody resumes it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.e2e.calls import Plant, good
from tests.e2e.changes import USAGE, await_applied
from tests.e2e.moves import awaited, declare, open_legs, operation, orders
from tests.support.gateway import Deployment, RunningGateway

CELL = ("1000", "production")
LEADS = {"dual_legacy": "legacy", "dual_cloud": "cloud"}


@pytest.fixture(params=LEADS)
def phase(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def audited(own: Deployment) -> list[tuple[str, str | None, dict[str, str]]]:
    with closing(sqlite3.connect(own.folder / "gateway.db")) as db:
        rows = db.execute("SELECT action, reason, detail FROM audit ORDER BY id").fetchall()
    return [(action, reason, json.loads(detail)) for action, reason, detail in rows]


def test_while_a_cell_is_suspended_its_other_erp_gets_nothing_and_afterwards_everything_in_order(
    own: Deployment, starter: Callable[[Deployment], RunningGateway], phase: str
) -> None:
    declare(own, "legacy", phase)
    running = starter(own)
    plant = Plant(running.client("admin"), "1000")
    follower = own.erps.cloud if LEADS[phase] == "legacy" else own.erps.legacy

    done = own.cli("suspend", *CELL, "--reason", "quarter close", content=False)
    assert done.exit_code == 0, done.stderr
    await_applied(running)

    mark = follower.length
    first = plant.ordered()
    order = good(first, 201)
    assert first.headers["x-route"] == f"{LEADS[phase]}; epoch=1; phase={phase}; suspended"
    changed = plant.change("production-orders", order["id"], {"quantity": {"value": "7"}}, first.headers["etag"])
    good(changed)
    elsewhere = plant.at("2000").ordered()
    good(elsewhere, 201)
    awaited(lambda: operation(plant, elsewhere)["state"] == "done")
    assert follower.since(mark, origin="api")[:1] == orders(follower, mark)[: 1 if LEADS[phase] == "cloud" else 0]
    assert [leg["state"] for leg in operation(plant, first)["legs"]] == ["done", "ready"]
    assert [leg["state"] for leg in operation(plant, changed)["legs"]] == ["done", "waiting"]

    assert own.cli("resume", *CELL, "--reason", "closed", content=False).exit_code == 0
    await_applied(running)
    awaited(lambda: operation(plant, changed)["state"] == "done")
    assert open_legs(own) == 0
    verbs = [
        e["verb"]
        for e in follower.since(mark, origin="api")
        if e["entity"] in ("A_ProductionOrder_2", "ProductionOrder")
    ]
    assert verbs[-2:] == ["create", "update"]
    assert audited(own)[1:] == [
        ("suspend", "quarter close", {"plant": "1000", "domain": "production"}),
        ("resume", "closed", {"plant": "1000", "domain": "production"}),
    ]


def test_a_dry_run_changes_nothing_a_second_time_neither_and_a_reason_is_required(
    own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    running = starter(own)
    dry = own.cli("suspend", *CELL, "--reason", "try", "--dry-run", "-o", "json", content=False)
    assert (dry.exit_code, json.loads(dry.stdout)[0]["suspended"]) == (0, False)
    assert own.cli("suspend", *CELL, content=False).exit_code == USAGE
    assert own.cli("suspend", *CELL, "--reason", " ", content=False).exit_code == USAGE
    assert own.cli("suspend", "1000", "gardening", "--reason", "try", content=False).exit_code == USAGE
    assert len(audited(own)) == 1
    for _ in range(2):
        assert own.cli("suspend", *CELL, "--reason", "now", content=False).exit_code == 0
    assert len(audited(own)) == 2
    await_applied(running)
    assert running.admin("/admin/v1/waves").json()["revision"] == 2
