"""What those who run the gateway rely on: health, metrics, a stop that loses nothing, keys that change without an outage."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable

import httpx
import pytest

from tests.e2e.calls import Plant, good, refused
from tests.e2e.changes import await_applied
from tests.support.gateway import Deployment, RunningGateway


def test_livez_says_that_the_process_lives_and_readyz_that_it_may_have_traffic(gateway: RunningGateway) -> None:
    assert gateway.admin("/livez").status_code == 200
    ready = gateway.admin("/readyz")
    assert ready.status_code == 200
    report = ready.json()
    assert (report["ready"], report["reasons"]) == (True, {})
    assert set(report["erps"]) == {"ecc", "s4"}
    assert report["content"]
    assert report["policy"]


def test_the_data_port_shows_nothing_of_the_admin_port(gateway: RunningGateway) -> None:
    for path in ("/metrics", "/readyz", "/livez", "/admin/v1/waves"):
        assert gateway.client("admin").get(path).status_code == 404


def test_the_admin_port_shows_the_table_in_force_and_no_secret(gateway: RunningGateway) -> None:
    shown = gateway.admin("/admin/v1/waves")
    cells = {(c["plant"], c["domain"]): c["phase"] for c in shown.json()["cells"]}
    assert (cells["1000", "production"], cells["3000", "production"]) == ("legacy", "cloud")
    for path in ("/admin/v1/waves", "/readyz", "/metrics"):
        text = gateway.admin(path).text
        assert all(key not in text for key in gateway.deployment.keys.values())


def counted(text: str, **labels: str) -> float:
    """The sum of the request counters with these labels."""
    found = re.findall(r"^changeover_requests_total\{(.*)\} (\S+)$", text, re.MULTILINE)
    return sum(float(value) for given, value in found if all(f'{k}="{v}"' in given for k, v in labels.items()))


def test_metrics_count_each_request_once_by_version_object_verb_side_and_status(
    gateway: RunningGateway, hamburg: Plant, pune: Plant
) -> None:
    labels = {"version": "v2", "object": "production_order", "verb": "list"}
    before = gateway.admin("/metrics").text
    for _ in range(3):
        good(hamburg.listed("production-orders", limit=1))
    good(pune.listed("production-orders", limit=1))
    refused(hamburg.read("production-orders", "999999"), 404, "no-such-document")
    after = gateway.admin("/metrics").text
    for more, expected in (({"side": "legacy", "status": "200"}, 3), ({"side": "cloud", "status": "200"}, 1)):
        assert counted(after, **labels, **more) - counted(before, **labels, **more) == expected
    missing = labels | {"verb": "read", "status": "404"}
    assert counted(after, **missing) - counted(before, **missing) == 1


def test_no_caller_can_make_new_series(gateway: RunningGateway, hamburg: Plant) -> None:
    """Versions, plants, keys and methods come from callers: none may become a label."""
    _inventive(gateway, hamburg, "A")
    series = set(_series(gateway))
    _inventive(gateway, hamburg, "B")
    assert set(_series(gateway)) == series
    assert not re.search(r"thing|key-|PA|v7\d\d|VERB", " ".join(series))


def _inventive(gateway: RunningGateway, plant: Plant, word: str) -> None:
    """Requests whose every part nobody has sent before."""
    http, first = gateway.client("admin"), 700 if word == "A" else 800
    for n in range(10):
        http.get(f"/api/v{first + n}/items")
        http.get(f"/api/v2/thing{word}{n}")
        plant.at(f"P{word}{n}").listed("production-orders")
        plant.read("production-orders", f"key-{word}{n}")
        http.request(f"VERB{word}{n}", "/api/v2/items")


def _series(gateway: RunningGateway) -> list[str]:
    lines = gateway.admin("/metrics").text.splitlines()
    return [line.rpartition(" ")[0] for line in lines if not line.startswith("#") and "_bucket{" not in line]


def test_the_log_has_one_line_for_a_request_and_no_secret_in_it(gateway: RunningGateway) -> None:
    http = gateway.client("mes")
    http.get("/api/v2/plants/1000/production-orders?limit=1", headers={"X-Request-Id": "log-line-0001"})
    line = gateway.awaited("request", request_id="log-line-0001")
    wanted = {
        "status": 200,
        "client": "mes",
        "plant": "1000",
        "side": "legacy",
        "erp": "ecc",
        "epoch": 1,
        "method": "GET",
    }
    assert wanted.items() <= line.items()
    assert len(gateway.events("request", request_id="log-line-0001")) == 1
    text = str(gateway.lines)
    assert not any(key in text for key in gateway.deployment.keys.values())
    assert "Traceback" not in text


def test_a_stop_lets_running_requests_finish_refuses_new_ones_and_ends_well(
    own: Deployment, starter: Callable[[Deployment], RunningGateway]
) -> None:
    running = starter(own)
    plant = Plant(running.client("admin"), "1000")
    idle = running.client("admin")
    good(Plant(idle, "1000").listed("production-orders", limit=1))
    good(plant.ordered(), 201)
    answers: list[httpx.Response] = []
    mark = own.erps.legacy.length
    with own.erps.legacy.fault("delay", method="POST", delay_s=1.5, count=1):
        caller = threading.Thread(target=lambda: answers.append(plant.ordered()))
        caller.start()
        while not own.erps.legacy.door.get("/_faults").json()[0]["hits"]:
            time.sleep(0.01)
        running.process.send_signal(signal.SIGTERM)
        running.awaited("draining")
        assert _not_served(idle, running)
        report = running.admin("/readyz")
        assert (report.status_code, "draining" in report.json()["reasons"]) == (503, True)
        caller.join(20)
    assert good(answers[0], 201)["id"]
    assert len([e for e in own.erps.legacy.since(mark, origin="api") if e["verb"] == "create"]) == 1
    assert running.process.wait(20) == 0
    assert running.events("stopped")


def _not_served(idle: httpx.Client, running: RunningGateway) -> bool:
    """A new request is refused as draining, or finds no open door."""
    try:
        answer = idle.get("/api/v2/plants/1000/production-orders")
    except httpx.TransportError:
        return True
    return (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "draining", "1")


def test_signing_keys_change_with_an_overlap_and_no_good_token_is_ever_refused(gateway: RunningGateway) -> None:
    """The identity provider publishes the new key, then signs with it, then takes the old one away."""
    issued = gateway.deployment

    def served(key: str) -> int:
        http = gateway.client(None, Authorization=f"Bearer {gateway.token(key)}")
        return http.get("/api/v2/plants/1000/production-orders?limit=1").status_code

    assert served("k1") == 200
    issued.publish_keys("k1", "k2")
    try:
        statuses = [(served("k2"), served("k1")) for _ in range(5)]
        assert statuses == [(200, 200)] * 5
        issued.publish_keys("k2")
        assert [served("k2") for _ in range(5)] == [200] * 5
        _until(lambda: served("k1") == 401)
        assert served("k2") == 200
    finally:
        issued.publish_keys("k1")
        _until(lambda: served("k1") == 200)


def _until(true: Callable[[], bool], *, within_s: float = 30) -> None:
    give_up_at_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.1)


def test_a_key_file_that_is_broken_for_a_while_changes_nothing(gateway: RunningGateway) -> None:
    good_keys = gateway.deployment.jwks.read_bytes()
    http = gateway.client(None, Authorization=f"Bearer {gateway.token()}")
    try:
        gateway.deployment.jwks.write_bytes(b"{")
        assert {http.get("/api/v2/plants/1000/production-orders?limit=1").status_code for _ in range(5)} == {200}
    finally:
        gateway.deployment.jwks.write_bytes(good_keys)


def test_a_caller_over_its_rate_is_told_when_to_come_back_and_others_are_not_held_up(gateway: RunningGateway) -> None:
    """Partners have a rate of their own; here it is 20 calls at once and then one every two seconds."""
    loud, quiet = (Plant(gateway.client(who), "1000") for who in ("partner", "portal"))
    answers = [loud.listed("purchase-orders", limit=1) for _ in range(25)]
    statuses = [a.status_code for a in answers]
    assert set(statuses[:20]) == {200}
    assert statuses[-1] == 429
    refused(answers[-1], 429, "overloaded")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 4
    good(quiet.listed("purchase-orders"))


def test_a_rate_class_that_nobody_declared_is_a_no_and_not_a_caller_without_a_limit(changing: RunningGateway) -> None:
    own = changing.deployment
    own.edit("policies/authz.rego", 'rate_class := "partner" if {', 'rate_class := "partners" if {')
    own.edit("policies/authz_test.rego", '.rate_class == "partner"', '.rate_class == "partners"')
    assert (done := own.cli("apply")).exit_code == 0, done.stderr
    await_applied(changing)
    portal = Plant(changing.client("portal"), "1000")
    with own.erps.untouched():
        problem = refused(portal.listed("purchase-orders"), 403, "denied")
    assert (problem["reasons"], problem["rate_class"]) == (["obligation-not-enforceable:rate_class"], "partners")
    good(Plant(changing.client("admin"), "1000").listed("purchase-orders"))
    who = ("--roles", "supplier_portal", "--plants", "1000")
    said = own.cli("explain", "GET", "/api/v2/plants/1000/purchase-orders", *who, "-o", "json")
    assert "obligation-not-enforceable:rate_class" in said.stdout


@pytest.mark.parametrize("plant", ["1000", "3000"])
def test_an_order_that_names_no_end_does_not_end_before_it_begins(gateway: RunningGateway, plant: str) -> None:
    made = good(Plant(gateway.client("admin"), plant).ordered(planned={"start": "2026-12-01T08:00:00Z"}), 201)
    assert made["planned"]["start"] == "2026-12-01T08:00:00Z" <= made["planned"]["end"]
