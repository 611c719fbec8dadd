"""Content and waves change by plan and apply: all of it or nothing, never by accident, and with a trace of who did it."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.calls import Plant, good
from tests.e2e.changes import BACK, DIFFERENT, GATE, MOVE, STALE, SWITCH, UNREACHABLE, USAGE, await_applied
from tests.support.gateway import Deployment, RunningGateway, deployment
from tests.support.simulated import Pair


def audit(made: Deployment) -> list[dict[str, Any]]:
    """The audit rows, read behind the gateway's back."""
    with closing(sqlite3.connect(made.folder / "gateway.db")) as db:
        db.row_factory = sqlite3.Row
        rows = db.execute("SELECT * FROM audit ORDER BY id").fetchall()
    return [{**row, "detail": json.loads(row["detail"])} for row in rows]


def planned(made: Deployment) -> dict[str, Any]:
    done = made.cli("plan", "-o", "json", "--exit-code")
    assert done.exit_code == DIFFERENT, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_plant_moves_by_plan_and_apply_and_by_nothing_else(
    own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    running = starter(own)
    plant = Plant(running.client("admin"), "1000")

    same = own.cli("plan", "--exit-code")
    assert (same.exit_code, same.stdout.startswith("No differences")) == (0, True)
    assert running.admin("/admin/v1/waves").json()["revision"] == 1

    own.edit("routes/waves.yaml", *MOVE)
    shown = planned(own)
    assert {(c["plant"], c["kind"], c["guarded"]) for c in shown["changes"]} == {("1000", "phase", True)}
    assert len(shown["changes"]) == 4

    without = own.cli("apply", "--plan", shown["plan"])
    assert without.exit_code == GATE
    assert "--unsafe-switch" in without.stderr
    assert plant.listed("production-orders").headers["x-route"] == "legacy; epoch=1; phase=legacy"

    dry = own.cli("apply", "--unsafe-switch", "--dry-run")
    assert (dry.exit_code, len(audit(own))) == (0, 1)

    for unsaid in ((), ("--reason", ""), ("--reason", "  ")):
        refused = own.cli("apply", "--unsafe-switch", *unsaid)
        assert (refused.exit_code, "--reason" in refused.stderr, len(audit(own))) == (USAGE, True, 1)

    done = own.cli("apply", "--unsafe-switch", "--plan", shown["plan"], "--reason", "Saturday night")
    assert done.exit_code == 0, done.stderr
    running.await_revision(2)
    assert plant.listed("production-orders").headers["x-route"] == "cloud; epoch=2; phase=cloud"

    assert own.cli(*SWITCH, "--plan", shown["plan"]).exit_code == STALE
    first, second = audit(own)
    assert (first["actor"], first["action"], second["action"], second["reason"]) == (
        "serve",
        "apply",
        "apply",
        "Saturday night",
    )
    assert second["detail"]["plan"] == shown["plan"]
    assert len(second["detail"]["changes"]) == 4
    assert (first["detail"]["unsafe_switch"], second["detail"]["unsafe_switch"]) == (False, True)

    own.edit("routes/waves.yaml", *BACK)
    assert own.cli(*SWITCH).exit_code == 0
    running.await_revision(3)
    assert plant.listed("production-orders").headers["x-route"] == "legacy; epoch=3; phase=legacy"


Edit = tuple[str, str, str, str]  # file, old, new, what is said of it
OWN = "plant_allowed if input.cell.plant in"
WRONG: dict[str, list[Edit]] = {
    "every file by itself": [
        ("routes/erps/ecc.yaml", "title:", "titel:", "titel"),
        ("routes/plants.yaml", '"2000":', '"20 00":', "20 00"),
        ("routes/clients.yaml", "leeway_s: 5", "leeway_s: 500", "leeway_s"),
        ("translators/sap-ecc/item.yaml", "group: {to: ProductGroup", "group: {too: ProductGroup", "too"),
        ("translators/api-v2/item.yaml", "  gtin: gtin\n", "", "gtin"),
        ("policies/authz.rego", "default allow := false", "default allow := tru", "tru"),
    ],
    "names that lead nowhere": [
        ("routes/waves.yaml", "domains: [master_data], legacy: ecc", "domains: [master_data], legacy: eccc", "no ERP 'eccc'"),
        ("routes/contracts/v2.yaml", "filter: [id, item, status, planned.start]", "filter: [id, colour]", "'colour'"),
        ("routes/erps/s4.yaml", "dialect: sap-s4", "dialect: sap-s5", "'sap-s5'"),
        ("routes/manifests/s4.yaml", "purchase_order: [{first", "invoice: [{first", "'invoice'"),
    ],
    "a policy the two engines might read in two ways": [
        ("policies/authz.rego", OWN, "plant_allowed if time.now_ns() < 0\n\n" + OWN, "time.now_ns"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("edits", WRONG.values(), ids=WRONG)
def test_content_that_is_wrong_is_refused_with_file_line_and_column_and_nothing_changes(
    gateway: RunningGateway, erps: Pair, tmp_path: Path, edits: list[Edit]
) -> None:
    """The folder is a copy, the database is the one of a gateway that serves meanwhile. All mistakes are told at once."""
    copy = deployment(tmp_path, erps, database_url=gateway.deployment.database_url)
    if any(new.startswith("leeway_s") for _, _, new, _ in edits):
        copy.edit("routes/clients.yaml", "jwks:", "leeway_s: 5\n  jwks:")
    for name, old, new, _ in edits:
        copy.edit(name, old, new)
    before = gateway.admin("/admin/v1/waves").json()
    done = copy.cli(*SWITCH)
    assert done.exit_code == 1, (done.stdout, done.stderr)
    for name, _, _, said in edits:
        lines = [line for line in done.stderr.splitlines() if re.match(rf"{re.escape(name)}:[1-9]\d*:[1-9]\d*: ", line)]
        assert any(said in line for line in lines), (name, done.stderr)
    assert gateway.admin("/admin/v1/waves").json() == before
    good(Plant(gateway.client("admin"), "1000").listed("production-orders"))


def test_a_policy_whose_own_tests_fail_is_not_put_in_force(gateway: RunningGateway, erps: Pair, tmp_path: Path) -> None:
    copy = deployment(tmp_path, erps, database_url=gateway.deployment.database_url)
    copy.edit("policies/data.json", '"unlimited_roles": ["buyer_senior", "admin"]', '"unlimited_roles": ["buyer"]')
    done = copy.cli("apply")
    assert done.exit_code == 1
    assert re.search(r"^policies/authz_test\.rego:\d+:1: the test [\w.]+ failed$", done.stderr, re.MULTILINE)


def test_a_gateway_does_not_start_on_content_that_is_wrong(own: Deployment) -> None:
    own.edit("routes/erps/ecc.yaml", "title:", "titel:")
    process = own.process()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"routes/erps/ecc.yaml" in said
    assert b"Traceback" not in said


def test_a_sqlite_file_belongs_to_one_gateway(gateway: RunningGateway) -> None:
    second = gateway.deployment.process()
    _, said = second.communicate(timeout=60)
    assert second.returncode == UNREACHABLE
    assert b"another gateway" in said
    assert b"Traceback" not in said
    good(Plant(gateway.client("admin"), "1000").listed("production-orders"))


def await_reason(running: RunningGateway, name: str) -> None:
    running.awaited("content.refused")
    assert name in running.admin("/readyz").json()["reasons"]


def test_content_whose_secret_is_missing_here_does_not_stop_what_serves(changing: RunningGateway) -> None:
    own, running = changing.deployment, changing
    plant = Plant(running.client("admin"), "1000")
    own.edit("routes/erps/ecc.yaml", "base_url: env:CHANGEOVER_ERP_ECC_URL", "base_url: env:CHANGEOVER_NOT_SET")
    assert own.cli("apply").exit_code == 0
    await_reason(running, "content")
    report = running.admin("/readyz")
    assert "CHANGEOVER_NOT_SET" in report.json()["reasons"]["content"]
    good(plant.ordered(), 201)
    own.edit("routes/erps/ecc.yaml", "env:CHANGEOVER_NOT_SET", "env:CHANGEOVER_ERP_ECC_URL")
    assert own.cli("apply").exit_code == 0
    await_applied(running)
    assert running.admin("/readyz").json()["reasons"] == {}


def test_new_content_is_served_without_a_restart(changing: RunningGateway) -> None:
    own, running = changing.deployment, changing
    plant = Plant(running.client("admin"), "1000")
    own.edit("routes/contracts/v2.yaml", "filter: [id, item, status, planned.start]", "filter: [id]")
    assert own.cli("apply").exit_code == 0
    await_applied(running)
    assert plant.listed("production-orders", filter="item eq '1234'").status_code == 400
    shown = running.client(None).get("/openapi/v2.json").json()["paths"]["/plants/{plant}/production-orders"]["get"]
    assert (
        next(p["description"] for p in shown["parameters"] if p["name"] == "filter").split(". ")[0].endswith("on: id")
    )


def test_a_phase_this_release_does_not_carry_is_an_error_never_a_default(changing: RunningGateway) -> None:
    own, running = changing.deployment, changing
    plant = Plant(running.client("admin"), "1000")
    own.edit("routes/waves.yaml", MOVE[0], MOVE[1].replace("phase: cloud", "phase: shadow"))
    assert "shadow carries no traffic yet: clients get 503" in own.cli("plan").output
    done = own.cli(*SWITCH)
    assert done.exit_code == 0
    await_applied(running)
    with own.erps.untouched():
        for answer in (plant.ordered(), plant.listed("production-orders")):
            assert (answer.status_code, answer.json()["code"], answer.json()["phase"]) == (
                503,
                "phase-not-yet",
                "shadow",
            )
    good(plant.at("3000").listed("production-orders"))


def test_a_cell_that_is_taken_away_is_refused_without_the_word_and_unrouted_with_it(changing: RunningGateway) -> None:
    own, running = changing.deployment, changing
    plant = Plant(running.client("admin"), "2000")
    text = (own.content / "routes/waves.yaml").read_text("utf-8")
    start = text.index('  - plants: ["2000"]')
    (own.content / "routes/waves.yaml").write_text(text[:start] + text[text.index("  # Pune") :], "utf-8")
    assert own.cli("apply").exit_code == GATE
    good(plant.listed("production-orders"))
    assert own.cli(*SWITCH).exit_code == 0
    await_applied(running)
    assert plant.listed("production-orders").json()["code"] == "unrouted-plant"
