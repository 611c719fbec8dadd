"""The attack corpus against the whole gateway, with a credential that would be good: nothing gets through to an ERP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.e2e.calls import Plant, good
from tests.integration.edge.attacks import ATTACKS, HOST, Attack
from tests.integration.edge.wire import Address, ask
from tests.support.gateway import RunningGateway, deployment
from tests.support.simulated import Pair

ORDERS = b"/api/v2/plants/1000/production-orders"
FULL = "100 headers"  # one more would be one too many
BAD = [attack for attack in ATTACKS if attack.must_not_reach_app]
GOOD = [attack for attack in ATTACKS if not attack.must_not_reach_app]


@pytest.fixture(scope="module")
def guarded(gateway: RunningGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    made = deployment(tmp_path_factory.mktemp("guarded"), gateway.deployment.erps)
    made.environment["CHANGEOVER_HOSTS"] = '["gateway.example", "127.0.0.1"]'
    with made.running() as started:
        yield started


def aimed(attack: Attack, key: str) -> bytes:
    """The attack on a resource that exists, by a caller who may do everything."""
    raw = attack.raw
    for method in (b"GET", b"POST", b"PUT", b"PATCH"):
        raw = raw.replace(method + b" /x HTTP", method + b" " + ORDERS + b" HTTP")
        raw = raw.replace(method + b" /plants/", method + b" /api/v2/plants/")
        raw = raw.replace(method + b" //plants/", method + b" /api/v2//plants/")
    raw = raw.replace(b"/plants/abc HTTP", b"/plants/abc/production-orders HTTP")
    raw = raw.replace(b"GET /smuggled ", b"GET " + ORDERS + b" ")
    return raw if attack.name == FULL else raw.replace(HOST, HOST + b"X-API-Key: " + key.encode() + b"\r\n", 1)


def sent(gateway: RunningGateway, attack: Attack) -> tuple[list[int], bytes]:
    place = urlsplit(gateway.base_url)
    address = Address(place.hostname or "", place.port or 0)
    reply = ask(address, aimed(attack, gateway.deployment.keys["admin"]), answers=attack.answers)
    return reply.statuses, reply.raw


@pytest.mark.parametrize("attack", BAD, ids=lambda attack: attack.name.replace(" ", "-"))
def test_an_attack_is_refused_at_the_door_and_no_erp_hears_of_it(
    guarded: RunningGateway, erps: Pair, attack: Attack
) -> None:
    with erps.untouched():
        statuses, raw = sent(guarded, attack)
    assert statuses[:1], raw[:300]
    assert statuses[0] in attack.statuses, raw[:600]
    assert len(statuses) == attack.answers
    assert b"application/problem+json" in raw
    assert b"\r\nx-request-id: " in raw.lower()
    assert b"x-route" not in raw.lower()


@pytest.mark.parametrize("attack", GOOD, ids=lambda attack: attack.name.replace(" ", "-"))
def test_an_odd_but_honest_request_is_answered_and_carries_nothing_in(
    guarded: RunningGateway, erps: Pair, attack: Attack
) -> None:
    with erps.untouched():
        statuses, raw = sent(guarded, attack)
    assert len(statuses) == attack.answers, raw[:600]
    assert statuses[0] < 500, raw[:600]
    if attack.raw.lstrip().startswith(b"GET /x ") and attack.name != FULL:
        assert statuses[0] == (200 if HOST in attack.raw else 401), raw[:600]


def test_a_refusal_at_the_door_can_be_looked_up_in_the_log_and_its_type_is_a_page(guarded: RunningGateway) -> None:
    place = urlsplit(guarded.base_url)
    asked = b"POST " + ORDERS + b" HTTP/1.1\r\n" + HOST + b"X-Request-Id: at-the-door-0001\r\n"
    raw = ask(Address(place.hostname or "", place.port or 0), asked + b"Content-Length: 999999999\r\n\r\n").raw
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"\r\nx-request-id: at-the-door-0001\r\n" in head
    problem = json.loads(body)
    assert (problem["code"], problem["instance"]) == ("body-too-large", "urn:request:at-the-door-0001")
    assert problem["limit_bytes"] > 0
    assert guarded.client(None).get(problem["type"]).status_code == 200
    guarded.awaited("request.refused", request_id="at-the-door-0001", status=413, code="body-too-large")


def test_the_gateway_serves_as_before_after_all_of_it(guarded: RunningGateway) -> None:
    good(Plant(guarded.client("admin"), "1000").listed("production-orders"))
    assert guarded.process.poll() is None
    assert "Traceback" not in str(guarded.lines)
