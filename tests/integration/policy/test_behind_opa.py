"""A gateway whose policies a real OPA server answers: rules the embedded engine refuses, and a server that is not fit to answer."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.calls import Plant, good, refused
from tests.integration.policy.conftest import free_port
from tests.support.gateway import Deployment, RunningGateway, deployment
from tests.support.simulated import simulated_pair

LIST = "production-orders"
BY_PATTERN = """
plant_allowed if {
	some pattern in data.plant_patterns[input.subject.client]
	regex.match(pattern, input.cell.plant)
}
"""
BY_PATTERN_TEST = """
test_a_pattern_of_plants_lets_a_client_in if {
	authz.plant_allowed with input as {"subject": {"client": "hamburg", "plants": []}, "cell": {"plant": "2000"}}
}
"""
ADMINS = """package changeover.authz

decision := {"allow": "admin" in input.subject.roles, "reasons": ["admins-only"], "obligations": {}}
"""
EVERYBODY = ADMINS.replace('"admin" in input.subject.roles', "true")
OTHER = ADMINS.replace("changeover.authz", "changeover.other")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Deployment]:
    with simulated_pair() as pair:
        yield deployment(tmp_path, pair)


def asking(made: Deployment, url: str) -> Deployment:
    """The deployment as one that asks an OPA server; the machine may be slow, the server never is an outage for that."""
    made.environment |= {
        "CHANGEOVER_POLICY_ENGINE": "opa",
        "CHANGEOVER_OPA_URL": url,
        "CHANGEOVER_OPA_TIMEOUT_S": "10",
    }
    return made


def reach_beyond_the_profile(made: Deployment) -> Path:
    """Give one client its plants by a pattern, which the embedded engine does not take. Gives: the bundle."""
    bundle = made.content / "policies"
    made.edit(
        "policies/data.json", '  "partner_roles":', '  "plant_patterns": {"hamburg": ["^2"]},\n  "partner_roles":'
    )
    for name, more in (("authz.rego", BY_PATTERN), ("authz_test.rego", BY_PATTERN_TEST)):
        (bundle / name).write_text((bundle / name).read_text("utf-8") + more, "utf-8")
    return bundle


def test_a_policy_that_needs_a_server_is_refused_without_one_and_decides_with_one(
    own: Deployment, start_opa: Callable[..., str], opa_binary: Path
) -> None:
    bundle = reach_beyond_the_profile(own)
    alone = own.cli("plan")
    assert alone.exit_code == 1
    assert "policies/authz.rego:" in alone.stderr
    assert "regex.match is outside the embedded profile; use an OPA server" in alone.stderr

    tried = subprocess.run([opa_binary, "test", "--bundle", bundle], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    asking(own, start_opa("--bundle", str(bundle)))
    with own.running() as gateway:
        assert gateway.admin("/readyz").json()["reasons"] == {}
        plant = Plant(gateway.client("hamburg"), "1000")
        good(plant.listed(LIST))
        good(plant.at("2000").listed(LIST))
        with own.erps.untouched():
            refused(plant.at("3000").listed(LIST), 403, "denied")
        who = ("--client", "hamburg")
        assert own.cli("explain", "GET", f"/api/v2/plants/2000/{LIST}", *who).exit_code == 0
        assert own.cli("explain", "GET", f"/api/v2/plants/3000/{LIST}", *who).exit_code == 1
        assert own.cli("plan").stdout.startswith("No differences")


def test_what_the_gateway_itself_reads_of_a_bundle_is_checked_with_a_server_too(own: Deployment) -> None:
    asking(own, "http://127.0.0.1:9")
    own.edit("policies/manifest.yaml", "rule: decision", "rules: decision")
    own.edit("policies/data.json", '"partner_roles": [', '"partner_roles": 0.12345678901234567, "x": [')
    done = own.cli("plan")
    assert done.exit_code == 1
    assert "policies/manifest.yaml:" in done.stderr
    assert "policies/data.json: 0.12345678901234567 has more than 15 digits" in done.stderr


def put(url: str, policy: str) -> None:
    """Let the server answer from this policy and no other."""
    answer = httpx.put(f"{url}/v1/policies/authz", content=policy, headers={"Content-Type": "text/plain"}, timeout=60)
    assert answer.status_code == 200, answer.text


def until_told(gateway: RunningGateway, trouble: str | None) -> None:
    """Wait until the gateway says this of its policy engine; it is ready only where there is nothing to say."""
    while True:
        answer = gateway.admin("/readyz")
        told = answer.json()["reasons"].get("policy")
        assert answer.status_code == (200 if told is None else 503)
        if told == trouble or (told and trouble and trouble in told):
            return
        assert gateway.process.poll() is None
        time.sleep(0.02)


def test_a_gateway_is_not_ready_and_lets_nobody_in_while_its_policy_server_is_not_fit_to_answer(
    own: Deployment, start_opa: Callable[..., str]
) -> None:
    port = free_port()
    asking(own, f"http://127.0.0.1:{port}")
    with own.running() as gateway:
        plant = Plant(gateway.client("admin"), "1000")

        def nobody_is_let_in() -> None:
            with own.erps.untouched():
                refused(plant.listed(LIST), 503, "policy-unavailable")

        until_told(gateway, "cannot be asked: unreachable")
        nobody_is_let_in()
        assert "cannot be asked: unreachable" in own.cli("doctor").stdout

        url = start_opa(port=port)
        until_told(gateway, "data.changeover.authz.decision cannot be evaluated: policy-undefined")
        nobody_is_let_in()
        put(url, EVERYBODY)
        until_told(gateway, "allows a caller who has no role and no plant")
        nobody_is_let_in()

        put(url, ADMINS)
        until_told(gateway, None)
        good(plant.listed(LIST))
        refused(Plant(gateway.client("mes"), "1000").listed(LIST), 403, "denied")

        put(url, EVERYBODY)
        until_told(gateway, "allows a caller who has no role and no plant")
        nobody_is_let_in()


def test_content_whose_rule_the_server_does_not_have_is_not_taken_and_what_serves_goes_on(
    own: Deployment, start_opa: Callable[..., str]
) -> None:
    url = start_opa()
    put(url, ADMINS)
    with asking(own, url).running() as gateway:
        plant = Plant(gateway.client("admin"), "1000")
        good(plant.listed(LIST))
        own.edit("policies/manifest.yaml", "package: changeover.authz", "package: changeover.other")
        assert own.cli("apply").exit_code == 0
        gateway.awaited("content.refused")
        assert "data.changeover.other.decision" in gateway.admin("/readyz").json()["reasons"]["content"]
        good(plant.listed(LIST))
        put(url, OTHER)
        while gateway.admin("/readyz").json()["reasons"]:
            assert gateway.process.poll() is None
            time.sleep(0.02)
        good(plant.listed(LIST))
