"""Content and waves change by plan and apply: all of it or nothing, never by accident, and with a trace of who did it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.calls import Plant, good
from tests.support.gateway import Deployment, RunningGateway, deployment
from tests.support.simulated import Pair

MOVE = ("    target: cloud\n    wave: wave-1", "    phase: cloud\n    target: cloud\n    wave: wave-1")
BACK = (MOVE[1], MOVE[0])
GATE, DIFFERENT, STALE, UNREACHABLE = 4, 3, 8, 6


def audit(made: Deployment) -> list[dict[str, Any]]:
    """The audit rows, read behind the gateway's back."""
    with sqlite3.connect(made.folder / "gateway.db") as db:
        db.row_factory = sqlite3.Row
        rows = db.execute("SELECT * FROM audit ORDER BY id").fetchall()
    db.close()
    return [{**row, "detail": json.loads(row["detail"])} for row in rows]


def planned(made: Deployment) -> dict[str, Any]:
    done = made.cli("plan", "-o", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_plant_moves_by_plan_and_apply_and_by_nothing_else(
    own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    running = starter(own)
    plant = Plant(running.client("admin"), "1000")

    same = own.cli("plan", "--exit-code")
    assert (same.returncode, same.stdout.startswith("No differences")) == (0, True)
    assert own.cli("apply").returncode == 0
    assert running.admin("/admin/v1/waves").json()["revision"] == 1

    own.edit("routes/waves.yaml", *MOVE)
    assert own.cli("plan", "--exit-code").returncode == DIFFERENT
    shown = planned(own)
    assert {(c["plant"], c["kind"], c["guarded"]) for c in shown["changes"]} == {("1000", "phase", True)}
    assert len(shown["changes"]) == 4

    without = own.cli("apply", "--plan", shown["plan"])
    assert without.returncode == GATE
    assert "--unsafe-switch" in without.stderr
    assert good(plant.list("production-orders")) and plant.list("items").status_code == 404
    assert plant.list("production-orders").headers["x-route"] == "legacy; epoch=1; phase=legacy"

    dry = own.cli("apply", "--unsafe-switch", "--dry-run")
    assert (dry.returncode, len(audit(own))) == (0, 1)

    assert own.cli("apply", "--unsafe-switch", "--plan", "0123456789abcdef").returncode == STALE
    done = own.cli("apply", "--unsafe-switch", "--plan", shown["plan"], "--reason", "Saturday night")
    assert done.returncode == 0, done.stderr
    running.await_revision(2)
    assert plant.list("production-orders").headers["x-route"] == "cloud; epoch=2; phase=cloud"

    assert own.cli("apply", "--unsafe-switch", "--plan", shown["plan"]).returncode == STALE
    first, second = audit(own)
    assert (first["actor"], first["action"], second["action"], second["reason"]) == ("serve", "apply", "apply", "Saturday night")
    assert second["detail"]["plan"] == shown["plan"]
    assert len(second["detail"]["changes"]) == 4

    own.edit("routes/waves.yaml", *BACK)
    assert own.cli("apply", "--unsafe-switch").returncode == 0
    running.await_revision(3)
    assert plant.list("production-orders").headers["x-route"] == "legacy; epoch=3; phase=legacy"


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("routes/waves.yaml", "domains: [master_data], legacy: ecc", "domains: [master_data], legacy: eccc", "no ERP 'eccc'"),
        ("routes/erps/ecc.yaml", "title:", "titel:", "titel"),
        ("routes/contracts/v2.yaml", "filter: [id, item, status, planned.start]", "filter: [id, colour]", "no field 'colour'"),
        ("translators/sap-ecc/item.yaml", "group: {to: ProductGroup", "group: {too: ProductGroup", "too"),
        ("translators/api-v2/item.yaml", "  gtin: gtin\n", "", "gtin"),
        ("policies/authz.rego", "default allow := false", "default allow := tru", "tru"),
        ("policies/authz.rego", 'input.verb in ["read", "list"]\n\tcount', "time.now_ns() > 0\n\tcount", "time.now_ns"),
        ("policies/data.json", '"unlimited_roles": ["buyer_senior", "admin"]', '"unlimited_roles": ["buyer"]', "failed"),
        ("routes/clients.yaml", "issuers:", "issuers: [\n", ""),
        ("routes/plants.yaml", "  \"2000\":", "  \"20 00\":", ""),
    ],
)  # fmt: skip
def test_content_that_is_wrong_is_refused_with_file_line_and_column_and_nothing_changes(
    gateway: RunningGateway, erps: Pair, tmp_path: Any, name: str, old: str, new: str, said: str
) -> None:
    """The folder is a copy, the database is the one of a gateway that serves meanwhile."""
    copy = deployment(tmp_path, erps, database_url=gateway.deployment.database_url)
    text = (copy.content / name).read_text("utf-8")
    assert old in text
    (copy.content / name).write_text(text.replace(old, new, 1), "utf-8")
    before = gateway.admin("/admin/v1/waves").json()
    done = copy.cli("apply", "--unsafe-switch")
    assert done.returncode == 1, (done.stdout, done.stderr)
    line = next(line for line in done.stderr.splitlines() if line.startswith(name))
    place = line.removeprefix(name).split(":")
    assert int(place[1]) >= 1, line
    assert int(place[2]) >= 1, line
    assert said in done.stderr
    assert gateway.admin("/admin/v1/waves").json() == before
    good(Plant(gateway.client("admin"), "1000").list("production-orders"))


