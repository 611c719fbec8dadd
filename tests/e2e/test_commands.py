"""The commands an operator types beside `serve`, `plan` and `apply`."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from alembic import command as alembic
from alembic.config import Config
from sqlalchemy import create_engine

from gateway.pipeline.stages import STAGES
from gateway.settings import shipped
from tests.e2e.calls import Plant, good, order, refused
from tests.support.gateway import CLIENTS, Deployment, RunningGateway

Rows = dict[str, dict[str, Any]]
LONG = "PUMP-" + "1" * 30
"""An item number that versions take, and the legacy ERP cannot."""
TOO_LONG = {
    "v1": {"itemNumber": LONG, "quantity": "10", "unit": "H87", "plannedStart": "2026-12-01T06:00:00Z"},
    "v2": order(item=LONG),
}


def explained(made: Deployment, *arguments: str) -> tuple[int, Rows]:
    done = made.cli("explain", *arguments, "-o", "json")
    return done.exit_code, {row["stage"]: row for row in json.loads(done.stdout)}


def test_explain_tells_what_each_stage_decides_and_no_erp_hears_of_it(gateway: RunningGateway) -> None:
    made = gateway.deployment
    with made.erps.untouched():
        code, rows = explained(made, "GET", "/api/v2/plants/1000/production-orders/4711", "--client", "mes")
    assert code == 0
    assert list(rows) == [stage.__name__ for stage in STAGES]
    assert rows["admit"]["decides"] == "version v2"
    assert rows["authenticate"]["decides"] == "client:mes"
    assert rows["negotiate"]["decides"] == "read production_order 4711"
    assert rows["authorize"]["decides"] == "allows"
    assert rows["steer"]["decides"] == "legacy: ecc"
    assert rows["execute"]["decides"].startswith(
        "GET /sap/opu/odata/sap/API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2("
    )


def test_explain_shows_the_very_call_that_an_order_would_make(gateway: RunningGateway) -> None:
    made = gateway.deployment
    url = "/api/v2/plants/3000/production-orders"
    with made.erps.untouched():
        code, rows = explained(made, "POST", url, "--client", "mes", "--data", json.dumps(order(item="1234")))
    assert (code, rows["steer"]["decides"]) == (0, "cloud: s4")
    assert rows["execute"]["decides"].startswith("POST /sap/opu/odata4/")
    assert '"Product":"1234"' in rows["execute"]["why"].replace(" ", "")


def test_explain_shows_a_list_with_the_plants_own_condition(gateway: RunningGateway) -> None:
    url = "/api/v2/plants/1000/production-orders?filter=item eq '1234'"
    _, rows = explained(gateway.deployment, "GET", url.replace(" ", "%20"), "--roles", "mes", "--plants", "1000")
    call = rows["execute"]["decides"]
    assert "000000000000001234" in call
    assert "ProductionPlant" in call


@pytest.mark.parametrize(
    ("arguments", "stage", "refusal"),
    [
        (("GET", "/api/v9/items", "--client", "mes"), "admit", "404 unknown-version"),
        (("GET", "/api/v2/items"), "authenticate", "401 not-authenticated"),
        (("GET", "/api/v2/nothing", "--client", "mes"), "negotiate", "404 unknown-resource"),
        (("GET", "/api/v2/plants/1000/purchase-orders", "--client", "mes"), "authorize", "403 denied"),
        (("GET", "/api/v2/plants/4000/production-orders", "--client", "admin"), "steer", "404 unrouted-plant"),
    ],
)
def test_explain_stops_where_the_request_would(
    gateway: RunningGateway, arguments: tuple[str, ...], stage: str, refusal: str
) -> None:
    with gateway.deployment.erps.untouched():
        code, rows = explained(gateway.deployment, *arguments)
    assert code == 1
    assert list(rows)[-1] == stage
    assert rows[stage]["decides"] == f"refuses: {refusal}"


@pytest.mark.parametrize(("version", "field"), [("v1", "itemNumber"), ("v2", "item")])
def test_explain_names_the_fields_that_the_erp_cannot_take_as_the_gateway_does(
    gateway: RunningGateway, version: str, field: str
) -> None:
    made, url = gateway.deployment, f"/api/{version}/plants/1000/production-orders"
    body = TOO_LONG[version]
    with made.erps.untouched():
        code, rows = explained(made, "POST", url, "--client", "admin", "--data", json.dumps(body))
        told = refused(gateway.client("admin").post(url, json=body), 422, "invalid-document")
        table = made.cli("explain", "POST", url, "--client", "admin", "--data", json.dumps(body)).stdout
    assert (code, list(rows)[-1], rows["execute"]["decides"]) == (1, "execute", "refuses: 422 invalid-document")
    assert rows["execute"]["errors"] == told["errors"]
    [error] = told["errors"]
    assert error["field"] == field
    assert f"ecc cannot take the document. {field}: {error['reason']}" in table


def test_explain_names_the_fields_that_break_the_contract(gateway: RunningGateway) -> None:
    url, body = "/api/v2/plants/1000/production-orders", json.dumps({"item": "PUMP-100"})
    code, rows = explained(gateway.deployment, "POST", url, "--client", "mes", "--data", body)
    assert (code, list(rows)[-1]) == (1, "negotiate")
    assert {error["field"] for error in rows["negotiate"]["errors"]} >= {"quantity.value", "planned.start"}
    assert "planned.start: required" in rows["negotiate"]["why"]


def test_explain_tells_what_the_answer_says_of_itself(gateway: RunningGateway) -> None:
    url = "/api/v1/plants/1000/purchase-orders/4500000001"
    _, rows = explained(gateway.deployment, "GET", url, "--roles", "wms", "--plants", "1000")
    assert rows["render"]["decides"] == "200 in v1"
    why = rows["render"]["why"]
    assert why.startswith("masks lines[].price, lines[].price_per; ETag of legacy, term 1; ")
    answer = gateway.client("admin").get(url)
    for name in ("deprecation", "sunset", "link", "x-route"):
        assert f"{name}: {answer.headers[name]}" in why
    _, rows = explained(gateway.deployment, "GET", "/api/v2/items?fields=id,name&limit=1", "--client", "steward")
    assert rows["render"]["why"].startswith("masks nothing; shows id, name only; x-route: ")
    assert "deprecation" not in rows["render"]["why"]


def test_explain_of_an_operation_points_to_the_journal(own: Deployment) -> None:
    done = own.cli("explain", "GET", "/api/v2/operations/0123", "--client", "mes")
    assert (done.exit_code, "changeover journal show" in done.stderr) == (2, True)


def test_explain_and_the_gateway_say_the_same(gateway: RunningGateway, hamburg: Plant) -> None:
    """What `explain` shows is what the ERP is really asked."""
    _, rows = explained(gateway.deployment, "GET", "/api/v2/plants/1000/production-orders/1000000", "--client", "admin")
    call = rows["execute"]["decides"].removeprefix("GET ")
    with gateway.deployment.erps.legacy.fault("delay", match=_quoted(call.partition("?")[0]), delay_s=0, count=0):
        good(hamburg.read("production-orders", "1000000"))
        assert gateway.deployment.erps.legacy.door.get("/_faults").json()[0]["hits"] == 1


def _quoted(text: str) -> str:
    return "".join(f"\\{c}" if c in "()." else c for c in text)


def test_doctor_finds_a_sound_deployment_sound(gateway: RunningGateway) -> None:
    with gateway.deployment.erps.untouched():
        done = gateway.deployment.cli("doctor", "-o", "json")
    assert done.exit_code == 0, done.stdout
    found = {row["check"]: row for row in json.loads(done.stdout)}
    assert not [row for row in found.values() if row["state"] == "bad"]
    for erp in ("ERP ecc", "ERP s4"):
        assert found[erp]["evidence"].startswith("answers")


def test_doctor_says_what_is_wrong_and_what_to_do(own: Deployment) -> None:
    own.environment |= {"CHANGEOVER_ERP_ECC_SECRET": "wrong", "CHANGEOVER_ERP_S4_URL": "http://127.0.0.1:9"}
    done = own.cli("doctor", "-o", "json")
    assert done.exit_code == 1
    bad = {row["check"]: row for row in json.loads(done.stdout) if row["state"] == "bad"}
    assert set(bad) == {"ERP ecc", "ERP s4"}
    assert all(row["fix"] for row in bad.values())
    assert "wrong" not in done.stdout


def test_init_makes_a_deployment_that_starts(
    tmp_path: Path, own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    made = tmp_path / "fresh"
    assert own.cli("init", str(made), content=False).exit_code == 0
    assert {p.name for p in made.iterdir()} >= {"routes", "translators", "policies"}
    checked = own.run("dialect", "check", "--content", str(made))
    assert (checked.returncode, "7 dialects, 183 recorded documents, 0 findings" in checked.stderr) == (0, True)
    again = own.cli("init", str(made), content=False)
    assert (again.exit_code, "not empty" in again.stderr) == (2, True)
    for client in ("MES", "WMS", "PLANNING"):
        own.environment[f"CHANGEOVER_KEY_{client}"] = sha256(own.keys[client.lower()].encode()).hexdigest()
    (own.content).rename(tmp_path / "before")
    made.rename(own.content)
    running = starter(own)
    good(Plant(running.client("mes"), "1000").ordered(), 201)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(20) == 0


def test_a_key_made_by_the_command_opens_the_door(gateway: RunningGateway, own: Deployment) -> None:
    made = json.loads(own.cli("key", "portal-2", content=False).stdout)
    assert made["key"].startswith("co_portal-2_")
    assert made["sha256"] == sha256(made["key"].encode()).hexdigest()
    assert made["key"] not in str(gateway.lines)


def test_wave_shows_the_cells_as_they_run(gateway: RunningGateway) -> None:
    done = gateway.deployment.cli("wave", "-o", "json", content=False)
    cells = {(row["plant"], row["domain"]): row for row in json.loads(done.stdout)}
    assert cells["3000", "production"]["phase"] == "cloud"
    assert len(cells) == 13


def test_commands_that_are_misspelt_are_usage_errors(own: Deployment) -> None:
    for arguments in (("aply",), ("plan", "--whatever"), ("explain",), ("wave", "-o", "xml")):
        assert own.cli(*arguments, content=False).exit_code == 2


def test_a_command_run_as_a_process_says_the_same_as_in_the_tests(gateway: RunningGateway) -> None:
    done = gateway.deployment.run("plan", "--content", str(gateway.deployment.content), "--exit-code")
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    assert done.stdout == gateway.deployment.cli("plan", "--exit-code").stdout
    assert set(CLIENTS) == set(gateway.deployment.keys)


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        (("plan",), 0),
        (("apply", "--dry-run"), 0),
        (("explain", "GET", "/api/v2/plants/1000/production-orders/1", "--client", "mes"), 0),
        (("wave",), 1),
        (("suspend", "1000", "production", "--reason", "test"), 1),
        (("case", "list"), 6),
        (("journal", "show"), 6),
        (("crosswalk", "check"), 6),
    ],
)
def test_a_command_that_only_looks_makes_no_database(own: Deployment, command: tuple[str, ...], exit_code: int) -> None:
    path = own.folder / "mistyped" / "gateway.db"
    own.database_url = f"sqlite:///{path}"
    done = own.cli(*command, content=command[0] in ("plan", "apply", "explain"))
    assert done.exit_code == exit_code, done.output
    assert not path.parent.exists()


def test_doctor_and_explain_say_that_a_database_of_the_release_before_waits_for_its_schema(own: Deployment) -> None:
    path = own.folder / "old.db"
    own.database_url = f"sqlite:///{path}"
    config = Config()
    config.set_main_option("script_location", str(shipped() / "migrations"))
    engine = create_engine(own.database_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.upgrade(config, "0004")
    engine.dispose()
    findings = own.cli("doctor", "-o", "json").stdout
    assert "0004 of" in next(str(row) for row in json.loads(findings) if row["check"] == "store")
    refused = own.cli("explain", "GET", "/api/v2/plants/1000/production-orders/1", "--client", "mes")
    assert refused.exit_code == 6
    assert "changeover store migrate" in refused.output