def test_every_mistake_of_every_file_is_told_at_once(own: Deployment) -> None:
    own.edit("routes/erps/ecc.yaml", "title:", "titel:")
    own.edit("routes/plants.yaml", "Hamburg, region", "Hamburg, regionn")
    own.edit("translators/sap-ecc/item.yaml", "group: {to:", "group: {too:")
    done = own.cli("plan")
    assert done.returncode == 1
    for name in ("routes/erps/ecc.yaml", "routes/plants.yaml", "translators/sap-ecc/item.yaml"):
        assert name in done.stderr


def test_a_gateway_does_not_start_on_content_that_is_wrong(own: Deployment) -> None:
    own.edit("routes/erps/ecc.yaml", "title:", "titel:")
    process = own.process()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"routes/erps/ecc.yaml" in said
    assert b"Traceback" not in said


def test_content_whose_secret_is_missing_here_does_not_stop_what_serves(
    own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    running = starter(own)
    plant = Plant(running.client("admin"), "1000")
    own.edit("routes/erps/ecc.yaml", "base_url: env:CHANGEOVER_ERP_ECC_URL", "base_url: env:CHANGEOVER_NOT_SET")
    assert own.cli("apply").returncode == 0
    running.awaited("content.refused")
    report = running.admin("/readyz")
    assert "CHANGEOVER_NOT_SET" in report.json()["reasons"]["content"]
    good(plant.ordered(), 201)
    own.edit("routes/erps/ecc.yaml", "env:CHANGEOVER_NOT_SET", "env:CHANGEOVER_ERP_ECC_URL")
    assert own.cli("apply").returncode == 0
    running.await_revision(3)
    assert running.admin("/readyz").json()["reasons"] == {}


def test_new_content_is_served_without_a_restart(own: Deployment, starter: Callable[[Deployment], RunningGateway]) -> None:
    running = starter(own)
    plant = Plant(running.client("admin"), "1000")
    own.edit("routes/contracts/v2.yaml", "filter: [id, item, status, planned.start]", "filter: [id]")
    assert own.cli("apply").returncode == 0
    running.await_revision(2)
    assert plant.list("production-orders", filter="item eq '1234'").status_code == 400
    shown = running.client(None).get("/openapi/v2.json").json()["paths"]["/plants/{plant}/production-orders"]["get"]
    assert next(p["description"] for p in shown["parameters"] if p["name"] == "filter").endswith("on: id")


def test_a_sqlite_file_belongs_to_one_gateway(gateway: RunningGateway) -> None:
    second = gateway.deployment.process()
    _, said = second.communicate(timeout=60)
    assert second.returncode == UNREACHABLE
    assert b"another gateway" in said
    assert b"Traceback" not in said
    good(Plant(gateway.client("admin"), "1000").list("production-orders"))


def test_a_phase_this_release_does_not_carry_is_an_error_never_a_default(
    own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    running = starter(own)
    plant = Plant(running.client("admin"), "1000")
    own.edit("routes/waves.yaml", MOVE[0], MOVE[1].replace("phase: cloud", "phase: dual_legacy"))
    done = own.cli("apply", "--unsafe-switch")
    assert done.returncode == 0
    running.await_revision(2)
    with own.erps.untouched():
        for answer in (plant.ordered(), plant.list("production-orders")):
            assert (answer.status_code, answer.json()["code"], answer.json()["phase"]) == (503, "phase-not-yet", "dual_legacy")
    good(plant.at("3000").list("production-orders"))


def test_a_cell_that_is_taken_away_is_refused_without_the_word_and_unrouted_with_it(
    own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    running = starter(own)
    plant = Plant(running.client("admin"), "2000")
    text = (own.content / "routes/waves.yaml").read_text("utf-8")
    start = text.index('  - plants: ["2000"]')
    (own.content / "routes/waves.yaml").write_text(text[:start] + text[text.index("  # Pune") :], "utf-8")
    assert own.cli("apply").returncode == GATE
    good(plant.list("production-orders"))
    assert own.cli("apply", "--unsafe-switch").returncode == 0
    running.await_revision(2)
    assert plant.list("production-orders").json()["code"] == "unrouted-plant"
